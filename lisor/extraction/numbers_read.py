"""The numbers that a network reads, cut into intervals.

Shapes: P numbers that were read, in order, E cuts, S = E + 1 intervals, N numbers, Q states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """The next states of one state: where they change, and which they are between."""

    cuts: Float[np.ndarray, " E"]
    ends: Int[np.ndarray, " S"]

    def ends_on(self, numbers: Float[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
        """The next state on each number."""
        return np.asarray(self.ends[np.searchsorted(self.cuts, numbers, side="right")])

    def simplified(
        self, blocks: Int[np.ndarray, " Q"], numbers: Float[np.ndarray, " P"], share: float
    ) -> Row:
        """The row without cuts between states of one block, and without intervals into which less
        than a share of the numbers fall: both neighbours meet in the middle of one."""
        cuts, ends = self.cuts.tolist(), self.ends.tolist()
        while cuts:
            same = [blocks[left] == blocks[right] for left, right in pairwise(ends)]
            if any(same):
                at = same.index(True)
                del cuts[at], ends[at + 1]
                continue
            shares = np.diff(np.concatenate([[0], share_below(np.array(cuts), numbers), [1]]))
            least = int(shares.argmin())
            if shares[least] >= share:
                break
            if 0 < least < len(cuts):
                cuts[least - 1] = (cuts[least - 1] + cuts[least]) / 2
            del cuts[min(least, len(cuts) - 1)], ends[least]
        return Row(cuts=np.array(cuts), ends=np.array(ends))


def share_below(
    edges: Float[np.ndarray, " E"], numbers: Float[np.ndarray, " P"]
) -> Float[np.ndarray, " E"]:
    """The share of the numbers below each edge."""
    return np.asarray(np.searchsorted(numbers, edges) / len(numbers))


def medians(
    cuts: Float[np.ndarray, " E"], numbers: Float[np.ndarray, " P"]
) -> Float[np.ndarray, " S"]:
    """A number of each interval: the median of those read in it, or else its middle."""
    edges = np.concatenate([[numbers[0] - 1], cuts, [numbers[-1] + 1]])
    inside = np.searchsorted(numbers, edges)
    return np.array(
        [
            numbers[(first + last) // 2] if last > first else (low + high) / 2
            for first, last, low, high in zip(
                inside[:-1], inside[1:], edges[:-1], edges[1:], strict=True
            )
        ]
    )


def heavy(
    rows: Sequence[Row], numbers: Float[np.ndarray, " P"], share: float
) -> tuple[Float[np.ndarray, " S"], Float[np.ndarray, " S-1"]]:
    """The medians of those intervals between the cuts of all rows into which at least a share of
    the numbers falls, and the edges between them, in the middle of what lies between two."""
    cuts = np.unique(np.concatenate([*(row.cuts for row in rows), np.empty(0)]))
    below = np.concatenate([[0.0], share_below(cuts, numbers), [1.0]])
    kept = np.flatnonzero(np.diff(below) >= share)
    return medians(cuts, numbers)[kept], (cuts[kept[:-1]] + cuts[kept[1:] - 1]) / 2
