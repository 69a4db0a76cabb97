"""Series of numbers as a dataset: read from a file or from aeon's wheel, split, and turned into
symbols.

Shapes: N series, T steps, C channels."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from lisor.alphabet import Alphabet
from lisor.data import tables
from lisor.data.dataset import Dataset, Split
from lisor.data.kind import Kind
from lisor.data.labels import number_labels
from lisor.data.splits import split_stratified
from lisor.errors import DataError, DataWarning
from lisor.quantizer import check, fit, parse_series
from lisor.settings.series import AEON, SeriesSettings, is_packaged

COLUMN = "series"


class SeriesData(Kind[SeriesSettings]):
    """Labelled series of numbers, with symbols made of them."""

    def files(self, settings: SeriesSettings) -> dict[str, str]:
        """The file of the series, unless they lie in aeon's wheel."""
        return {} if is_packaged(settings.series) else {"series": settings.series}

    def build(
        self, settings: SeriesSettings, files: Mapping[str, Path], *, vector_size: int | None = None
    ) -> Dataset:
        """Series, split and turned into symbols."""
        packaged = is_packaged(settings.series)
        name = settings.series.removeprefix(AEON)
        return build(
            load_aeon(name) if packaged else read_table(files["series"]),
            method=settings.quantizer,
            symbol_count=settings.symbol_count,
            window=settings.window,
            sizes=settings.sizes,
            held_out=settings.held_out,
            folds=settings.folds,
            fold=settings.fold or 0,
            seed=settings.seed,
        )


def read_table(path: Path) -> pd.DataFrame:
    """The columns series, and label and split if there, of a CSV, TSV or Parquet file.

    A cell of `series` is a list of numbers, or of lists for several channels: a list for each step.
    In a text file it is such a list as JSON, or numbers with blanks between. What is read is an
    array [T, C] for each row.

    Raises:
        DataError: the file cannot be read, lacks the column, or a cell is not such a list."""
    table, notes = tables.read(path, (COLUMN,))
    cells = [parse_series(cell, number) for number, cell in enumerate(table[COLUMN], 1)]
    table[COLUMN] = pd.Series(cells, dtype=object, index=table.index)
    table.attrs["notes"] = notes
    return table


def load_aeon(name: str) -> pd.DataFrame:
    """The series, label and split of one of the datasets inside aeon's wheel (Middlehurst et al.,
    2024).

    Raises:
        DataError: aeon is not installed."""
    try:
        from aeon.datasets import load_classification
    except ImportError:
        raise DataError(
            f"aeon:{name} lies in the package aeon; run: pip install 'lisor[aeon]'"
        ) from None
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
    """A dataset of labelled series; what makes symbols of numbers is fitted to the training split
    alone.

    Raises:
        DataError: labels are missing, of one class or too few, or the series cannot be turned into
            symbols."""
    if "label" not in table:
        raise DataError(
            "expected a column 'label' beside 'series': a network is trained on what is right"
        )
    check(list(table[COLUMN]), window, table[COLUMN].iloc[0].shape[1])
    labels, classes = number_labels(table["label"], None)
    rows = split_stratified(
        table, labels, sizes=sizes, held_out=held_out, folds=folds, fold=fold, seed=seed
    )
    series = {name: table[COLUMN].iloc[numbers].tolist() for name, numbers in rows.items()}
    quantizer = fit(series["train"], method=method, symbols=symbol_count, window=window, seed=seed)
    splits = {
        name: Split(sequences=quantizer.read(series[name]), labels=labels[numbers])
        for name, numbers in rows.items()
    }
    left = max(len(one) % window for one in table[COLUMN])
    notes = [*table.attrs.get("notes", ())]
    if left:
        notes.append(
            f"up to {left} steps at the end of a series fill no window of {window} and are not read"
        )
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=2)
    return Dataset(
        alphabet=Alphabet(symbols=quantizer.names, quantizer=quantizer),
        classes=classes,
        splits=splits,
        vectors=quantizer.prototypes.astype(np.float32),
        notes=tuple(notes),
    )
