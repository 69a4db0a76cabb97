"""Series of numbers as a dataset: read from a file or from aeon's wheel, split, and turned into
symbols.

Shapes: N series, T steps, C channels."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from lisor.alphabet import Alphabet
from lisor.data import forecasts, tables
from lisor.data.dataset import Dataset, Split
from lisor.data.kind import Kind
from lisor.data.labels import normal_rows, read_labels
from lisor.data.splits import left_out, split_stratified
from lisor.errors import DataError, DataWarning, show
from lisor.quantizer import check, fit, parse_series
from lisor.settings.series import (
    AEON,
    AEON_LONG,
    AEON_NUMBERS,
    SeriesSettings,
    is_packaged,
)

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
        if is_packaged(settings.series):
            table = load_aeon(settings.series.removeprefix(AEON))
        else:
            steps = settings.horizon is not None
            table = read_table(files["series"], settings.groups, steps=steps)
        return build(
            table,
            horizon=settings.horizon,
            sequence_length=settings.pieces,
            method=settings.quantizer,
            symbol_count=settings.symbol_count,
            window=settings.window,
            sizes=settings.sizes,
            held_out=settings.held_out,
            folds=settings.folds,
            fold=settings.fold or 0,
            seed=settings.seed,
            target=settings.known_target,
            normal=settings.normal,
            groups=settings.groups,
        )


def read_table(path: Path, groups: str | None = None, *, steps: bool = False) -> pd.DataFrame:
    """The columns series, the one of `groups`, and label and split if there, of a CSV, TSV or
    Parquet file.

    A cell of `series` is a list of numbers, or of lists for several channels: a list for each step.
    In a text file it is such a list as JSON, or numbers with blanks between. What is read is an
    array [T, C] for each row. A file without that column may be a single series if its rows may be
    `steps`: its columns of numbers are the channels.

    Raises:
        DataError: the file cannot be read, lacks the column, or a cell is not such a list."""
    if steps:
        table, names = tables.read_columns(path, (COLUMN,))
        if COLUMN not in table:
            return _read_steps(path, names)
    named = () if groups is None else (groups,)
    table, notes = tables.read(path, (COLUMN,), (*named, "label"))
    if groups is not None and groups not in table:
        raise DataError(f"expected a column {groups!r} beside '{COLUMN}', as dataset.groups says")
    cells = [parse_series(cell, number) for number, cell in enumerate(table[COLUMN], 1)]
    table[COLUMN] = pd.Series(cells, dtype=object, index=table.index)
    table.attrs["notes"] = notes
    return table


def _read_steps(path: Path, names: list[str]) -> pd.DataFrame:
    """A single series whose steps are the rows of a file, and its channels the columns of
    numbers."""
    table, _ = tables.read_columns(path, names)
    numbers = table.apply(pd.to_numeric, errors="coerce")
    channels = [name for name in names if numbers[name].notna().any()]
    if not channels:
        raise DataError(
            f"expected a column '{COLUMN}', or columns of numbers with a row for each step, in "
            f"{path.name}, found {tables.name_columns(names)}"
        )
    array = numbers[channels].to_numpy(float)
    if not np.isfinite(array).all():
        step, channel = np.argwhere(~np.isfinite(array))[0]
        raise DataError(
            f"expected a number in every cell of {path.name}, but the column "
            f"{show(channels[channel])} has {show(table[channels[channel]].iloc[step])} in row "
            f"{step + 1}; fill it in or take the column out"
        )
    series = pd.DataFrame({COLUMN: pd.Series([array], dtype=object)})
    series.attrs["channels"] = tuple(map(str, channels))
    series.attrs["notes"] = [
        f"{path.name} is read as one series of {len(array):,} steps with the channels "
        f"{tables.name_columns(channels)}",
        *(
            f"the column '{name}' has no numbers and is not read"
            for name in names
            if name not in channels
        ),
    ]
    return series


def load_aeon(name: str) -> pd.DataFrame:
    """The series, label and split of one of the datasets inside aeon's wheel (Middlehurst et al.,
    2024).

    Raises:
        DataError: aeon is not installed."""
    try:
        import aeon.datasets as datasets
    except ImportError:
        raise DataError(
            f"aeon:{name} lies in the package aeon; run: pip install 'lisor[aeon]'"
        ) from None
    if name in AEON_LONG:
        loads = {
            "ElectricDevices": datasets.load_electric_devices_segmentation,
            "KDD-TSAD_135": datasets.load_kdd_tsad_135,
        }
        one = np.asarray(loads[name]()[0], np.float64)[:, None]
        return pd.DataFrame({COLUMN: pd.Series([one], dtype=object)})
    load, parts = datasets.load_classification, []
    if name in AEON_NUMBERS:
        load = datasets.load_regression
    for split in ("train", "test"):
        series, labels = load(name, split=split)
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
    target: str = "class",
    horizon: int | None = None,
    sequence_length: int = 0,
    normal: str | None = None,
    groups: str | None = None,
) -> Dataset:
    """A dataset of labelled series, with the target "next" of what follows each symbol, or with
    "number" of what comes `horizon` steps after each window of pieces of the series; what makes
    symbols of numbers is fitted to the training split alone. Series without the label `normal` are
    anomalies, which stand in the test split alone.

    Raises:
        DataError: labels are missing, of one class or too few, or the series cannot be turned into
            symbols."""
    check(list(table[COLUMN]), window, table[COLUMN].iloc[0].shape[1])
    labels: np.ndarray | None = None
    is_normal = anomalous = None
    classes, channels = tuple[str, ...](), table[COLUMN].iloc[0].shape[1]
    if horizon is not None:
        pieces = forecasts.cut(
            table,
            window=window,
            horizon=horizon,
            sequence_length=sequence_length,
            sizes=sizes,
            held_out=held_out,
            seed=seed,
        )
        names = table.attrs.get("channels") or _channel_names(channels)
        classes = tuple(f"{name} in {horizon} step{'s' * (horizon > 1)}" for name in names)
        series = {name: split.series for name, split in pieces.items()}
        known = {name: split.ahead for name, split in pieces.items()}
    else:
        if target != "next":
            labels, classes = read_labels(_column(table), target)
        if normal is not None:
            is_normal = normal_rows(_column(table), normal)
        rows = split_stratified(
            table,
            labels if target == "class" else None,
            sizes=sizes,
            held_out=held_out,
            folds=folds,
            fold=fold,
            seed=seed,
            normal=is_normal,
            groups=None if groups is None else table[groups],
        )
        series = {name: table[COLUMN].iloc[numbers].tolist() for name, numbers in rows.items()}
        known = {} if labels is None else {name: labels[numbers] for name, numbers in rows.items()}
        if is_normal is not None:
            anomalous = {name: ~is_normal[numbers] for name, numbers in rows.items()}
    quantizer = fit(series["train"], method=method, symbols=symbol_count, window=window, seed=seed)
    sequences = {name: quantizer.read(one) for name, one in series.items()}
    left = max(len(one) % window for one in table[COLUMN])
    notes = [*table.attrs.get("notes", ())]
    notes += tables.unread(table, {"label"} if target == "next" else set(), target)
    if left:
        notes.append(
            f"up to {left} steps at the end of a series fill no window of {window} and are not read"
        )
    if is_normal is not None:
        notes += left_out(is_normal, rows)
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=2)
    if groups is not None:
        tested = sorted(map(str, table[groups].iloc[rows["test"]].unique()))
        notes.append(f"rows for testing are those whose {groups} is {', '.join(tested)}")
    alphabet = Alphabet(symbols=quantizer.names, quantizer=quantizer)
    if target == "next":
        dataset = Dataset.of_next(alphabet, sequences, anomalous)
    else:
        splits = {
            name: Split(sequences=sequences[name], labels=values, target=target)
            for name, values in known.items()
        }
        dataset = Dataset(alphabet=alphabet, classes=classes, splits=splits)
    vectors = quantizer.prototypes.astype(np.float32)
    return replace(dataset, vectors=vectors, notes=tuple(notes))


def _column(table: pd.DataFrame) -> pd.Series:
    if "label" not in table:
        raise DataError(
            "expected a column 'label' beside 'series': it says what is right, or what is normal"
        )
    return table["label"]


def _channel_names(channels: int) -> tuple[str, ...]:
    return ("value",) if channels == 1 else tuple(f"channel {n}" for n in range(1, channels + 1))
