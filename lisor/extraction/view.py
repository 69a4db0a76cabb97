"""What a rule sees of a network and of one clustering of its hidden states.

Shapes: P points, K clusters, S symbols, C classes or numbers, Q automaton states (the start, then
the clusters)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.automata.distributions import TOLERANCE, divergence
from lisor.automata.weighted import WeightedAutomaton
from lisor.clustering.clustering import Clustering
from lisor.errors import AutomatonError
from lisor.extraction.dynamics import StateComparison, center_states
from lisor.extraction.extraction import Extraction, SearchLog
from lisor.extraction.limits import SearchLimits
from lisor.extraction.probes import Probes
from lisor.extraction.transitions import (
    START,
    TransitionCounts,
    Unseen,
    count_transitions,
    means_after,
)
from lisor.networks.hidden_states import Points
from lisor.networks.network import Network, States
from lisor.registry import TARGETS
from lisor.sequences import Sequences

MAX_NUMBERS = 1 << 24
"""Class probabilities that are held at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A network, the hidden states that it left, and one clustering of them.

    `unseen` says where transitions lead that were never seen. Rules that search draw the words on
    which automaton and network are compared from `probes`, and keep to the `limits`. What several
    rules ask for is computed once, when it is first asked for."""

    network: Network
    points: Points
    clustering: Clustering
    unseen: Unseen = "reject"
    probes: Probes | None = None
    limits: SearchLimits = field(default_factory=SearchLimits)

    @cached_property
    def counts(self) -> TransitionCounts:
        """How often each transition between clusters occurred."""
        labels, k = self.clustering.labels, self.clustering.k
        return count_transitions(self.points, labels, k=k, symbols=len(self.network.alphabet))

    @cached_property
    def states(self) -> States:
        """The network's states for which automaton states stand."""
        return center_states(self.network, self.points, self.clustering)

    @cached_property
    def comparison(self) -> StateComparison:
        """How states are compared with the centers."""
        return StateComparison.of(self.network, self.points, self.clustering, self.states)

    @cached_property
    def center_predictions(self) -> Float[np.ndarray, "Q C"]:
        """The class probabilities, or numbers, that the network reads out at these states."""
        return self.network.probabilities(self.states[0])

    @cached_property
    def outputs(self) -> Int[np.ndarray, " Q"]:
        """The class of each automaton state: what is read out at the initial state and the centers.

        Where attention feeds back it is what the network predicts most often for prefixes of
        sequences that end in the state. Where numbers are predicted there is none, and it is 0."""
        if TARGETS[self.network.target].is_numeric:
            return np.zeros(self.clustering.k + 1, np.int64)
        if self.network.attends:
            return self._predictions_of_members()
        outputs: Int[np.ndarray, " Q"] = self.probabilities.argmax(axis=1)
        return outputs

    @cached_property
    def probabilities(self) -> Float[np.ndarray, "Q C"]:
        """The class probabilities of each automaton state: its distribution, or else what is read
        out at the center."""
        return self.center_predictions if self.distributions is None else self.distributions

    @cached_property
    def distributions(self) -> Float[np.ndarray, "Q C"] | None:
        """The class probabilities of each automaton state, where the network's target is a
        distribution: those at the initial state, and the mean of those of a cluster's members."""
        if not TARGETS[self.network.target].is_distribution:
            return None
        return _shares(
            self.sums_of(self.clustering.labels.astype(np.int64) + 1, self.clustering.k + 1, 1),
            self.center_predictions,
        )

    def sums_of(
        self, states: Int[np.ndarray, " P"], count: int, begun: int, start: int = START
    ) -> Float[np.ndarray, "Q C"]:
        """The sums of the class probabilities that the network reads out after the symbol of each
        point, for each of `count` states; the initial state counts `begun` times for the
        `start`."""
        from scipy.sparse import csr_array

        rows = max(1, MAX_NUMBERS // len(self.network.classes))
        sums = np.zeros((count, len(self.network.classes)))
        for first in range(0, len(states), rows):
            part = states[first : first + rows]
            members = csr_array(
                (np.ones(len(part)), (part, np.arange(len(part)))), shape=(count, len(part))
            )
            sums += members @ self.network.probabilities(self.points.state[first : first + rows])
        sums[start] += begun * self.center_predictions[START].astype(np.float64)
        return sums

    @cached_property
    def values(self) -> Float[np.ndarray, "Q S C"] | None:
        """The numbers of each transition, where the network predicts numbers: the mean of what it
        reads out after each of its occurrences, and of one that was never seen, what it reads out
        after its own step from the center."""
        if not TARGETS[self.network.target].is_numeric:
            return None
        labels, step = self.clustering.labels, self.points.step
        source = np.where(step == 1, START, np.roll(labels, 1) + 1)
        shape = (self.clustering.k + 1, len(self.network.alphabet))
        means, counts = means_after(self.read_out, source, self.points.symbol, shape)
        for state, unseen in enumerate(counts[..., 0] == 0):
            if unseen.any():
                before = tuple(part[state : state + 1] for part in self.states)
                (after,) = self.network.successors(before)
                hidden = after[unseen, : self.network.sizes[0]]
                means[state, unseen] = self.network.probabilities(hidden)
        return means

    @cached_property
    def center_transitions(self) -> Int[np.ndarray, "Q S"]:
        """The state whose center is nearest to the network's own step from each state on each
        symbol."""
        return self.comparison.targets(self.comparison.steps(self.network, self.states))

    @property
    def names_classes(self) -> bool:
        """Whether the network names classes."""
        return bool(TARGETS[self.network.target].names_classes)

    def words(self) -> Probes:
        """What draws the words on which automaton and network are compared.

        Raises:
            AutomatonError: there is nothing to draw them from."""
        if self.probes is None:
            raise AutomatonError("expected probes for a rule that searches, got none; give them")
        return self.probes

    def automaton(
        self,
        transitions: Int[np.ndarray, "Q S"],
        outputs: Int[np.ndarray, " Q"],
        start: int = START,
        probabilities: Float[np.ndarray, "Q C"] | None = None,
        *,
        values: Float[np.ndarray, "Q S C"] | None = None,
        alphabet: Alphabet | None = None,
    ) -> Automaton:
        """An automaton over the network's alphabet and classes; the `probabilities` of its states
        are the `distributions`, where there are any, unless given, and the numbers of its
        transitions the `values`; both are then fitted to where it goes itself. Over another
        alphabet they must be given."""
        if probabilities is None:
            probabilities = self.distributions
        automaton = Automaton(
            alphabet=alphabet or self.network.alphabet,
            classes=self.network.classes,
            transitions=transitions,
            outputs=outputs,
            start=start,
            target=self.network.target,
            probabilities=probabilities,
            values=self.values if values is None else values,
        )
        if self.distributions is not None:
            return self._with_mean_distributions(automaton)
        return automaton if self.values is None else self._with_mean_values(automaton)

    def _with_mean_distributions(self, automaton: Automaton) -> Automaton:
        """The automaton with those distributions at its states from which the network's diverge
        least where it goes itself, which a deterministic automaton does not always do as clusters
        do: their mean, where it goes at all."""
        _, after = self.states_on_points(automaton)
        sums = self.sums_of(after, automaton.n_states, self.begun, automaton.start)
        shares = _shares(sums, automaton.distributions)
        return replace(automaton, probabilities=shares, outputs=shares.argmax(axis=1))

    def _with_mean_values(self, automaton: Automaton) -> Automaton:
        """The automaton with those numbers on its transitions that are nearest to the network's
        where it goes itself: their mean, where it goes at all."""
        words = automaton.alphabet.reread(self._words)
        source, _ = self.states_on_points(automaton)
        shape = automaton.transitions.shape
        means, counts = means_after(self.read_out, source, words.symbols, shape)
        given = np.zeros_like(means) if automaton.values is None else automaton.values
        return replace(automaton, values=np.where(counts > 0, means, given))

    @property
    def begun(self) -> int:
        """How many sequences left the hidden states."""
        return int((self.points.step == 1).sum())

    @cached_property
    def _words(self) -> Sequences:
        """The sequences that left the hidden states, in the order of the points."""
        return self.points.in_order()

    def states_on_points(
        self, automaton: Automaton
    ) -> tuple[Int[np.ndarray, " P"], Int[np.ndarray, " P"]]:
        """The state of an automaton before and after the symbol of each point, as it goes
        itself."""
        after = automaton.trace(self._words)
        return automaton.states_before(self._words, after), after

    @cached_property
    def read_out(self) -> Float[np.ndarray, "P C"]:
        """The class probabilities, or numbers, that the network reads out after each symbol."""
        return np.asarray(self.network.probabilities(self.points.state), np.float64)

    def extraction(
        self,
        rule: str,
        automaton: Automaton | WeightedAutomaton,
        *,
        seen: Bool[np.ndarray, "Q S"] | None = None,
        search: SearchLog | None = None,
    ) -> Extraction:
        """What a rule of that name has read off; all transitions count as seen unless `seen` says
        which were."""
        if seen is None:
            seen = np.ones((automaton.n_states, len(automaton.alphabet)), bool)
        if self.distributions is not None and isinstance(automaton, Automaton):
            automaton, seen = self._join_start(automaton, seen)
        return Extraction(
            method=self.clustering.method,
            rule=rule,
            k=self.clustering.k,
            automaton=automaton,
            seen=seen,
            search=search,
        )

    def _join_start(
        self, automaton: Automaton, seen: Bool[np.ndarray, "Q S"]
    ) -> tuple[Automaton, Bool[np.ndarray, "Q S"]]:
        """The automaton, and which of its transitions were seen, without its start where a cluster
        does as well: the network's distributions diverge from its own by `TOLERANCE` more at most.

        What is lost at the beginning of sequences is their divergence there, and at most a nat for
        each symbol that leads elsewhere."""
        shares = automaton.distributions
        share = self.begun / (self.begun + len(self.points.step))
        elsewhere = automaton.transitions[1:] != automaton.transitions[START]
        losses = divergence(shares[START], shares[1:]) + elsewhere @ shares[START, :-1]
        losses *= share
        nearest = int(losses.argmin())
        if losses[nearest] > TOLERANCE:
            return automaton, seen
        moved = np.where(automaton.transitions == START, nearest, automaton.transitions - 1)[1:]
        return self.automaton(
            moved, automaton.outputs[1:], start=nearest, probabilities=shares[1:]
        ), seen[1:]

    def _predictions_of_members(self) -> Int[np.ndarray, " Q"]:
        """What a network predicts for the empty sequence, then most often in each cluster; a tie
        goes to the lower class."""
        empty = Sequences(symbols=np.empty(0, np.int32), offsets=np.zeros(2, np.int64))
        votes = np.zeros((self.clustering.k, len(self.network.classes)), np.int64)
        if self.points.prediction is not None:
            np.add.at(votes, (self.clustering.labels, self.points.prediction), 1)
        first = self.network.predict(empty).argmax(axis=1)
        # Without a prediction before the first symbol the output of the start never counts.
        return np.concatenate([first if len(first) else [0], votes.argmax(axis=1)])


def _shares(
    sums: Float[np.ndarray, "Q C"], otherwise: Float[np.ndarray, "Q C"]
) -> Float[np.ndarray, "Q C"]:
    """Sums of distributions made to distributions, and in place of nothing another."""
    whole = np.where(sums.any(axis=1, keepdims=True), sums, otherwise.astype(np.float64))
    return np.asarray(whole / whole.sum(axis=1, keepdims=True))
