"""k-means on hidden states and what the network predicts at each of them.

Shapes: P points, H hidden units, C classes, A columns of predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lisor.clustering.method import Features, Method

if TYPE_CHECKING:
    from jaxtyping import Float

    from lisor.networks.hidden_states import HiddenStates, Points
    from lisor.networks.network import Network


class DecisionAware(Method):
    """Sees the hidden states, and with total variance H·λ² the class probabilities there."""

    needs_network = True
    weight_setting = "decision_weight"

    def features(self, states: HiddenStates | Points, network: Network | None) -> Features:
        """The hidden states and the class probabilities, side by side."""
        hidden = states.matrix()
        probabilities = self.required(network).probabilities(hidden)
        return Features(points=with_probabilities(hidden, probabilities, self.weight))


def with_probabilities(
    hidden: Float[np.ndarray, "P H"], probabilities: Float[np.ndarray, "P C"], weight: float
) -> Float[np.ndarray, "P H+A"]:
    """Hidden states divided by their overall standard deviation, and class probabilities p with
    total variance H·λ², where λ = `weight`.

    Two classes make one column, tanh of half the logit, which is 2·p − 1; C classes make C
    columns 2·p − 1."""
    columns = 2 * probabilities.astype(np.float64) - 1
    if columns.shape[1] == 2:
        columns = columns[:, 1:]
    deviation = np.sqrt(columns.var(axis=0).sum())
    scale = weight * np.sqrt(hidden.shape[1]) / deviation if deviation > 0 else 0.0
    overall = hidden.std(dtype=np.float64)
    return np.concatenate([hidden / (overall if overall > 0 else 1.0), columns * scale], axis=1)
