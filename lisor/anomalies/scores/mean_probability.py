"""How improbable the events of a sequence are on average.

Shapes: M events, the positions of N sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lisor.anomalies.scores.least_probability import LeastProbability

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class MeanProbability(LeastProbability):
    """The mean surprisal of a sequence's events, the logarithm of its perplexity."""

    def sequences(
        self, events: Float[np.ndarray, " M"], offsets: Int[np.ndarray, " N+1"]
    ) -> Float[np.ndarray, " N"]:
        """The mean over the events of each sequence."""
        means: Float[np.ndarray, " N"] = np.add.reduceat(events, offsets[:-1]) / np.diff(offsets)
        return means

    def condition(self, threshold: float) -> str:
        """When there is an alarm, in words."""
        return f"the geometric mean of the probabilities is below {np.exp(-threshold):.3g}"
