"""How improbable the most improbable event of a sequence is.

Shapes: M events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lisor.anomalies.score import Score

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from lisor.automata.distributions import Distributions


class LeastProbability(Score):
    """The surprisal of an event, −ln p."""

    def events(
        self, expected: Distributions, came: Int[np.ndarray, " M"]
    ) -> Float[np.ndarray, " M"]:
        """The surprisal of each event, in nats."""
        return -expected.log_probabilities(came)

    def condition(self, threshold: float) -> str:
        """When there is an alarm, in words."""
        return f"the probability of an event is below {np.exp(-threshold):.3g}"
