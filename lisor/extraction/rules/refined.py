"""Automata refined where they and their network differ.

Shapes: K centers, Q = K + 1 states (the start first), S symbols, N words, D of them on which
network and automaton differ, H hidden units, Z numbers of a state, F features in which states are
compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from lisor.extraction.limits import Stopped
from lisor.extraction.rule import Rule
from lisor.randomness import stream
from lisor.sequences import Sequences
from lisor.targets.positions import Positions

if TYPE_CHECKING:
    from lisor.automata.automaton import Automaton
    from lisor.extraction.dynamics import StateComparison
    from lisor.extraction.extraction import Extraction
    from lisor.extraction.limits import SearchLimits
    from lisor.extraction.probes import Probes
    from lisor.extraction.view import View
    from lisor.networks.network import Network, Predictor, States

PROBES = 500
"""Words of each kind that are drawn in a round."""

MAX_EXPLAINED = 1000
"""Differing words of a round whose cause is looked for."""


class Refined(Rule):
    """The automaton by the rule "dynamics" with new states where it goes wrong, minimised.

    Each round compares automaton and network on the words of `probes`, on near misses of them, on
    access strings of each state with random ends, and on random words. In a word on which they
    differ, read up to where they first do, there is a position where the network, set into the
    center of the automaton's state, still predicts right, and one symbol later no longer does;
    halving finds it as in Rivest & Schapire (1993), "Inference of finite automata using homing
    sequences". The state that is reached there stands for hidden states that must be distinguished,
    so the one that the network itself goes to becomes a center. A round splits a quarter of the
    states at most, those first that most words blame."""

    searches = True
    compares_classes = True
    grows = True

    def extract(self, view: View) -> Extraction:
        """The refined automaton.

        The search ends when a round meets no difference, at the limit of states before
        minimisation, when new centers change no transition, or after the round in which the network
        has read as many symbols as it may. Unless no difference is left, the automaton of the round
        that agreed most with the network on the words of `probes` is returned; where a watch ends
        it while one is compared, that one. Where the network
        does not read the empty word, the start has the output that makes the automaton smallest."""
        from lisor.extraction.extraction import SearchLog

        network, comparison = view.network, view.comparison
        probes, limits = view.words(), view.limits
        rng, states = stream(limits.seed, "refined"), view.states
        stepped: list[Float[np.ndarray, "S F"]] = []
        complete = limited = False
        tests = last = known = spent = spent_to_last = 0
        best, most = None, -1.0
        while True:
            spent += (len(states[0]) - len(stepped)) * len(network.alphabet)
            stepped += comparison.steps(network, tuple(part[len(stepped) :] for part in states))
            outputs = network.probabilities(states[0]).argmax(axis=1)
            automaton = view.automaton(comparison.targets(stepped), outputs)
            words = Sequences.join([probes.words, draw(probes, automaton, rng)])
            try:
                compared = compare(
                    network, automaton, words, given=len(probes.words), limits=limits
                )
            except Stopped:
                best = automaton
                break
            wrong = compared.wrong
            spent += len(compared.words.symbols)
            limits.report(f"refined: {len(states[0]):,} states, {compared}")
            if best is None or compared.agreed >= most:
                best, most = automaton, compared.agreed
            if not len(wrong):
                complete = True
                tests += len(compared.words)
                break
            last, tests = tests + int(wrong[-1]) + 1, tests + len(compared.words)
            spent_to_last = spent
            room = min(limits.most_states - len(states[0]), max(1, len(states[0]) // 4))
            stuck = known > 0 and not (automaton.transitions[:known] >= known).any()
            limited = room < 1
            if limited or stuck or limits.is_over(spent):
                break
            order = rng.permutation(len(wrong))[:MAX_EXPLAINED]
            known = len(states[0])
            prefixes, predicted = compared.prefixes.select(order), compared.predicted[order]
            try:
                fresh, read = _new_centers(
                    network, automaton, states, prefixes, predicted, comparison, room, limits
                )
            except Stopped:
                break
            spent += read
            states = tuple(map(np.concatenate, zip(states, fresh, strict=True)))
            comparison = comparison.with_centers(fresh)
        return view.extraction(
            self.name,
            best.minimized(empty=None if network.reads_empty else False),
            search=SearchLog(
                steps=spent,
                complete=complete,
                limited=limited,
                tests=tests,
                last_difference=last,
                steps_to_last=spent_to_last,
            ),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """On which of some `words` a network and an automaton differ.

    `prefixes` are the `wrong` ones up to where both first differ, and `predicted` are the network's
    classes there. They `agreed` on that share of the positions of the words that are given."""

    words: Sequences
    wrong: Int[np.ndarray, " D"]
    prefixes: Sequences
    predicted: Int[np.ndarray, " D"]
    agreed: float

    def __str__(self) -> str:
        return f"{len(self.wrong):,} of {len(self.words):,} words differ"


def compare(
    network: Predictor,
    automaton: Automaton,
    words: Sequences,
    *,
    given: int,
    limits: SearchLimits,
) -> Comparison:
    """Network and automaton on words, the first of which are `given`.

    Raises:
        Stopped: the search ended before all of them were compared."""
    positions = Positions.of(words, network.target)
    predictions = limits.predict(network, words)
    differs = automaton.classify(words) != predictions
    wrong, first = np.unique(positions.sequence[differs], return_index=True)
    first = np.flatnonzero(differs)[first]
    return Comparison(
        words=words,
        wrong=wrong,
        prefixes=words.cut(words.offsets[wrong], positions.read[first]),
        predicted=predictions[first],
        agreed=1 - float(differs[: positions.offsets[given]].mean()),
    )


def draw(probes: Probes, automaton: Automaton, rng: np.random.Generator) -> Sequences:
    """Words on which an automaton may be wrong: near misses, access strings with random ends, and
    random words."""
    return Sequences.join(
        [
            probes.near_misses(PROBES, rng),
            probes.continued(automaton, PROBES, rng),
            probes.random(PROBES, rng),
        ]
    )


def _new_centers(
    network: Network,
    automaton: Automaton,
    states: States,
    words: Sequences,
    predictions: Int[np.ndarray, " N"],
    comparison: StateComparison,
    room: int,
    limits: SearchLimits,
) -> tuple[States, int]:
    """The hidden states that become centers, at most `room`, one for each state that words blame;
    and how many symbols the network read to find them.

    Of the hidden states that a blamed state wrongly stood for, the one nearest to their mean is
    taken."""
    trace, starts = automaton.trace(words), words.offsets[:-1]

    def reached(read: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
        """The automaton's state after so many symbols of each word."""
        return np.where(read > 0, trace[starts + np.maximum(read, 1) - 1], automaton.start)

    low, high, read = np.zeros(len(words), np.int64), words.lengths, len(words)
    while (high - low > 1).any():
        limits.check()
        middle = (low + high) // 2
        at = reached(middle)
        rest = words.cut(starts + middle, words.lengths - middle)
        read += len(rest.symbols)
        predicted = network.predict_from(tuple(part[at] for part in states), rest)
        right = (predicted.argmax(axis=1) == predictions) & (high - low > 1)
        low, high = np.where(right, middle, low), np.where(right, high, middle)
    source, blamed = reached(low), reached(low + 1)
    stepped = network.advance(tuple(part[source] for part in states), words.symbols[starts + low])
    features = comparison.feature_map(np.concatenate(stepped, axis=1))
    blame = np.bincount(blamed, minlength=len(states[0]))
    rows = []
    for state in np.argsort(-blame, kind="stable")[:room]:
        words_of = np.flatnonzero(blamed == state)
        if len(words_of):
            distances = np.square(features[words_of] - features[words_of].mean(axis=0)).sum(axis=1)
            rows.append(words_of[distances.argmin()])
    return tuple(part[rows] for part in stepped), read
