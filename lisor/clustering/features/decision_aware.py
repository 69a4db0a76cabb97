"""k-means on hidden states and what the network predicts at each of them.

Shapes: P points, H hidden units, C classes, A columns of predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lisor.clustering.method import Features, Method
from lisor.registry import TARGETS

if TYPE_CHECKING:
    from jaxtyping import Float

    from lisor.networks.hidden_states import HiddenStates, Points
    from lisor.networks.network import Network


class DecisionAware(Method):
    """Sees the hidden states, and with total variance H·λ² the class probabilities or the numbers
    there."""

    needs_network = True
    weight_setting = "decision_weight"

    def features(self, states: HiddenStates | Points, network: Network | None) -> Features:
        """The hidden states and what is predicted there, side by side."""
        hidden, model = states.matrix(), self.required(network)
        columns = as_columns(model.probabilities(hidden), model.target)
        return Features(points=with_columns(hidden, columns, self.weight))


def as_columns(
    probabilities: Float[np.ndarray, "P C"],
    target: str,
    deviations: Float[np.ndarray, " C"] | None = None,
) -> Float[np.ndarray, "P A"]:
    """Class probabilities p as k-means sees them.

    Two classes make one column, tanh of half the logit, which is 2·p − 1; C classes make C columns
    2·p − 1, and distributions C columns √p, between which distances are Hellinger's (1909). Numbers
    are in `deviations`, or else in their own."""
    if TARGETS[target].is_numeric:
        if deviations is None:
            deviations = deviations_of(probabilities)
        return np.asarray(probabilities.astype(np.float64) / deviations)
    if TARGETS[target].is_distribution:
        return np.sqrt(probabilities.astype(np.float64))
    columns = 2 * probabilities.astype(np.float64) - 1
    return columns[:, 1:] if columns.shape[1] == 2 else columns


def deviations_of(numbers: Float[np.ndarray, "P C"]) -> Float[np.ndarray, " C"]:
    """The standard deviation of each column, 1 where all of its numbers are alike."""
    spread = numbers.std(axis=0, dtype=np.float64)
    return np.where(spread > 0, spread, 1.0)


def with_columns(
    hidden: Float[np.ndarray, "P H"], columns: Float[np.ndarray, "P A"], weight: float
) -> Float[np.ndarray, "P H+A"]:
    """Hidden states divided by their overall standard deviation, and columns with total variance
    H·λ², where λ = `weight`."""
    deviation = np.sqrt(columns.var(axis=0).sum())
    scale = weight * np.sqrt(hidden.shape[1]) / deviation if deviation > 0 else 0.0
    overall = hidden.std(dtype=np.float64)
    return np.concatenate([hidden / (overall if overall > 0 else 1.0), columns * scale], axis=1)
