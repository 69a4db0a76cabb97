"""Ragged batches of symbol sequences in Arrow's list layout.

Shapes: N sequences, P symbols in all of them together, D numbers of a step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from lisor.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class Sequences:
    """N sequences laid end to end; sequence i is `symbols[offsets[i]:offsets[i + 1]]`.

    Where the symbols were made from `numbers`, these are what a network reads in place of the
    symbols' vectors.

    Raises:
        DataError: the offsets do not run from 0 to P without stepping back, or there are not P rows
            of numbers."""

    symbols: Int[np.ndarray, " P"]
    offsets: Int[np.ndarray, " N+1"]
    numbers: Float[np.ndarray, "P D"] | None = None

    def __post_init__(self) -> None:
        symbols = np.ascontiguousarray(self.symbols, dtype=np.int32)
        offsets = np.ascontiguousarray(self.offsets, dtype=np.int64)
        if symbols.ndim != 1 or offsets.ndim != 1 or len(offsets) == 0:
            raise DataError(
                "sequences need a flat array of symbols and one offset more than there are "
                "sequences"
            )
        if offsets[0] != 0 or offsets[-1] != len(symbols) or (np.diff(offsets) < 0).any():
            raise DataError(f"offsets must rise from 0 to the number of symbols ({len(symbols)})")
        if len(symbols) and symbols.min() < 0:
            raise DataError(f"symbols are indices from 0 up, got {symbols.min()}")
        arrays: dict[str, np.ndarray] = {"symbols": symbols, "offsets": offsets}
        if self.numbers is not None:
            numbers = np.ascontiguousarray(self.numbers, dtype=np.float32)
            if numbers.ndim != 2 or len(numbers) != len(symbols):
                raise DataError(
                    f"{len(symbols)} symbols need as many rows of numbers, got {numbers.shape}"
                )
            arrays["numbers"] = numbers
        for name, array in arrays.items():
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
        """The sequences of all parts, one part after the other; they have numbers where all parts
        do."""
        joined = list(parts)
        lengths = np.concatenate([[0], *(part.lengths for part in joined)])
        numbers = [part.numbers for part in joined if part.numbers is not None]
        return cls(
            symbols=np.concatenate([np.empty(0, np.int32), *(part.symbols for part in joined)]),
            offsets=np.cumsum(lengths),
            numbers=np.concatenate(numbers) if numbers and len(numbers) == len(joined) else None,
        )

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
        return self.cut(self.offsets[:-1][rows], self.lengths[rows])

    def cut(self, starts: Int[np.ndarray, " M"], lengths: Int[np.ndarray, " M"]) -> Sequences:
        """Sequences of some `lengths` that begin at some places of the P symbols."""
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        positions = np.repeat(starts, lengths) + within
        numbers = None if self.numbers is None else self.numbers[positions]
        return Sequences(symbols=self.symbols[positions], offsets=offsets, numbers=numbers)

    def keep(self, mask: Bool[np.ndarray, " P"]) -> Sequences:
        """The same sequences with those of the P symbols alone that a mask keeps."""
        kept = np.concatenate([[0], np.cumsum(mask)])
        numbers = None if self.numbers is None else self.numbers[mask]
        return Sequences(symbols=self.symbols[mask], offsets=kept[self.offsets], numbers=numbers)

    def padded(self, width: int | None = None) -> Shaped[np.ndarray, "N T ..."]:
        """A rectangle of what a network reads, symbols or rows of D numbers, 0 after the end of
        each sequence.

        It is as wide as the longest sequence unless `width` says so."""
        lengths = self.lengths
        width = int(lengths.max(initial=0)) if width is None else width
        read = self.symbols.astype(np.int64) if self.numbers is None else self.numbers
        rectangle: Shaped[np.ndarray, "N T ..."] = np.zeros(
            (len(self), width, *read.shape[1:]), read.dtype
        )
        rectangle[np.arange(width) < lengths[:, None]] = read
        return rectangle

    def keys(self) -> list[bytes]:
        """A hashable key for each sequence; equal keys mean equal sequences."""
        return [
            self.symbols[a:b].tobytes()
            for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True)
        ]
