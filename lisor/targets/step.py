"""A class at each step: what is true after each symbol of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int


class StepTarget:
    """The positions of a sequence are all its prefixes but the empty one, one for each symbol."""

    name = "step"
    position = "step"
    predicts_once = False
    reads_empty = False
    is_distribution = False
    is_numeric = False
    predicted = "classes"
    names_classes = True

    def counts(self, lengths: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
        """One for each symbol."""
        return lengths

    def at(self, lengths: Int[np.ndarray, " N"]) -> Int[np.ndarray, " P"]:
        """The indices of all prefixes but the empty one of each sequence."""
        prefixes = np.arange(int(lengths.sum()) + len(lengths))
        return np.delete(prefixes, np.cumsum(lengths + 1) - lengths - 1)

    def take(self, prefixes: Any, lengths: Any) -> Any:
        """The numbers after each symbol, [R, B, T, H]."""
        return prefixes[:, 1:].transpose(1, 2)


STEP = StepTarget()
