"""What a score is: how strange each event of a sequence is, and the sequence.

A score is added by one file and one line of `lisor.registry.SCORES`.

Shapes: M events, the positions of N sequences."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

ROUNDING = 1e-9
"""By how much sums and logarithms may differ between two computers."""


@dataclass(frozen=True)
class Score(ABC):
    """A score by the name under which it stands in the registry; the higher, the stranger.

    `target` is the kind of predictions that it compares with what came."""

    name: str
    target: ClassVar[str] = "next"

    @abstractmethod
    def events(self, expected: Any, came: Any) -> Float[np.ndarray, " M"]:
        """The score of each event, from what was `expected`, by the target, and what `came`: for
        "next" the `Distributions` and the classes."""

    def sequences(
        self, events: Float[np.ndarray, " M"], offsets: Int[np.ndarray, " N+1"]
    ) -> Float[np.ndarray, " N"]:
        """The score of each sequence, whose events begin at the `offsets`: that of the strangest
        event, unless a score says otherwise."""
        largest: Float[np.ndarray, " N"] = np.maximum.reduceat(events, offsets[:-1])
        return largest

    @abstractmethod
    def condition(self, threshold: float) -> str:
        """When there is an alarm, in words."""


def threshold_of(normal: Float[np.ndarray, " N"], false_alarms: float) -> float:
    """The least score that at most the share `false_alarms` of the scores of normal sequences is
    above: a sequence with a higher one is an anomaly.

    With the scores of `Rank` it is DeepLog's g (Du et al., 2017, "DeepLog: anomaly detection and
    diagnosis from system logs through deep learning")."""
    allowed = int(np.floor(false_alarms * len(normal) + ROUNDING))
    return float(np.sort(normal)[len(normal) - 1 - allowed])


def is_above(scores: Float[np.ndarray, "..."], threshold: float) -> Bool[np.ndarray, "..."]:
    """Whether scores are above a threshold by more than rounding: many sequences have the very
    score that it was set by."""
    above: Bool[np.ndarray, "..."] = scores > threshold + ROUNDING
    return above
