"""Sequences of symbols as they are, without cutting into words: numbered, and with their alphabet.

Shapes: N sequences, M of a split."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from lisor.data import tables, text
from lisor.data.dataset import Dataset, Split
from lisor.data.sequences import Sequences
from lisor.errors import DataError, DataWarning, show
from lisor.randomness import stream

SHOWN = 5
"""Symbols that a message lists."""

MAX_NUMBER = 1_000_000
"""Of a symbol, where the numbers up to the largest are the alphabet."""


def number(sequences: Iterable[Any], alphabet: Sequence[str] | None = None) -> tuple[Sequences, tuple[str, ...]]:
    """The sequences with their symbols numbered, and the alphabet: the name of each symbol by its number.

    A sequence is a text, whose signs are its symbols, a list of texts, or a list of numbers from 0, which are those of
    the symbols. The `alphabet` gives the order of the symbols. Unless given it is the symbols that occur, by
    value where all are whole numbers and else sorted, or the numbers up to the largest that occurs.

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
    if numbered and alphabet is None and max(symbols) > MAX_NUMBER:
        raise DataError(
            f"expected numbers of symbols from 0 to {MAX_NUMBER:,}, found {show(max(symbols))}; "
            "number the symbols from 0 up, or name the alphabet"
        )
    if alphabet is None:
        known = tuple(map(str, range(max(symbols) + 1))) if numbered else _in_order(words)
    else:
        known = tuple(alphabet)
    check_alphabet(known)
    if numbered:
        if not 0 <= min(symbols) <= max(symbols) < len(known):
            found = f"{show(min(symbols))} to {show(max(symbols))}"
            raise DataError(f"expected numbers of symbols from 0 to {len(known) - 1}, found {found}")
        return Sequences.from_lists(words), known
    place = {symbol: i for i, symbol in enumerate(known)}
    strange = sorted(set(symbols) - set(place))
    if strange:
        raise DataError(
            f"expected symbols of the alphabet of {len(known)}, found {', '.join(map(show, strange[:SHOWN]))}"
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
        found = ", ".join(map(show, alphabet)) or "none"
        raise DataError(
            f"expected an alphabet of at least two symbols, got {found}: sequences of one symbol differ in length "
            "alone; look at how the symbols were read, or name all that the network knows"
        )


def read_table(path: Path) -> pd.DataFrame:
    """The columns symbols, and label and split if there, of a CSV, TSV or Parquet file; other columns are left out.

    A cell of `symbols` is a list of texts or, in any of these files, a text: of symbols set apart by blanks if any text
    has blanks inside, else of signs. An empty cell is the empty sequence. A file without that column may have `text`,
    of symbols set apart by blanks. Notes on what was left out are in the table's `attrs`.

    Raises:
        DataError: the file does not exist, is of no known kind, cannot be read, is empty or lacks the column."""
    table, notes = tables.read(path, ("symbols", "text"))
    cells = ["" if cell is None or cell is pd.NA or cell != cell else cell for cell in _plain(table["symbols"])]
    apart = any(" " in cell.strip() for cell in cells if isinstance(cell, str))
    words = [(cell.split() if apart else list(cell.strip())) if isinstance(cell, str) else list(cell) for cell in cells]
    kept = {name: table[name] for name in ("label", "split") if name in table}
    found = pd.DataFrame({"symbols": pd.Series(words, dtype=object), **kept})
    found.attrs["notes"] = notes
    return found


def build(
    table: pd.DataFrame,
    *,
    order: Sequence[str] | None,
    classes: Sequence[str] | None,
    sizes: Mapping[str, int | None],
    held_out: float,
    seed: int,
) -> Dataset:
    """A dataset of labelled sequences of symbols to train on; `order` gives the order of the symbols, by value where
    all are whole numbers and else sorted unless given, and `classes` that of the classes in the same way.

    Where many of the test sequences occur in training, those that do not also make a split of their own, "unseen".

    Raises:
        DataError: there are no labels, or sequences, alphabet or labels cannot be used."""
    if "label" not in table:
        raise DataError("expected a column 'label' beside 'symbols': a network is trained on what is right")
    for note in table.attrs.get("notes", ()):
        warnings.warn(note, DataWarning, stacklevel=2)
    words, vocabulary = number(table["symbols"], order or _in_order(table["symbols"]))
    labels, names = number_labels(table["label"], classes)
    rows = tables.deal(table, labels, sizes=sizes, held_out=held_out, folds=None, fold=0, seed=seed)
    splits = {name: Split(sequences=words.select(own), labels=labels[own]) for name, own in rows.items()}
    splits |= text.unseen(splits)
    return Dataset(vocabulary=vocabulary, classes=names, splits=splits, notes=tuple(table.attrs.get("notes", ())))


def assign_splits(
    table: pd.DataFrame, *, sizes: Mapping[str, int | None], seed: int
) -> dict[str, Int[np.ndarray, " M"]]:
    """The rows of each split, at most as many as its size says.

    Without a column `split` half of the rows are for validation, whose hidden states are clustered, a quarter for
    selection and a quarter for test: the network is trained already. With one it is as for texts.

    Raises:
        DataError: a split has no rows, or an unknown name."""
    rng = stream(seed, "splits of sequences")
    if "split" in table:
        names = text.assign_splits(table, rng)
        wanted = ["train", "validation", "selection", "test"]
    else:
        names = np.array(["validation", "validation", "selection", "test"])[rng.permutation(len(table)) % 4]
        wanted = ["validation", "selection", "test"]
    found = {}
    for name in wanted:
        rows = np.sort(rng.permutation(np.flatnonzero(names == name))[: sizes.get(name)])
        if not len(rows) and name != "train":
            raise DataError(f"no rows are left for the split '{name}': {len(table)} rows are too few")
        found[name] = rows
    return found


def number_labels(labels: pd.Series, classes: Sequence[str] | None) -> tuple[Int[np.ndarray, " N"], tuple[str, ...]]:
    """The labels by number, and the classes: in the order given, or by value where all are whole numbers, else by name.

    Raises:
        DataError: a label is missing or none of the classes."""
    if labels.isna().any():
        raise DataError(
            f"expected a label in every row, found {int(labels.isna().sum())} without; leave the column out"
        )
    known = text.class_names(labels) if classes is None else tuple(classes)
    place = {name: number for number, name in enumerate(known)}
    names = [text.class_name(label) for label in labels]
    odd = next((name for name in names if name not in place), None)
    if odd is not None:
        shown = ", ".join(map(show, known[:SHOWN]))
        raise DataError(f"expected labels among the {len(known)} classes {shown}, found {show(odd)}")
    return np.array([place[name] for name in names]), known


def _in_order(words: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """The symbols that occur: by value where all are whole numbers, else sorted."""
    return text.class_names(pd.Series(sorted({str(symbol) for word in words for symbol in word}), dtype=object))


def _plain(column: pd.Series) -> list[Any]:
    return [cell.tolist() if isinstance(cell, np.ndarray) else cell for cell in column]
