"""k-means on what the network predicts after each of some continuations.

Shapes: P points, H hidden units, N states, D numbers of a state, C classes or numbers, A columns of
predictions, F features: A for each of the probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lisor.clustering.features.decision_aware import as_columns, deviations_of
from lisor.clustering.method import Features, Method
from lisor.randomness import stream
from lisor.registry import TARGETS

if TYPE_CHECKING:
    from jaxtyping import Float

    from lisor.clustering.method import FeatureMap
    from lisor.networks.hidden_states import HiddenStates, Points
    from lisor.networks.network import Network
    from lisor.sequences import Sequences

PROBES, LONGEST = 32, 8
"""Continuations that are read, the empty one first, and the symbols of the longest."""

MAX_FEATURES = 256
"""There are fewer probes where what the network predicts after each has many columns."""

MAX_DRAWS = 100
"""Windows that are drawn to meet as many different ones."""


class Predictive(Method):
    """Sees states as what the network predicts after each of some probes is read from them: the
    empty one, and random windows of the sequences that left the states.

    States that predict the same of all that may follow are one, whatever their numbers: the
    predictive state representation of Littman, Sutton & Singh (2001), "Predictive representations
    of state", whose tests the probes are. An automaton's state stands for the member of its cluster
    whose predictions are nearest to their mean: a mean of states is none that the network has, and
    predicts something else."""

    needs_network = True

    def features(self, states: HiddenStates | Points, network: Network | None) -> Features:
        """The predictions at each state, with medoids."""
        parts = [part for part in (states.matrix(), states.cell_states()) if part is not None]
        seen = _map(self.required(network), parts[0], states.in_order())
        return Features(points=seen(np.concatenate(parts, axis=1)), medoids=True)

    def feature_map(
        self, points: Points, network: Network, metric: Float[np.ndarray, "D F"] | None
    ) -> FeatureMap:
        """The predictions after the same probes."""
        return _map(network, points.state, points.in_order())


def _map(network: Network, hidden: Float[np.ndarray, "P H"], sequences: Sequences) -> FeatureMap:
    """What the network predicts after probes from these sequences; numbers are in deviations of
    those at the hidden states."""
    deviations = None
    if TARGETS[network.target].is_numeric:
        deviations = deviations_of(network.probabilities(hidden))
    probes = _probes(sequences, max(1, min(PROBES, MAX_FEATURES // len(network.classes))))

    def features(whole: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N F"]:
        states = tuple(np.split(whole, np.cumsum(network.sizes)[:-1], axis=1))
        predicted = (
            network.predict_from(states, probes.select(np.array([probe])))
            for probe in range(len(probes))
        )
        columns = [as_columns(after, network.target, deviations) for after in predicted]
        seen: Float[np.ndarray, "N F"] = np.concatenate(columns, axis=1).astype(np.float32)
        return seen

    return features


def _probes(sequences: Sequences, count: int) -> Sequences:
    """The empty sequence and windows of these, different ones as far as a few draws show, each
    length alike and each sequence alike."""
    rng = stream(0, "probes of states")
    windows = {b"": (0, 0)}
    for _ in range(MAX_DRAWS * (len(sequences) > 0)):
        if len(windows) == count:
            break
        row, longest = int(rng.integers(len(sequences))), int(rng.integers(LONGEST)) + 1
        length = min(longest, int(sequences.lengths[row]))
        start = int(sequences.offsets[row] + rng.integers(sequences.lengths[row] - length + 1))
        key = sequences.symbols[start : start + length].tobytes()
        windows.setdefault(key, (start, length))
    starts, lengths = np.array([*windows.values()]).T
    return sequences.cut(starts, lengths)
