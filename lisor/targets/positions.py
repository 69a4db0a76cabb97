"""The positions of sequences: after which of their prefixes something is true.

Shapes: N sequences, M positions, B sequences of a batch, L positions of the longest of them, R
trials."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Shaped

from lisor.registry import TARGETS
from lisor.sequences import Sequences


@dataclass(frozen=True, kw_only=True, eq=False)
class Positions:
    """The M positions of N sequences of some `lengths`, by the kind of `target`; those of each
    sequence one after the other."""

    target: str
    lengths: Int[np.ndarray, " N"]

    @classmethod
    def of(cls, sequences: Sequences, target: str) -> Positions:
        """The positions of these sequences."""
        return cls(target=target, lengths=sequences.lengths)

    @cached_property
    def counts(self) -> Int[np.ndarray, " N"]:
        """How many positions each sequence has."""
        counts: Int[np.ndarray, " N"] = TARGETS[self.target].counts(self.lengths)
        return counts

    @cached_property
    def offsets(self) -> Int[np.ndarray, " N+1"]:
        """Where the positions of each sequence begin, and where the last one's end."""
        return np.concatenate([[0], np.cumsum(self.counts)])

    @property
    def count(self) -> int:
        """The number of positions, M."""
        return int(self.offsets[-1])

    @property
    def at(self) -> Int[np.ndarray, " M"]:
        """The index of each position among the prefixes of all sequences."""
        indices: Int[np.ndarray, " M"] = TARGETS[self.target].at(self.lengths)
        return indices

    @property
    def sequence(self) -> Int[np.ndarray, " M"]:
        """The sequence of each position."""
        return np.repeat(np.arange(len(self.lengths)), self.counts)

    @property
    def read(self) -> Int[np.ndarray, " M"]:
        """How many symbols of its sequence each position has read."""
        first = np.cumsum(self.lengths + 1) - self.lengths - 1
        read: Int[np.ndarray, " M"] = self.at - first[self.sequence]
        return read

    def of_sequences(self, rows: Int[np.ndarray, " B"]) -> Int[np.ndarray, " K"]:
        """The positions of some of the sequences, in their order."""
        positions: Int[np.ndarray, " K"] = self._indices(rows)[self.mask(rows)]
        return positions

    def mask(self, rows: Int[np.ndarray, "..."]) -> Bool[np.ndarray, "... L"]:
        """Which entries of a padded batch of these sequences are positions."""
        counts = self.counts[rows]
        mask: Bool[np.ndarray, "... L"] = np.arange(int(counts.max(initial=0))) < counts[..., None]
        return mask

    def pad(
        self, values: Shaped[np.ndarray, "M *D"], rows: Int[np.ndarray, "..."]
    ) -> Shaped[np.ndarray, "... L *D"]:
        """The values at the positions of a batch of sequences, 0 where there is no position."""
        mask = self.mask(rows)
        padded = np.zeros((*mask.shape, *values.shape[1:]), values.dtype)
        padded[mask] = values[self._indices(rows)[mask]]
        return padded

    def fill(
        self, values: Any, rows: Int[np.ndarray, " B"], batch: Shaped[np.ndarray, "B L ..."]
    ) -> None:
        """Write what a batch of sequences has at its positions into `values`, M rows."""
        mask = self.mask(rows)
        values[self._indices(rows)[mask]] = batch[:, : mask.shape[1]][mask]

    def _indices(self, rows: Int[np.ndarray, "..."]) -> Int[np.ndarray, "... L"]:
        longest = int(self.counts[rows].max(initial=0))
        indices: Int[np.ndarray, "... L"] = self.offsets[rows][..., None] + np.arange(longest)
        return indices
