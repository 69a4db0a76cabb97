"""Sequences of symbols as they are, without cutting into words: numbered, and with their alphabet.

Shapes: N sequences, M of a split."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lisor.alphabet import UNKNOWN, Alphabet
from lisor.data import tables
from lisor.data.dataset import Dataset, Split
from lisor.data.kind import Kind
from lisor.data.labels import SHOWN, class_names, normal_rows, read_labels
from lisor.data.splits import left_out, split_stratified, unseen
from lisor.data.vectors import read_vectors
from lisor.errors import DataError, DataWarning, show
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from lisor.settings.symbols import LEARNED, ONE_HOT, SymbolsSettings

LABEL, LABELS = "label", "labels"
"""The columns of one class or number for a sequence, and of one for each symbol."""

READ = {"class": LABEL, "step": LABELS, "regression": LABEL, "number": LABELS}
"""The column of labels that a kind of target reads."""

MAX_NUMBER = 1_000_000
"""Of a symbol, where the numbers up to the largest are the alphabet."""


class SymbolsData(Kind[SymbolsSettings]):
    """Labelled sequences of symbols from a file."""

    def files(self, settings: SymbolsSettings) -> dict[str, str]:
        """The file of the sequences, and that of the vectors of symbols."""
        vectors = {} if settings.vectors in (ONE_HOT, LEARNED) else {"vectors": settings.vectors}
        return {"symbols": settings.symbols} | vectors

    def build(
        self,
        settings: SymbolsSettings,
        files: Mapping[str, Path],
        *,
        vector_size: int | None = None,
    ) -> Dataset:
        """Sequences to train on, split and numbered."""
        return build(
            read_table(files["symbols"]),
            order=settings.order,
            classes=settings.classes,
            sizes=settings.sizes,
            held_out=settings.held_out,
            seed=settings.seed,
            target=settings.target,
            min_count=settings.min_count,
            vectors=files.get("vectors"),
            learns_vectors=settings.vectors == LEARNED,
            normal=settings.normal,
        )


def number(
    sequences: Iterable[Any], alphabet: Sequence[str] | None = None
) -> tuple[Sequences, Alphabet]:
    """The sequences with their symbols numbered, and the alphabet.

    A sequence is a text, whose characters are its symbols, a list of texts, or a list of the
    symbols' numbers, from 0. The `alphabet` gives the order of the symbols. Unless given it
    is the symbols that occur, by value where all are whole numbers and else sorted, or the numbers
    up to the largest that occurs.

    Raises:
        DataError: there are no sequences, they mix numbers and texts, a symbol is not in the
            alphabet, the alphabet has a symbol twice or a single one."""
    words = [list(word) for word in sequences]
    symbols = [symbol for word in words for symbol in word]
    if not symbols:
        raise DataError("expected sequences of symbols, got none or only empty ones")
    numbered = all(isinstance(symbol, Integral) for symbol in symbols)
    odd = next((symbol for symbol in symbols if not isinstance(symbol, Integral | str)), None)
    if odd is not None or not (numbered or all(isinstance(symbol, str) for symbol in symbols)):
        kinds = "both" if odd is None else f"a {type(odd).__name__}"
        raise DataError(
            f"expected symbols that are all texts or all numbers from 0, found {kinds}; write them "
            "as texts, which are names"
        )
    if numbered and alphabet is None and max(symbols) > MAX_NUMBER:
        raise DataError(
            f"expected numbers of symbols from 0 to {MAX_NUMBER:,}, found {show(max(symbols))}; "
            "number the symbols from 0 up, or name the alphabet"
        )
    if alphabet is None:
        alphabet = tuple(map(str, range(max(symbols) + 1))) if numbered else _in_order(words)
    check_alphabet(alphabet)
    known = Alphabet.of(alphabet)
    if numbered:
        if not 0 <= min(symbols) <= max(symbols) < len(known):
            raise DataError(
                f"expected numbers of symbols from 0 to {len(known) - 1}, found "
                f"{show(min(symbols))} to {show(max(symbols))}; number the symbols from 0 up, or "
                "write them as texts, which are names"
            )
        return Sequences.from_lists(words), known
    strange = sorted(set(symbols) - set(known))
    if strange and known.unknown is None:
        raise DataError(
            f"expected symbols of the alphabet of {len(known)}, found "
            f"{', '.join(map(show, strange[:SHOWN]))}"
            f"{' and others' if len(strange) > SHOWN else ''}; "
            "add them to the alphabet where the network knows them"
        )
    return known.encode(words), known


def check_alphabet(alphabet: Sequence[str]) -> None:
    """Raises DataError where a symbol occurs twice, is not a text, or is the only one.

    With one symbol sequences differ in length alone; it almost always means that the wrong column
    was read, or that symbols which the network knows do not happen to occur."""
    if not all(isinstance(symbol, str) for symbol in alphabet) or len(set(alphabet)) < len(
        alphabet
    ):
        raise DataError(
            "expected an alphabet of different texts, one for each symbol, in the order of their "
            "numbers"
        )
    if len(alphabet) < 2:
        raise DataError(
            "expected an alphabet of at least two symbols, got "
            f"{', '.join(map(show, alphabet)) or 'none'}: sequences of one symbol differ in length "
            "alone; look at how the symbols were read, or name all that the network knows"
        )


def read_table(path: Path) -> pd.DataFrame:
    """The columns symbols, and label, labels and split if there, of a CSV, TSV or Parquet file;
    other columns are left out.

    A cell of `symbols` or `labels` is a list of texts or, in any of these files, a text: of symbols
    set apart by blanks if any text of the column has blanks inside, else of characters. An empty
    cell is the empty sequence. A file without symbols may have `text`, of symbols set apart by
    blanks. Notes on what was left out are in the table's `attrs`.

    Raises:
        DataError: the file does not exist, is of no known kind, cannot be read, is empty or lacks
            the column."""
    table, notes = tables.read(path, ("symbols", "text"), (LABEL, LABELS))
    for name in ("symbols", LABELS):
        if name in table:
            table[name] = pd.Series(as_lists(table[name]), index=table.index, dtype=object)
    read = table[[name for name in ("symbols", LABEL, LABELS, "split") if name in table]]
    read.attrs["notes"] = notes
    return read


def build(
    table: pd.DataFrame,
    *,
    order: Sequence[str] | None,
    classes: Sequence[str] | None,
    sizes: Mapping[str, int | None],
    held_out: float,
    seed: int,
    target: str | None = None,
    min_count: int = 1,
    vectors: Path | None = None,
    learns_vectors: bool = False,
    normal: str | None = None,
) -> Dataset:
    """A dataset of labelled sequences of symbols to train on; `order` gives the order of the
    symbols, by value where all are whole numbers and else sorted unless given, and `classes` that
    of the classes in the same way.

    The labels are those of the column `label`, one for a sequence, or of `labels`, by the `target`
    one for each of its positions: classes, or numbers for "regression" and "number"; unless given,
    it is by the column "class" or "step". The target "next" needs none: what follows each prefix is
    learned. Symbols that occur less than `min_count` times in training are read as `<unk>`.
    `vectors` is a word2vec or GloVe text file. Where many of the test sequences occur in training,
    those that do not also make a split of their own, "unseen". Sequences without the label `normal`
    are anomalies, which stand in the test split alone, and what occurs in no training sequence is
    read as `<unk>` then.

    Raises:
        DataError: there are no labels, or sequences, alphabet, labels or vectors cannot be used."""
    notes, kind = list[str](table.attrs.get("notes", ())), target or _target(table)
    labels, names = None, tuple[str, ...]()
    notes += tables.unread(table, {LABEL, LABELS} - {READ.get(kind)}, kind)
    if kind != "next":
        labels, names = read_labels(labels_of(table, kind), kind, classes)
    by_row = labels if kind == "class" else None
    is_normal = None if normal is None else normal_rows(_column(table, LABEL), normal)
    rows = split_stratified(
        table,
        by_row,
        sizes=sizes,
        held_out=held_out,
        folds=None,
        fold=0,
        seed=seed,
        normal=is_normal,
    )
    if is_normal is not None:
        notes += left_out(is_normal, rows)
    known = order or _in_order(table["symbols"])
    if min_count > 1 or (is_normal is not None and order is None):
        training = chain.from_iterable(table["symbols"].iloc[rows["train"]])
        known, rare = _frequent(known, Counter(training), min_count)
        notes += rare
    words, alphabet = number(table["symbols"], known)
    matrix = None
    if vectors is not None:
        matrix, lacking = read_vectors(vectors, alphabet)
        notes += lacking
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=2)
    if labels is None:
        parts = {name: words.select(numbers) for name, numbers in rows.items()}
        anomalous = None
        if is_normal is not None:
            anomalous = {name: ~is_normal[numbers] for name, numbers in rows.items()}
        dataset = Dataset.of_next(alphabet, parts, anomalous)
    else:
        whole = Split(sequences=words, labels=labels, target=kind)
        splits = {name: whole.select(numbers) for name, numbers in rows.items()}
        dataset = Dataset(alphabet=alphabet, classes=names, splits=splits)
    if len(np.unique(dataset.splits["train"].labels)) < 2:
        what = "numbers" if TARGETS[kind].is_numeric else "classes"
        raise DataError(f"expected at least two {what} among the training labels, found one")
    return replace(
        dataset,
        splits={**dataset.splits, **unseen(dataset.splits)},
        vectors=matrix,
        notes=tuple(notes),
        learns_vectors=learns_vectors,
    )


def labels_of(table: pd.DataFrame, target: str) -> pd.Series:
    """The labels of the M positions of all sequences, by the kind of target.

    Raises:
        DataError: the table has no such labels, or not as many as a sequence has positions."""
    if TARGETS[target].predicts_once:
        return _column(table, LABEL)
    return _labels_of_positions(table, target)


def _target(table: pd.DataFrame) -> str:
    """What the columns of labels say is learned."""
    given = [name for name in (LABEL, LABELS) if name in table]
    if len(given) == 2:
        raise DataError(
            f"found both columns {LABEL!r} and {LABELS!r}: set dataset.target to class, one label "
            f"for a sequence, or to step, one for each symbol"
        )
    return "step" if given == [LABELS] else "class"


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table:
        raise DataError(
            f"expected a column {name!r} beside 'symbols': a network is trained on what is right"
        )
    return table[name]


def _labels_of_positions(table: pd.DataFrame, target: str) -> pd.Series:
    """The labels of all positions, one sequence after the other."""
    column, lengths = _column(table, LABELS), table["symbols"].map(len).to_numpy(np.int64)
    counts = TARGETS[target].counts(lengths)
    for row, (labels, count, length) in enumerate(zip(column, counts, lengths, strict=True), 1):
        if len(labels) != count:
            raise DataError(
                f"expected a label for each {TARGETS[target].position}, {count:,} in all, found "
                f"{len(labels):,} labels for {length:,} symbols in row {row}"
            )
    return pd.Series([*chain.from_iterable(column)], dtype=object, name=LABELS)


def _frequent(
    symbols: Sequence[str], counts: Mapping[str, int], least: int
) -> tuple[Alphabet, list[str]]:
    """The alphabet of the symbols that occur often enough and of the unknown one, and a note of
    how many others there are."""
    known = [symbol for symbol in symbols if counts[symbol] >= least]
    rare = len(symbols) - len(known)
    note = (
        f"{rare:,} of {len(symbols):,} symbols occur "
        f"{'never' if least == 1 else f'less than {least} times'} in training: they are read as "
        f"{UNKNOWN}"
    )
    alphabet = Alphabet(symbols=tuple(dict.fromkeys((UNKNOWN, *known))), unknown=0)
    return alphabet, [note] if rare else []


def _in_order(words: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """The symbols that occur: by value where all are whole numbers, else sorted."""
    return class_names(pd.Series(sorted(set(map(str, chain.from_iterable(words)))), dtype=object))


def as_lists(column: pd.Series) -> list[list[Any]]:
    """The symbols of each cell: of a list its entries, of a text what blanks set apart if any text
    of the column has blanks inside, else its characters."""
    cells = [
        "" if cell is None or cell is pd.NA or cell != cell else cell
        for cell in (cell.tolist() if isinstance(cell, np.ndarray) else cell for cell in column)
    ]
    apart = any(" " in cell.strip() for cell in cells if isinstance(cell, str))
    return [
        (cell.split() if apart else list(cell.strip())) if isinstance(cell, str) else list(cell)
        for cell in cells
    ]
