"""The one automaton that stands in for a network best: refined, or chosen among several.

Shapes: M positions of words, C classes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import TypeVar, cast

import numpy as np
from jaxtyping import Float, Int

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.automata.distributions import Distributions
from lisor.clustering.clustering import Clustering, cluster
from lisor.clustering.kmeans import count_distinct
from lisor.errors import DataError, DataWarning, ModelError
from lisor.evaluation import choice
from lisor.evaluation.numbers import r2
from lisor.extraction.extract import extract_grid
from lisor.extraction.extraction import Extraction, SearchLog
from lisor.extraction.limits import SearchLimits, Stopped, Watch
from lisor.extraction.probes import Probes
from lisor.extraction.rules.queried import learn
from lisor.extraction.rules.refined import draw
from lisor.extraction.transitions import default_unseen
from lisor.networks import hidden_states
from lisor.networks.external.adapter import MAX_STEPPED
from lisor.networks.external.queried import QueriedNetwork
from lisor.networks.hidden_states import Points
from lisor.networks.network import Network, Predictor
from lisor.networks.trained import TrainedModel
from lisor.pipeline import Variants, call, read_block
from lisor.randomness import stream
from lisor.registry import LISOR_K, PAPER_RULE, TARGETS, rules_of
from lisor.sequences import Sequences
from lisor.settings.clustering import halves
from lisor.targets.positions import Positions

T = TypeVar("T")

FIRST = 8
"""Clusters from which an automaton is refined: enough for most languages to be right at once."""

MAX_DENSE = 64
"""The number of clusters up to which all are tried; beyond, each number is a quarter larger."""

BY_PREDICTION = "sensitivity"
"""The method that compares hidden states by what matters to the prediction."""

BY_PROBES = "predictive"
"""The method that compares them by what is predicted after some more symbols."""

BY_DISTRIBUTION = "decision-aware"
"""The method that compares them by the distributions there, too."""

BY_NUMBERS = ("dynamics", "closed-loop", "intervals")
"""The rules for networks that predict numbers, the last one for those that read numbers."""

OVER = ("the search was cut short by the time limit", "a longer time_limit allows more")
"""What is said of a search that had to end early, and the advice."""

LONGER = 300
"""Sequences longer than all that a function was learned from, on which its automaton is tested."""

DEEPER = ("the automaton is learned from shorter sequences", "give some of these lengths")
"""What is said of a function on sequences longer than those, and the advice."""

SHOWN = 40
"""Characters of a word that a message shows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """An automaton, its merit on the sequences kept (−∞ where there was no time to see it), and
    whether the search for it met no difference on `probes` in the end, or ended at the limit of
    states."""

    automaton: Automaton
    merit: float
    probes: Probes
    complete: bool
    limited: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """The search for an automaton of at most `most_states` states.

    Hidden states that the sequences `fitted` leave are clustered, the network's predictions on
    those `kept` decide between automata; `probes` draw the words on which network and automaton are
    compared. Its stages are those of `lisor.pipeline`, as plain calls; what goes through them are
    the probes."""

    network: Predictor
    fitted: Sequences
    kept: Sequences
    probes: Probes
    most_states: int
    seed: int
    is_text: bool = False
    watch: Watch | None = None

    def automaton(self) -> Automaton:
        """The automaton that stands in for the network best: of text, that of its own steps, and of
        what predicts distributions or numbers, the one whose own are nearest."""
        if not TARGETS[self.network.target].names_classes:
            return self._nearest()
        has_states = not isinstance(self.network, QueriedNetwork)
        return self._from_centers() if self.is_text and has_states else self._searched(has_states)

    def _searched(self, has_states: bool) -> Automaton:
        """The minimal automaton after refinement, or else that learned by queries, for which hidden
        states do not count; the best of several where neither search ends.

        A search that does not end on words longer than those given is begun anew without them: the
        network may be wrong on those. A DataWarning then says how often both differ, and where."""
        if has_states:
            self._check_room()
        tries = [self.probes]
        if self._given.longest < self.probes.longest:
            tries.append(self._given)
        candidates: list[Candidate] = []
        for probes in tries:
            candidates.append(
                self._refine(probes) if has_states else self._learn(probes, self.most_states)
            )
            if candidates[-1].complete or self._is_over:
                break
        best = candidates[-1]
        if not best.complete:
            # Near misses would decide for those that repeat the network's mistakes state by state.
            candidates += self._read_dynamics(LISOR_K) if has_states and not self._is_over else []
            best = _best(candidates, self._tolerance)
        if has_states and not self._is_over:
            best = self._smaller(best, best.probes if best.complete else self._given)
        limit = f"the limit of {self.most_states} states was met"
        more = f"most_states={2 * self.most_states} allows more"
        if not best.complete:
            if self._is_over:
                where, advice = OVER
            elif any(candidate.limited for candidate in candidates):
                where, advice = limit, more
            else:
                where, advice = "the search did not end", "check it on more sequences"
            self._warn(best.automaton, self._given, where, advice)
        elif best.probes.longest < self.probes.longest:
            longer = replace(self.probes, shortest=self._given.longest + 1)
            where = f"on sequences longer than the {self._given.longest} symbols of those given"
            self._warn(best.automaton, longer, where, "the network itself may be wrong there")
        elif not has_states:
            self._warn_of_longer(best, *((limit, more) if best.limited else DEEPER))
        return best.automaton

    def _from_centers(self) -> Automaton:
        """The minimal form of the most faithful automaton with transitions from centers.

        States are compared by what matters to the prediction, where the network's gradients are
        known, and, at fewer sizes since it takes longer, by what is predicted after probes."""
        method = BY_PREDICTION if isinstance(self.network, TrainedModel) else LISOR_K
        candidates = self._read_dynamics(method)
        if not self._is_over:
            ks = halves(2, self._most_clusters)
            by_probes = Variants(method=BY_PROBES, ks=ks, rules=("dynamics",))
            candidates += self._read(self.probes, by_probes)
        best = _best(candidates, choice.TOLERANCE).automaton
        if self._is_over:
            self._warn(best, self._given, *OVER)
        return best.minimized()

    def _nearest(self) -> Automaton:
        """The smallest automaton that the network's distributions diverge from least, or whose
        numbers say most of the network's, but for the tolerance; its transitions come from centers,
        from sequences, or where it goes itself, and of numbers from where its own steps change."""
        if self._is_numeric:
            fitting = rules_of(self.network.target, reads_numbers=self._points.numbers is not None)
            rules = tuple(rule for rule in BY_NUMBERS if rule in fitting)
            variants = Variants(method=LISOR_K, ks=self._grid, rules=rules)
        else:
            variants = Variants(
                method=BY_DISTRIBUTION, ks=self._grid, rules=("dynamics", PAPER_RULE)
            )
        best = _best(self._read(self.probes, variants), self._tolerance).automaton
        if self._is_over:
            self._warn_of_distance(best)
        return best

    @property
    def _is_numeric(self) -> bool:
        return bool(TARGETS[self.network.target].is_numeric)

    @property
    def _is_distribution(self) -> bool:
        return bool(TARGETS[self.network.target].is_distribution)

    @property
    def _tolerance(self) -> float:
        """How much merit a smaller automaton may cost."""
        return choice.default_tolerance(self.network.classes, self.network.target)

    @property
    def _is_over(self) -> bool:
        """Whether the search has to end early."""
        return self.watch is not None and self.watch.is_over()

    @property
    def _recurrent(self) -> Network:
        """The network as one with states, which all but one that is queried have."""
        return cast(Network, self.network)

    @cached_property
    def _points(self) -> Points:
        return hidden_states.collect(self._recurrent, self.fitted)

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
        network = self._recurrent
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
    def _predictions(self) -> Distributions:
        """What the network predicts for the sequences kept."""
        return Distributions.rows(self.network.predict(self.kept))

    def _refine(self, probes: Probes) -> Candidate:
        first = (min(FIRST, self._most_clusters),)
        (refined,) = self._read(
            probes, Variants(method=LISOR_K, ks=first, rules=("refined",), starts=first)
        )
        return refined

    def _learn(self, probes: Probes, most_states: int) -> Candidate:
        """What is learned by queries, for which hidden states do not count."""
        limits = SearchLimits(most_states=most_states, seed=self.seed, watch=self.watch)
        return self._candidate(probes, *learn(self.network, probes, limits))

    def _smaller(self, best: Candidate, probes: Probes) -> Candidate:
        """What is learned by queries in place of the best automaton so far, if that has grown and
        this one is smaller, or if that differs often from the network and this one never does.

        A larger one would repeat the few mistakes of a network state by state. Where the two
        differ, the network decides."""
        states, is_close = best.automaton.n_states, best.merit >= 1 - choice.TOLERANCE
        if is_close and states <= FIRST + 1:
            return best
        learned = self._learn(probes, states - 1 if is_close else self.most_states)
        if not learned.complete:
            return best
        word = best.automaton.distinguishing_word(learned.automaton) or ()
        words = probes.with_numbers(best.automaton.alphabet.encode([word]))
        predicted = self.network.predict(words).argmax(axis=1)
        return learned if (learned.automaton.classify(words) == predicted).all() else best

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
        """A clustering of the hidden states for each k that the method can make."""
        with warnings.catch_warnings():
            # That a method distinguishes fewer is no news where several are tried.
            warnings.simplefilter("ignore", DataWarning)
            return cluster(
                self._points,
                variants.ks,
                method=variants.method,
                network=self._recurrent,
                seed=self.seed,
                threads=os.cpu_count() or 1,
            )

    async def extract(
        self, probes: Probes, clusterings: list[Clustering], variants: Variants
    ) -> list[Extraction]:
        """An automaton for each rule and k."""
        limits = SearchLimits(most_states=self.most_states, seed=self.seed, watch=self.watch)
        extractions = []
        for extraction in extract_grid(
            self._recurrent,
            self._points,
            clusterings,
            variants.rules,
            limits=limits,
            unseen=default_unseen(self.network.classes),
            probes=probes,
        ):
            extractions.append(extraction)
            if extraction.search is None:
                limits.report(f"{extraction.rule}: {extraction.k} clusters")
            if self._is_over:
                break
        return extractions

    async def evaluate(
        self, probes: Probes, automata: list[Extraction], title: str
    ) -> list[Candidate]:
        """The automata with their fidelity; but for text, in their smallest form."""
        return [self._evaluate(probes, extraction) for extraction in automata]

    def _evaluate(self, probes: Probes, extraction: Extraction) -> Candidate:
        automaton, search = extraction.deterministic, extraction.search
        if search is None and not self.is_text:
            automaton = automaton.minimized(empty=None if self.network.reads_empty else False)
        return self._candidate(probes, automaton, search)

    def _candidate(
        self, probes: Probes, automaton: Automaton, search: SearchLog | None
    ) -> Candidate:
        return Candidate(
            automaton=automaton,
            merit=-np.inf if search is not None and self._is_over else self._merit(automaton),
            probes=probes,
            complete=search is not None and search.complete,
            limited=search is not None and search.limited,
        )

    def _merit(self, automaton: Automaton) -> float:
        """What the automaton is chosen by on the sequences kept: its fidelity, or of distributions
        how little the network's diverge from its own."""
        if self._is_distribution:
            distributions = Distributions.of(automaton, self.kept)
            return -float(self._predictions.divergence(distributions).mean())
        if self._is_numeric:
            return r2(self.network.predict(self.kept), _numbers(automaton, self.kept))
        return float((automaton.classify(self.kept) == self._predictions.most_likely()).mean())

    def _warn(self, automaton: Automaton, probes: Probes, where: str, advice: str) -> None:
        """Warn on how many unseen words of `probes`, or else of those given, network and automaton
        agree, if not on all, or if the search had to end early."""
        most = 0
        for kind, words in self._tests(automaton, probes):
            most = max(most, int(words.lengths.max(initial=0)))
            predictions = self.network.predict(words).argmax(axis=1)
            if text := self._disagreement(automaton, kind, words, predictions):
                warnings.warn(f"{where}: {text}; {advice}", DataWarning, stacklevel=5)
                return
        if self._is_over or isinstance(self.network, QueriedNetwork):
            warnings.warn(
                f"{where}: network and automaton agree on all sequences tried so far, of up to "
                f"{most:,} symbols; {advice}",
                DataWarning,
                stacklevel=5,
            )

    def _warn_of_distance(self, automaton: Automaton) -> None:
        """Warn how far the distributions or numbers are apart where the search had to end
        early."""
        where, advice = OVER
        for kind, words in islice(self._tests(automaton, self._given), 1):
            if self._is_numeric:
                share = r2(self.network.predict(words), _numbers(automaton, words))
                warnings.warn(
                    f"{where}: R² of the network's numbers by the automaton's is {share:.3f} on "
                    f"{len(words):,} {kind} sequences; {advice}",
                    DataWarning,
                    stacklevel=5,
                )
                continue
            predicted = Distributions.rows(self.network.predict(words))
            apart = float(predicted.total_variation(Distributions.of(automaton, words)).mean())
            warnings.warn(
                f"{where}: the distributions of network and automaton are {apart:.3f} apart in "
                f"total variation, the mean over {len(words):,} {kind} sequences; {advice}",
                DataWarning,
                stacklevel=5,
            )

    def _warn_of_longer(self, best: Candidate, where: str, advice: str) -> None:
        """Warn where a function and its automaton differ on sequences longer than those that both
        were compared on, or if the automaton lacks a state; where all of those have one length, no
        others are meant."""
        probes, network = self.probes, cast(QueriedNetwork, self.network)
        if probes.shortest == probes.longest and not best.limited:
            return
        longest = 2 * int(network.queries().lengths.max()) + 10
        longer = replace(probes, shortest=probes.longest + 1, longest=longest)
        words = longer.continued(best.automaton, LONGER, stream(self.seed, "longer"))
        try:
            predictions = SearchLimits(watch=self.watch).predict(network, words)
            text = self._disagreement(best.automaton, "such", words, predictions)
        except Stopped:
            return
        except ModelError as error:
            text = str(error)
        if not text and best.limited:
            text = f"network and automaton agree on all {len(words):,}"
        if text:
            warnings.warn(
                f"{where}: tested on sequences of {longer.shortest:,} to {longest:,} symbols, "
                f"{text}; {advice}",
                DataWarning,
                stacklevel=5,
            )

    def _tests(self, automaton: Automaton, probes: Probes) -> Iterator[tuple[str, Sequences]]:
        """Words on which an automaton is judged: where there is no time, as many as are predicted
        at once, or those that a function was asked for."""
        if self._is_over and isinstance(self.network, QueriedNetwork):
            yield "queried", self.network.queries()
            return
        drawn = draw(probes, automaton, stream(self.seed, "unseen"))
        unseen = _unseen(drawn, probes.words, self.network.reads_empty)
        for kind, words in (("unseen", unseen), ("given", probes.words)):
            most = min(len(words), self.network.at_once) if self._is_over else len(words)
            yield kind, words.select(np.arange(most))

    def _disagreement(
        self, automaton: Automaton, kind: str, words: Sequences, predictions: Int[np.ndarray, " M"]
    ) -> str:
        """On how many words network and automaton agree and a shortest one on which they do not;
        nothing where they agree on all."""
        positions = Positions.of(words, self.network.target)
        wrong = np.flatnonzero(automaton.classify(words) != predictions)
        if not len(wrong):
            return ""
        read = positions.read[wrong]
        shortest = words[positions.sequence[wrong[read.argmin()]]][: read.min()]
        share = np.floor(1000 * (1 - len(wrong) / positions.count)) / 1000
        return (
            f"network and automaton agree on {share:.3f} of {positions.count:,} {kind} "
            f"{TARGETS[self.network.target].position}s, for example not on "
            f"{_spelled(shortest, automaton.alphabet)}"
        )


def _best(candidates: Sequence[Candidate], tolerance: float) -> Candidate:
    """The one with the smallest automaton whose merit is the highest, but for `tolerance`."""
    # Rounding must not decide a tie.
    least = max(candidate.merit for candidate in candidates) - tolerance - 1e-9
    near = [candidate for candidate in candidates if candidate.merit >= least]
    return min(near, key=lambda candidate: candidate.automaton.n_states)


def _numbers(automaton: Automaton, words: Sequences) -> Float[np.ndarray, "M C"]:
    return automaton.numbers_at(words, automaton.trace(words))


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
