"""Ragged batches of symbol sequences in Arrow's list layout.

Shapes: N sequences, P symbols in all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from lisor.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class Sequences:
    """N sequences laid end to end; sequence i is `symbols[offsets[i]:offsets[i + 1]]`.

    Raises:
        DataError: the offsets do not run from 0 to P without stepping back."""

    symbols: Int[np.ndarray, " P"]
    offsets: Int[np.ndarray, " N+1"]

    def __post_init__(self) -> None:
        symbols = np.ascontiguousarray(self.symbols, dtype=np.int32)
        offsets = np.ascontiguousarray(self.offsets, dtype=np.int64)
        if symbols.ndim != 1 or offsets.ndim != 1 or len(offsets) == 0:
            raise DataError("sequences need a flat array of symbols and one offset more than there are sequences")
        if offsets[0] != 0 or offsets[-1] != len(symbols) or (np.diff(offsets) < 0).any():
            raise DataError(f"offsets must rise from 0 to the number of symbols ({len(symbols)})")
        if len(symbols) and symbols.min() < 0:
            raise DataError(f"symbols are indices from 0 up, got {symbols.min()}")
        for name, array in (("symbols", symbols), ("offsets", offsets)):
            array = array.view()
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def from_lists(cls, words: Iterable[Sequence[int] | Int[np.ndarray, " T"]]) -> Sequences:
        """The same sequences as `words`, laid end to end."""
        rows = [np.asarray(word, dtype=np.int32) for word in words]
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
        return cls(symbols=np.concatenate(rows) if rows else np.empty(0, np.int32), offsets=offsets)

    @classmethod
    def join(cls, parts: Iterable[Sequences]) -> Sequences:
        """The sequences of all parts, one part after the other."""
        some = list(parts)
        lengths = np.concatenate([[0], *(part.lengths for part in some)])
        symbols = np.concatenate([np.empty(0, np.int32), *(part.symbols for part in some)])
        return cls(symbols=symbols, offsets=np.cumsum(lengths))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Int[np.ndarray, " T"]:
        if not 0 <= index < len(self):
            raise IndexError(f"sequence {index} of {len(self)}")
        return self.symbols[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> Int[np.ndarray, " N"]:
        """The number of symbols of each sequence."""
        return np.diff(self.offsets)

    def select(self, rows: Int[np.ndarray, " M"]) -> Sequences:
        """The sequences at `rows`, in that order."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return Sequences(symbols=self.symbols[np.repeat(self.offsets[:-1][rows], lengths) + within], offsets=offsets)

    def padded(self, width: int | None = None) -> Int[np.ndarray, "N T"]:
        """A rectangle of symbols, 0 after the end of each sequence; as wide as the longest unless `width` says so."""
        lengths = self.lengths
        width = int(lengths.max(initial=0)) if width is None else width
        rectangle = np.zeros((len(self), width), np.int64)
        rectangle[np.arange(width) < lengths[:, None]] = self.symbols
        return rectangle

    def keys(self) -> list[bytes]:
        """A hashable key for each sequence; equal keys mean equal sequences."""
        return [self.symbols[a:b].tobytes() for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True)]
