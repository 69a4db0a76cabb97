"""What a rule sees of a network and of one clustering of its hidden states.

Shapes: K clusters, S symbols, C classes, Q automaton states (the start, then the clusters)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from lisor.automata.automaton import Automaton
from lisor.automata.weighted import WeightedAutomaton
from lisor.clustering.clustering import Clustering
from lisor.errors import AutomatonError
from lisor.extraction.dynamics import center_states, transitions_from_centers
from lisor.extraction.extraction import Extraction, SearchLog, make_automaton
from lisor.extraction.limits import SearchLimits
from lisor.extraction.probes import Probes
from lisor.extraction.transitions import START, TransitionCounts, Unseen, count_transitions
from lisor.networks.hidden_states import Points
from lisor.networks.network import Network, States
from lisor.sequences import Sequences


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
    def center_predictions(self) -> Float[np.ndarray, "Q C"]:
        """The class probabilities that the network reads out at these states."""
        return self.network.probabilities(self.states[0])

    @cached_property
    def outputs(self) -> Int[np.ndarray, " Q"]:
        """The class of each automaton state: what is read out at the initial state and the centers.

        What a network with attention predicts does not follow from a hidden state: there it is what
        the network predicts most often for prefixes of sequences that end in the state."""
        if self.network.attends:
            return self._predictions_of_members()
        outputs: Int[np.ndarray, " Q"] = self.center_predictions.argmax(axis=1)
        return outputs

    @cached_property
    def center_transitions(self) -> Int[np.ndarray, "Q S"]:
        """The state whose center is nearest to the network's own step from each state on each
        symbol."""
        return transitions_from_centers(self.network, self.states, self.clustering.metric)

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
    ) -> Automaton:
        """An automaton over the network's alphabet and classes."""
        return make_automaton(self.network, transitions, outputs, start)

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
        return Extraction(
            method=self.clustering.method,
            rule=rule,
            k=self.clustering.k,
            automaton=automaton,
            seen=seen,
            search=search,
        )

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
