"""Series of numbers as a data set: read from a file or from aeon's wheel, split, and turned into symbols.

Shapes: N series, T steps, C channels."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lisor.data import symbols, tables
from lisor.data.dataset import Dataset, Split
from lisor.data.quantizer import Series, check, fit
from lisor.errors import DataError, DataWarning, show

COLUMN = "series"


def read_table(path: Path) -> pd.DataFrame:
    """The columns series, and label and split if there, of a CSV, TSV or Parquet file.

    A cell of `series` is a list of numbers, or of lists for several channels: a list for each step. In a text file it
    is such a list as JSON, or numbers with blanks between. What is read is an array [T, C] for each row.

    Raises:
        DataError: the file cannot be read, lacks the column, or a cell is not such a list."""
    table, notes = tables.read(path, (COLUMN,))
    cells = [parse(cell, number) for number, cell in enumerate(table[COLUMN], 1)]
    found = table.assign(**{COLUMN: pd.Series(cells, dtype=object, index=table.index)})
    found.attrs["notes"] = notes
    return found


def load_aeon(name: str) -> pd.DataFrame:
    """The series, label and split of one of the data sets inside aeon's wheel (Middlehurst et al., 2024).

    Raises:
        DataError: aeon is not installed."""
    try:
        from aeon.datasets import load_classification
    except ImportError:
        raise DataError(f"aeon:{name} lies in the package aeon; say: pip install 'lisor[aeon]'") from None
    parts = []
    for split in ("train", "test"):
        series, labels = load_classification(name, split=split)
        cells = pd.Series([np.asarray(one, np.float64).T for one in series], dtype=object)
        parts.append(pd.DataFrame({COLUMN: cells, "label": labels, "split": split}))
    return pd.concat(parts, ignore_index=True)


def build(
    table: pd.DataFrame,
    *,
    method: str,
    symbol_count: int,
    window: int,
    sizes: Mapping[str, int | None],
    held_out: float,
    folds: int | None,
    fold: int,
    seed: int,
) -> Dataset:
    """A data set of labelled series; what makes symbols of numbers is fitted to the training split alone.

    Raises:
        DataError: labels are missing, of one class or too few, or the series cannot be turned into symbols."""
    if "label" not in table:
        raise DataError("expected a column 'label' beside 'series': a network is trained on what is right")
    check(list(table[COLUMN]), window, table[COLUMN].iloc[0].shape[1])
    labels, classes = symbols.number_labels(table["label"], None)
    rows = tables.deal(table, labels, sizes=sizes, held_out=held_out, folds=folds, fold=fold, seed=seed)
    series = {name: [table[COLUMN].iloc[row] for row in own] for name, own in rows.items()}
    quantizer = fit(series["train"], method=method, symbols=symbol_count, window=window, seed=seed)
    splits = {name: Split(sequences=quantizer.read(own), labels=labels[rows[name]]) for name, own in series.items()}
    left = max(len(one) % window for one in table[COLUMN])
    notes = [*table.attrs.get("notes", ())]
    notes += [f"up to {left} steps at the end of a series fill no window of {window} and are not read"] if left else []
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=2)
    return Dataset(
        vocabulary=quantizer.names,
        classes=classes,
        splits=splits,
        vectors=quantizer.prototypes.astype(np.float32),
        quantizer=quantizer,
        notes=tuple(notes),
    )


def parse(cell: Any, number: int = 1) -> Series:
    """A series as an array of steps by channels: from numbers, lists of them, or a text of either.

    Raises:
        DataError: it is none; a message names its row by `number`."""
    given = cell
    try:
        if isinstance(cell, str):
            cell = json.loads(cell) if cell.lstrip().startswith("[") else cell.split()
        steps = [] if cell is None or (isinstance(cell, float) and cell != cell) else [*cell]
        widths = {len(step) for step in steps if not isinstance(step, str | int | float | None | np.generic)}
        nested = [not isinstance(step, str | int | float | None | np.generic) for step in steps]
        if len(widths) > 1 or len(set(nested)) > 1:
            found = " and ".join(map(str, sorted(widths))) if len(widths) > 1 else "single numbers and lists"
            raise DataError(f"expected as many channels at every step, but series {number} has {found}")
        array = np.array([[step] if not inner else [*step] for step, inner in zip(steps, nested, strict=True)], float)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise _no_series(given, number) from None
    if array.ndim > 2:
        raise _no_series(given, number)
    if not array.size:
        raise DataError(f"expected numbers in row {number} of the column 'series', found none")
    return array


def _no_series(cell: object, number: int) -> DataError:
    return DataError(
        f"expected a list of numbers, or of lists of numbers for several channels, in row {number} of 'series', got "
        f"{show(cell)}"
    )
