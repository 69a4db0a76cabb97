"""The one automaton that stands in for a network best: refined, or chosen among several.

Shapes: N words, C classes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Int

from lisor.data.sequences import Sequences
from lisor.errors import DataError, DataWarning
from lisor.fsa import clustering, evaluation, extraction
from lisor.fsa.automaton import Automaton
from lisor.fsa.probes import Probes
from lisor.fsa.refinement import Refinement, draw, forget_empty, refine
from lisor.fsa.sensitivity import sensitivity
from lisor.randomness import stream
from lisor.rnn import hidden_states
from lisor.rnn.adapters import MAX_STEPPED
from lisor.rnn.classifier import TrainedModel
from lisor.rnn.hidden_states import Points
from lisor.rnn.network import Network

FIRST = 8
"""Clusters from which an automaton is refined: enough for most languages to be right at once."""

EVERY = 64
"""The number of clusters up to which all are tried; beyond, each number is a quarter larger."""

SHOWN = 40
"""Characters of a word that a message shows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """The search for an automaton of at most `most_states` states.

    Hidden states that the sequences `fitted` leave are clustered, the network's answers to those
    `kept` decide between automata; `probes` draw the words on which network and automaton are compared."""

    network: Network
    fitted: Sequences
    kept: Sequences
    probes: Probes
    most_states: int
    seed: int

    def refined(self) -> Automaton:
        """The minimal automaton after refinement; the best of several where no refinement ends.

        A refinement that does not end on words longer than those given is begun anew without them:
        the network may be wrong on those. A DataWarning then says how often both differ, and where."""
        self._check_room()
        first = self._refine(self.probes)
        if first.complete:
            return first.extraction.automaton
        tried = [first]
        if self._given.longest < self.probes.longest:
            tried.append(self._refine(self._given))
            if tried[-1].complete:
                automaton = tried[-1].extraction.automaton
                longer = replace(self.probes, shortest=self._given.longest + 1)
                where = f"on sequences longer than the {self._given.longest} symbols of those given"
                self._warn(automaton, longer, where, "the network itself may be wrong there")
                return automaton
        machines = [one.extraction.automaton for one in tried]
        machines += [self._smallest(machine) for machine in self._followed(clustered_by="kmeans")]
        # Near misses would decide for those that repeat the network's mistakes state by state.
        automaton = self._most_faithful(machines, evaluation.default_tolerance(self.network.classes))
        if any(one.limited for one in tried):
            advice = f"most_states={2 * self.most_states} allows more"
            where = f"the limit of {self.most_states} states was met"
        else:
            where, advice = "the search did not end", "check it on more sequences"
        self._warn(automaton, self._given, where, advice)
        return automaton

    def followed(self) -> Automaton:
        """The minimal form of the most faithful of those that follow the network between clusters.

        States are compared by what matters to the answer, where the network tells that."""
        method = "sensitivity" if isinstance(self.network, TrainedModel) else "kmeans"
        machines = self._followed(clustered_by=method)
        return self._most_faithful(machines, evaluation.TOLERANCE).minimized()

    @cached_property
    def _points(self) -> Points:
        return hidden_states.collect(self.network, self.fitted)

    @cached_property
    def _most_clusters(self) -> int:
        most = clustering.count_distinct(self._points.state, self.most_states - 1)
        if most < 2:
            raise DataError("the network leaves a single hidden state: there is nothing to tell apart")
        return most

    @cached_property
    def _given(self) -> Probes:
        """Probes no longer than the words that they are like."""
        longest = int(self.probes.words.lengths.max(initial=0))
        return replace(self.probes, longest=min(self.probes.longest, longest))

    def _check_room(self) -> None:
        """Raises DataError where the steps from all states do not fit into memory."""
        network = self.network
        numbers = len(network.vocabulary) * network.state_size * len(network.parts)
        if self.most_states * numbers > MAX_STEPPED:
            raise DataError(
                f"expected most_states up to {MAX_STEPPED // numbers:,}, for so many states of "
                f"{network.state_size:,} numbers after each of {len(network.vocabulary):,} symbols "
                f"fit into memory, got {self.most_states:,}; lower it or use a smaller alphabet"
            )

    def _refine(self, probes: Probes) -> Refinement:
        ks = [min(FIRST, self._most_clusters)]
        (block,) = clustering.cluster(self._points.state, ks, method="kmeans", seed=self.seed)
        return refine(
            self.network,
            self._points,
            block,
            probes,
            most_states=self.most_states,
            seed=self.seed,
        )

    def _followed(self, clustered_by: str) -> list[Automaton]:
        """The automaton by the rule "dynamics" for each of some numbers of clusters."""
        network, points, metric = self.network, self._points, None
        ks = list(range(2, min(self._most_clusters, EVERY) + 1))
        while ks[-1] >= EVERY and ks[-1] * 5 // 4 <= self._most_clusters:
            ks.append(ks[-1] * 5 // 4)
        if clustered_by == "sensitivity" and isinstance(network, TrainedModel):
            metric = sensitivity(network, self.fitted, points.state, points.cell_state)
        threads = os.cpu_count() or 1
        blocks = clustering.cluster(
            points.state, ks, method=clustered_by, seed=self.seed, threads=threads, metric=metric
        )
        found = (extraction.extract(network, points, block, rule="dynamics") for block in blocks)
        return [one.automaton for one in found]

    def _smallest(self, machine: Automaton) -> Automaton:
        return machine.minimized() if self.network.reads_empty else forget_empty(machine)

    def _most_faithful(self, machines: Sequence[Automaton], tolerance: float) -> Automaton:
        """The smallest automaton that is as faithful on the sequences kept as the best, but for `tolerance`."""
        answers = self.network.predict(self.kept).argmax(axis=1)
        shares = [float((machine.classify(self.kept) == answers).mean()) for machine in machines]
        least = max(shares) - tolerance - 1e-9  # rounding must not decide a tie
        near = [machine for machine, share in zip(machines, shares, strict=True) if share >= least]
        return min(near, key=lambda machine: machine.n_states)

    def _warn(self, machine: Automaton, probes: Probes, where: str, advice: str) -> None:
        """Say on how many unseen words of `probes` network and automaton agree, if not on all; or
        of those given."""
        drawn = draw(probes, machine, stream(self.seed, "unseen"))
        unseen = _unseen(drawn, probes.words, self.network.reads_empty)
        for kind, words in (("unseen", unseen), ("given", probes.words)):
            differs = machine.classify(words) != self.network.predict(words).argmax(axis=1)
            wrong = np.flatnonzero(differs)
            if len(wrong):
                shortest = words[int(wrong[words.lengths[wrong].argmin()])]
                share = np.floor(1000 * (1 - len(wrong) / len(words))) / 1000
                warnings.warn(
                    f"{where}: network and automaton agree on {share:.3f} of {len(words):,} {kind} "
                    f"sequences, for example not on {_spelled(shortest, machine.alphabet)}; "
                    f"{advice}",
                    DataWarning,
                    stacklevel=4,
                )
                return


def _unseen(words: Sequences, seen: Sequences, reads_empty: bool) -> Sequences:
    """Each word once that is not among those seen, without the empty one if it is not read."""
    known, kept = set(seen.keys()) | (set() if reads_empty else {b""}), []
    for row, key in enumerate(words.keys()):
        if key not in known:
            known.add(key)
            kept.append(row)
    return words.select(np.array(kept, np.int64))


def _spelled(word: Int[np.ndarray, " T"], alphabet: tuple[str, ...]) -> str:
    if not len(word):
        return "the empty one"
    apart = " " if any(len(symbol) != 1 for symbol in alphabet) else ""
    text = apart.join(alphabet[symbol] for symbol in word[: SHOWN + 1])
    return repr(text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…")
