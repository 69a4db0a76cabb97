"""What a network or an automaton reads: its symbols, and how raw input becomes them.

Shapes: N sequences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any, overload

import numpy as np

from lisor.errors import DataError, show
from lisor.quantizer import Quantizer
from lisor.sequences import Sequences
from lisor.tokenizer import TOKENIZER, tokenize

PAD, UNKNOWN = "<pad>", "<unk>"
"""Symbols that stand for no word, and for all that an alphabet lacks."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Alphabet(Sequence[str]):
    """All symbols by their numbers, and how raw input becomes symbols.

    It is the sequence of its `symbols`. `unknown` is the number of the symbol that stands for all
    that it lacks. A text is cut by the `tokenizer`; without one it is read by characters where all
    symbols are single characters, and else at blanks, or as a JSON list if it is one where
    that `needs_lists`. Where there is a `quantizer`, raw input is series of numbers.

    Raises:
        DataError: symbols are alike, the unknown one does not exist, or the quantizer has another
            number of symbols."""

    symbols: tuple[str, ...]
    unknown: int | None = None
    tokenizer: str | None = None
    quantizer: Quantizer | None = None

    def __post_init__(self) -> None:
        count = len(self.symbols)
        if count == 0 or len(self.numbers) < count:
            raise DataError(f"expected one or more different symbols, got {show(self.symbols)}")
        if self.unknown is not None and not 0 <= self.unknown < count:
            raise DataError(
                f"the unknown symbol must be one of 0 … {count - 1}, got {show(self.unknown)}"
            )
        if self.quantizer is not None and len(self.quantizer.prototypes) != count:
            raise DataError(
                f"{count} symbols need a quantizer of as many, got {len(self.quantizer.prototypes)}"
            )

    @classmethod
    def of(cls, symbols: Iterable[str]) -> Alphabet:
        """An alphabet as it is, or one of these symbols that is read without a tokenizer."""
        return symbols if isinstance(symbols, Alphabet) else cls(symbols=tuple(symbols))

    def __len__(self) -> int:
        return len(self.symbols)

    @overload
    def __getitem__(self, number: int) -> str: ...

    @overload
    def __getitem__(self, number: slice) -> tuple[str, ...]: ...

    def __getitem__(self, number: int | slice) -> str | tuple[str, ...]:
        return self.symbols[number]

    def __iter__(self) -> Iterator[str]:
        return iter(self.symbols)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self.numbers

    def __eq__(self, other: object) -> bool:
        """Whether both read alike; symbols alone are an alphabet that is read without a
        tokenizer."""
        if isinstance(other, tuple):
            return self.symbols == other
        return isinstance(other, Alphabet) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.symbols)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each symbol."""
        return {symbol: number for number, symbol in enumerate(self.symbols)}

    @property
    def has_characters(self) -> bool:
        """Whether every symbol is a single character."""
        return all(len(symbol) == 1 for symbol in self.symbols)

    def cut(self, text: str, row: int = 1) -> list[str]:
        """The symbols of a raw text as they are written, known or not; a message names the `row`.

        Raises:
            DataError: the tokenizer is not known here, or the text is no series of numbers."""
        if self.quantizer is not None:
            series = self.quantizer.read([self.quantizer.parse(text, row)], row)
            return [self.symbols[number] for number in series.symbols]
        if self.tokenizer == TOKENIZER:
            return tokenize(text)
        if self.tokenizer is not None:
            raise DataError(
                f"expected the tokenizer {TOKENIZER!r} or none, got {show(self.tokenizer)}"
            )
        listed = _listed(text) if self.needs_lists else None
        if listed is not None:
            return listed
        return list(text) if self.has_characters else text.split()

    @cached_property
    def needs_lists(self) -> bool:
        """Whether symbols side by side do not show where one ends, or not in a single line."""
        if self.tokenizer is not None or self.quantizer is not None:
            return False
        if self.has_characters:
            return any(symbol in "\r\n" for symbol in self.symbols)
        return any(symbol.split() != [symbol] for symbol in self.symbols)

    def write(self, numbers: Iterable[int]) -> str:
        """A sequence of symbols by their numbers as one line that is read as them: where there is a
        quantizer, the numbers of their prototypes."""
        numbers = list(numbers)
        if self.quantizer is not None:
            steps = [step for symbol in numbers for step in self.quantizer.example(symbol).tolist()]
            single = self.quantizer.channels == 1
            return json.dumps([step[0] for step in steps] if single else steps)
        symbols = [self.symbols[number] for number in numbers]
        return json.dumps(symbols, ensure_ascii=False) if self.needs_lists else self.join(symbols)

    def join(self, symbols: Iterable[str]) -> str:
        """Symbols as the text that is cut into them."""
        between = "" if self.has_characters and self.tokenizer is None else " "
        return between.join(symbols)

    def encode(self, words: Sequence[Iterable[str]], first: int | None = None) -> Sequences:
        """N sequences of symbols as numbers; a message counts rows, if they have numbers, from
        `first` on.

        Raises:
            DataError: a symbol is not in the alphabet and none stands for unknown ones."""
        rows = [list(word) for word in words]
        missing = -1 if self.unknown is None else self.unknown
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
        numbers = (self.numbers.get(symbol, missing) for symbol in chain.from_iterable(rows))
        symbols = np.fromiter(numbers, np.int32, offsets[-1])
        if symbols.min(initial=0) < 0:
            at = int(np.flatnonzero(symbols < 0)[0])
            row = int(np.searchsorted(offsets, at, side="right")) - 1
            foreign = rows[row][at - int(offsets[row])]
            where = "" if first is None else f" in row {row + first}"
            raise DataError(
                f"expected symbols of the alphabet {show(self.symbols)}, got {show(foreign)}{where}"
            )
        return Sequences(symbols=symbols, offsets=offsets)

    def read(self, raw: Sequence[str], first: int = 1) -> Sequences:
        """N raw texts, or texts of series, as sequences; a message counts rows from `first` on.

        Raises:
            DataError: as `cut` and `encode`."""
        if self.quantizer is not None:
            series = [self.quantizer.parse(text, row) for row, text in enumerate(raw, first)]
            return self.quantizer.read(series, first)
        return self.encode([self.cut(text, row) for row, text in enumerate(raw, first)], first)

    def reread(self, sequences: Sequences) -> Sequences:
        """The sequences with the symbols of this alphabet, where those are made of numbers and the
        sequences have any; else as they are."""
        if self.quantizer is None or sequences.numbers is None:
            return sequences
        return replace(sequences, symbols=self.quantizer.symbols(sequences.numbers))

    def to_json(self) -> dict[str, Any]:
        """The alphabet as plain values."""
        return {
            "symbols": list(self.symbols),
            "unknown": self.unknown,
            "tokenizer": self.tokenizer,
            "quantizer": None if self.quantizer is None else self.quantizer.to_json(),
        }

    @classmethod
    def from_json(cls, fields: object) -> Alphabet:
        """The alphabet that `to_json` wrote.

        Raises:
            DataError: a field is missing or of the wrong type."""
        expected = {"symbols", "unknown", "tokenizer", "quantizer"}
        if not isinstance(fields, dict) or set(fields) != expected:
            raise DataError(
                f"expected an alphabet of {', '.join(sorted(expected))}, got {show(fields)}"
            )
        symbols, unknown, tokenizer = (fields[name] for name in ("symbols", "unknown", "tokenizer"))
        if not isinstance(symbols, list) or not all(isinstance(name, str) for name in symbols):
            raise DataError(f"'symbols' must be a list of texts, got {show(symbols)}")
        if type(unknown) not in (int, type(None)):
            raise DataError(
                f"'unknown' must be the number of a symbol or null, got {show(unknown)}"
            )
        if not isinstance(tokenizer, str | None):
            raise DataError(f"'tokenizer' must be a name or null, got {show(tokenizer)}")
        quantizer = fields["quantizer"]
        return cls(
            symbols=tuple(symbols),
            unknown=unknown,
            tokenizer=tokenizer,
            quantizer=None if quantizer is None else Quantizer.from_json(quantizer),
        )


def _listed(text: str) -> list[str] | None:
    """The texts of a JSON list; None where it is none."""
    try:
        symbols = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_list = isinstance(symbols, list) and all(isinstance(symbol, str) for symbol in symbols)
    return symbols if is_list else None
