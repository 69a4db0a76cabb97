"""Rules as somebody else would add them: one that reads off, one that searches."""

import numpy as np

from lisor.extraction.extraction import Extraction, SearchLog
from lisor.extraction.rule import Rule
from lisor.extraction.view import View
from lisor.randomness import stream

ENTRIES = {
    "once": "tests.extraction.rules.toys:Once",
    "drawn": "tests.extraction.rules.toys:Drawn",
}
"""The lines of the registry."""


class Once(Rule):
    """Any step that was seen counts, the one to the highest cluster first; what was not seen stays
    where it is."""

    follows_states = False

    def extract(self, view: View) -> Extraction:
        """The automaton of such steps."""
        counts = view.counts
        states = np.arange(counts.states)
        transitions = np.repeat(states[:, None], counts.symbols, axis=1)
        seen = np.zeros(transitions.shape, bool)
        order = np.argsort(counts.target, kind="stable")
        where = (counts.source[order], counts.symbol[order])
        transitions[where] = counts.target[order]
        seen[where] = True
        return view.extraction(self.name, view.automaton(transitions, view.outputs), seen=seen)


class Drawn(Rule):
    """Draws whole tables of transitions, ten at most, and keeps the one that agrees most with the
    network."""

    searches = True
    has_start = False

    def extract(self, view: View) -> Extraction:
        """The best of the automata that were drawn."""
        words, limit = view.words().words, view.limits.steps
        rng, outputs = stream(view.limits.seed, "drawn"), view.outputs[1:]
        shape, best, agreed = (len(outputs), len(view.network.alphabet)), None, -1.0
        classes, tries = view.network.predict(words).argmax(axis=1), 0
        while tries < 10 and (limit is None or (tries + 1) * len(words.symbols) <= limit):
            tries += 1
            machine = view.automaton(rng.integers(len(outputs), size=shape), outputs)
            share = float((machine.classify(words) == classes).mean())
            if share > agreed:
                best, agreed = machine, share
        log = SearchLog(steps=tries * len(words.symbols), complete=tries == 10)
        assert best is not None
        return view.extraction(self.name, best, search=log)
