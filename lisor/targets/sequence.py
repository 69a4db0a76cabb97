"""One class a sequence: what is true after its last symbol."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int


class SequenceTarget:
    """The position of each sequence is its last prefix, which is the sequence itself."""

    name = "class"
    position = "sequence"
    predicts_once = True
    reads_empty = True
    is_distribution = False
    is_numeric = False
    predicted = "a class"
    names_classes = True

    def counts(self, lengths: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
        """One for each sequence."""
        return np.ones_like(lengths)

    def at(self, lengths: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
        """The index of the last prefix of each sequence."""
        return np.cumsum(lengths + 1) - 1

    def take(self, prefixes: Any, lengths: Any) -> Any:
        """The numbers of the last prefix of each sequence, [R, B, 1, H]."""
        index = lengths[:, None, :, None].expand(-1, 1, -1, prefixes.shape[-1])
        return prefixes.gather(1, index).transpose(1, 2)


SEQUENCE = SequenceTarget()
