"""The next symbol, or the end: what follows each prefix of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from lisor.sequences import Sequences

END = "<end>"
"""The class that stands for the end of a sequence, after those of the symbols."""


class NextTarget:
    """The positions of a sequence are all its prefixes, the empty one and the whole included."""

    name = "next"
    position = "step"
    predicts_once = False
    reads_empty = True
    is_distribution = True
    is_numeric = False
    predicted = "distributions over the next symbol"
    names_classes = False

    def counts(self, lengths: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
        """One for each symbol, and one for the end."""
        return lengths + 1

    def at(self, lengths: Int[np.ndarray, " N"]) -> Int[np.ndarray, " M"]:
        """The indices of all prefixes."""
        return np.arange(int(lengths.sum()) + len(lengths))

    def take(self, prefixes: Any, lengths: Any) -> Any:
        """The numbers of every prefix, [R, B, T + 1, H]."""
        return prefixes.transpose(1, 2)


NEXT = NextTarget()


def is_after(sequences: Sequences, separator: int) -> Bool[np.ndarray, " M"]:
    """Which prefixes of each sequence have read the `separator`."""
    read = np.cumsum(np.concatenate([[0], sequences.symbols == separator]))
    starts = np.repeat(read[sequences.offsets[:-1]], sequences.lengths + 1)
    # every prefix but the empty one ends with a symbol, every sequence begins with the empty one
    until = np.arange(len(starts)) - np.repeat(np.arange(len(sequences)), sequences.lengths + 1)
    after: Bool[np.ndarray, " M"] = read[until] > starts
    return after


def following(sequences: Sequences, end: int) -> Int[np.ndarray, " M"]:
    """What follows each prefix of each sequence: a symbol, or at last the number of the `end`."""
    after: Int[np.ndarray, " M"] = np.insert(sequences.symbols, sequences.offsets[1:], end)
    return after
