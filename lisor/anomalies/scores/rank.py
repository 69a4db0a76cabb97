"""The rank of what came among all that may come.

Shapes: M events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lisor.anomalies.score import Score

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from lisor.automata.distributions import Distributions


class Rank(Score):
    """1 for the most likely event, 2 for the next (Du et al., 2017, "DeepLog: anomaly detection
    and diagnosis from system logs through deep learning", section 3.1: normal are the g most
    likely)."""

    def events(
        self, expected: Distributions, came: Int[np.ndarray, " M"]
    ) -> Float[np.ndarray, " M"]:
        """One more than how many events are more likely than the one that came."""
        ranks = np.empty(len(came))
        for part, shares in expected.blocks():
            taken = np.take_along_axis(shares, came[part, None].astype(np.int64), axis=1)
            ranks[part] = 1 + (shares > taken).sum(axis=1)
        return ranks

    def condition(self, threshold: float) -> str:
        """When there is an alarm, in words."""
        return f"an event is not among the {threshold:.0f} most likely"
