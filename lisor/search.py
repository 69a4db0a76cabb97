"""The one automaton that stands in for a network best: refined, or chosen among several.

Shapes: M positions of words, C classes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from jaxtyping import Int

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.clustering.clustering import Clustering, cluster
from lisor.clustering.kmeans import count_distinct
from lisor.errors import DataError, DataWarning
from lisor.evaluation import choice
from lisor.extraction.extract import extract_grid
from lisor.extraction.extraction import Extraction
from lisor.extraction.limits import SearchLimits
from lisor.extraction.probes import Probes
from lisor.extraction.rules.refined import draw
from lisor.networks import hidden_states
from lisor.networks.external.adapter import MAX_STEPPED
from lisor.networks.hidden_states import Points
from lisor.networks.network import Network
from lisor.networks.trained import TrainedModel
from lisor.pipeline import Variants, call, read_block
from lisor.randomness import stream
from lisor.registry import LISOR_K, TARGETS
from lisor.sequences import Sequences
from lisor.targets.positions import Positions

T = TypeVar("T")

FIRST = 8
"""Clusters from which an automaton is refined: enough for most languages to be right at once."""

MAX_DENSE = 64
"""The number of clusters up to which all are tried; beyond, each number is a quarter larger."""

BY_PREDICTION = "sensitivity"
"""The method that compares hidden states by what matters to the prediction."""

SHOWN = 40
"""Characters of a word that a message shows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """An automaton, its fidelity on the sequences kept, and whether the search for it met no
    difference in the end, or ended at the limit of states."""

    automaton: Automaton
    fidelity: float
    complete: bool
    limited: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """The search for an automaton of at most `most_states` states.

    Hidden states that the sequences `fitted` leave are clustered, the network's predictions on
    those `kept` decide between automata; `probes` draw the words on which network and automaton are
    compared. Its stages are those of `lisor.pipeline`, as plain calls; what goes through them are
    the probes."""

    network: Network
    fitted: Sequences
    kept: Sequences
    probes: Probes
    most_states: int
    seed: int
    is_text: bool = False

    def automaton(self) -> Automaton:
        """The automaton that stands in for the network best: of text, that of its own steps."""
        return self._from_centers() if self.is_text else self._refined()

    def _refined(self) -> Automaton:
        """The minimal automaton after refinement; the best of several where no refinement ends.

        A refinement that does not end on words longer than those given is begun anew without them:
        the network may be wrong on those. A DataWarning then says how often both differ, and
        where."""
        self._check_room()
        (first,) = candidates = self._refine(self.probes)
        if first.complete:
            return first.automaton
        if self._given.longest < self.probes.longest:
            (second,) = self._refine(self._given)
            candidates = [first, second]
            if second.complete:
                longer = replace(self.probes, shortest=self._given.longest + 1)
                where = f"on sequences longer than the {self._given.longest} symbols of those given"
                self._warn(second.automaton, longer, where, "the network itself may be wrong there")
                return second.automaton
        if any(candidate.limited for candidate in candidates):
            advice = f"most_states={2 * self.most_states} allows more"
            where = f"the limit of {self.most_states} states was met"
        else:
            where, advice = "the search did not end", "check it on more sequences"
        # Near misses would decide for those that repeat the network's mistakes state by state.
        candidates += self._read_dynamics(LISOR_K)
        automaton = _most_faithful(candidates, choice.default_tolerance(self.network.classes))
        self._warn(automaton, self._given, where, advice)
        return automaton

    def _from_centers(self) -> Automaton:
        """The minimal form of the most faithful automaton with transitions from centers.

        States are compared by what matters to the prediction, where the network's gradients are
        known."""
        method = BY_PREDICTION if isinstance(self.network, TrainedModel) else LISOR_K
        return _most_faithful(self._read_dynamics(method), choice.TOLERANCE).minimized()

    @cached_property
    def _points(self) -> Points:
        return hidden_states.collect(self.network, self.fitted)

    @cached_property
    def _most_clusters(self) -> int:
        most = count_distinct(self._points.state, self.most_states - 1)
        if most < 2:
            raise DataError(
                "expected two distinct hidden states, got a single one: give more sequences"
            )
        return most

    @cached_property
    def _given(self) -> Probes:
        """Probes no longer than the words that they are like."""
        longest = int(self.probes.words.lengths.max(initial=0))
        return replace(self.probes, longest=min(self.probes.longest, longest))

    def _check_room(self) -> None:
        """Raises DataError where the steps from all states do not fit into memory."""
        network = self.network
        numbers = len(network.alphabet) * sum(network.sizes)
        if self.most_states * numbers > MAX_STEPPED:
            raise DataError(
                f"expected most_states up to {MAX_STEPPED // numbers:,}, for so many states of "
                f"{sum(network.sizes):,} numbers after each of {len(network.alphabet):,} symbols "
                f"fit into memory, got {self.most_states:,}; lower it or use a smaller alphabet"
            )

    @cached_property
    def _grid(self) -> tuple[int, ...]:
        """The numbers of clusters that are tried."""
        ks = list(range(2, min(self._most_clusters, MAX_DENSE) + 1))
        while ks[-1] >= MAX_DENSE and ks[-1] * 5 // 4 <= self._most_clusters:
            ks.append(ks[-1] * 5 // 4)
        return tuple(ks)

    @cached_property
    def _predictions(self) -> Int[np.ndarray, " M"]:
        """The classes that the network predicts for the sequences kept."""
        classes: Int[np.ndarray, " M"] = self.network.predict(self.kept).argmax(axis=1)
        return classes

    def _refine(self, probes: Probes) -> list[Candidate]:
        first = (min(FIRST, self._most_clusters),)
        return self._read(
            probes, Variants(method=LISOR_K, ks=first, rules=("refined",), starts=first)
        )

    def _read_dynamics(self, method: str) -> list[Candidate]:
        return self._read(self.probes, Variants(method=method, ks=self._grid, rules=("dynamics",)))

    def _read(self, probes: Probes, variants: Variants) -> list[Candidate]:
        """The candidates that the stages from clusters to evaluated automata make."""
        block = call(read_block(self, probes, variants))
        return [candidate for _, _, candidates in block.groups for candidate in candidates]

    async def gather(self, *work: Awaitable[T], finish: bool = False) -> list[T]:
        """What all of them come to, one after the other."""
        return [await one for one in work]

    async def cluster(self, probes: Probes, variants: Variants) -> list[Clustering]:
        """A clustering of the hidden states for each k."""
        return cluster(
            self._points,
            variants.ks,
            method=variants.method,
            network=self.network,
            seed=self.seed,
            threads=os.cpu_count() or 1,
        )

    async def extract(
        self, probes: Probes, clusterings: list[Clustering], variants: Variants
    ) -> list[Extraction]:
        """An automaton for each rule and k."""
        limits = SearchLimits(most_states=self.most_states, seed=self.seed)
        return list(
            extract_grid(
                self.network,
                self._points,
                clusterings,
                variants.rules,
                limits=limits,
                probes=probes,
            )
        )

    async def evaluate(
        self, probes: Probes, automata: list[Extraction], title: str
    ) -> list[Candidate]:
        """The automata with their fidelity; but for text, in their smallest form."""
        return [self._evaluate(extraction) for extraction in automata]

    def _evaluate(self, extraction: Extraction) -> Candidate:
        automaton, search = extraction.deterministic, extraction.search
        if search is None and not self.is_text:
            automaton = automaton.minimized(empty=None if self.network.reads_empty else False)
        return Candidate(
            automaton=automaton,
            fidelity=float((automaton.classify(self.kept) == self._predictions).mean()),
            complete=search is not None and search.complete,
            limited=search is not None and search.limited,
        )

    def _warn(self, automaton: Automaton, probes: Probes, where: str, advice: str) -> None:
        """Warn on how many unseen words of `probes`, or else of those given, network and automaton
        agree, if not on all."""
        drawn = draw(probes, automaton, stream(self.seed, "unseen"))
        unseen = _unseen(drawn, probes.words, self.network.reads_empty)
        for kind, words in (("unseen", unseen), ("given", probes.words)):
            positions = Positions.of(words, self.network.target)
            predictions = self.network.predict(words).argmax(axis=1)
            wrong = np.flatnonzero(automaton.classify(words) != predictions)
            if len(wrong):
                read = positions.read[wrong]
                shortest = words[positions.sequence[wrong[read.argmin()]]][: read.min()]
                share = np.floor(1000 * (1 - len(wrong) / positions.count)) / 1000
                warnings.warn(
                    f"{where}: network and automaton agree on {share:.3f} of {positions.count:,} "
                    f"{kind} {TARGETS[self.network.target].position}s, for example not on "
                    f"{_spelled(shortest, automaton.alphabet)}; {advice}",
                    DataWarning,
                    stacklevel=5,
                )
                return


def _most_faithful(candidates: Sequence[Candidate], tolerance: float) -> Automaton:
    """The smallest automaton that is as faithful as the best, but for `tolerance`."""
    # Rounding must not decide a tie.
    least = max(candidate.fidelity for candidate in candidates) - tolerance - 1e-9
    near = [candidate.automaton for candidate in candidates if candidate.fidelity >= least]
    return min(near, key=lambda automaton: automaton.n_states)


def _unseen(words: Sequences, seen: Sequences, reads_empty: bool) -> Sequences:
    """Each word once that is not among those seen, without the empty one if it is not read."""
    known, kept = set(seen.keys()) | (set() if reads_empty else {b""}), []
    for row, key in enumerate(words.keys()):
        if key not in known:
            known.add(key)
            kept.append(row)
    return words.select(np.array(kept, np.int64))


def _spelled(word: Int[np.ndarray, " T"], alphabet: Alphabet) -> str:
    if not len(word):
        return "the empty one"
    text = alphabet.join(alphabet[symbol] for symbol in word[: SHOWN + 1])
    return repr(text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…")
