"""Sequences of symbols as they are, without cutting into words: numbered, and with their alphabet.

Shapes: N sequences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

from lisor.data.sequences import Sequences
from lisor.errors import DataError

SHOWN = 5
"""Symbols that a message lists."""


def number(sequences: Iterable[Any], alphabet: Sequence[str] | None = None) -> tuple[Sequences, tuple[str, ...]]:
    """The sequences with their symbols numbered, and the alphabet: the name of each symbol by its number.

    A sequence is a text, whose signs are its symbols, a list of texts, or a list of numbers from 0, which are those of
    the symbols. The `alphabet` gives the order of the symbols. Unless given it is the symbols that occur, sorted, or
    the numbers up to the largest that occurs.

    Raises:
        DataError: there are no sequences, they mix numbers and texts, a symbol is not in the alphabet, the alphabet has
            a symbol twice or a single one."""
    words = [list(word) for word in sequences]
    symbols = [symbol for word in words for symbol in word]
    if not symbols:
        raise DataError("expected sequences of symbols, got none or only empty ones")
    numbered = all(isinstance(symbol, Integral) for symbol in symbols)
    odd = next((symbol for symbol in symbols if not isinstance(symbol, Integral | str)), None)
    if odd is not None or not (numbered or all(isinstance(symbol, str) for symbol in symbols)):
        found = "both" if odd is None else f"a {type(odd).__name__}"
        raise DataError(f"expected symbols that are all texts or all numbers from 0, found {found}")
    if alphabet is None:
        known = tuple(map(str, range(max(symbols) + 1))) if numbered else tuple(sorted(set(symbols)))
    else:
        known = tuple(alphabet)
    check_alphabet(known)
    if numbered:
        if not 0 <= min(symbols) <= max(symbols) < len(known):
            raise DataError(
                f"expected numbers of symbols from 0 to {len(known) - 1}, found {min(symbols)} to {max(symbols)}"
            )
        return Sequences.from_lists(words), known
    place = {symbol: i for i, symbol in enumerate(known)}
    strange = sorted(set(symbols) - set(place))
    if strange:
        raise DataError(
            f"expected symbols of the alphabet of {len(known)}, found {', '.join(map(repr, strange[:SHOWN]))}"
            f"{' and others' if len(strange) > SHOWN else ''}; add them to the alphabet where the network knows them"
        )
    return Sequences.from_lists([[place[symbol] for symbol in word] for word in words]), known


def check_alphabet(alphabet: Sequence[str]) -> None:
    """Raises DataError where a symbol occurs twice, is not a text, or is the only one.

    With one symbol sequences differ in length alone; it almost always means that the wrong column was read, or that
    symbols which the network knows do not happen to occur."""
    if not all(isinstance(symbol, str) for symbol in alphabet) or len(set(alphabet)) < len(alphabet):
        raise DataError("expected an alphabet of different texts, one for each symbol, in the order of their numbers")
    if len(alphabet) < 2:
        found = ", ".join(map(repr, alphabet)) or "none"
        raise DataError(
            f"expected an alphabet of at least two symbols, got {found}: sequences of one symbol differ in length "
            "alone; look at how the symbols were read, or name all that the network knows"
        )
