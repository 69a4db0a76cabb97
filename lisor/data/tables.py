"""Tables of labelled sequences: read from files, and dealt into splits.

Shapes: N rows, M of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Int

from lisor.data.text import SPLIT_NAMES
from lisor.errors import DataError
from lisor.randomness import stream, stream_seed

TIMES = ("time", "timestamp", "datetime", "date")
"""Names of columns that say when something happened, which is not read."""

FEWEST = 2
"""Rows of a class that a split by class needs."""


def read(path: Path, columns: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """The first of some columns that a CSV, TSV or Parquet file has, label and split if there, and notes of the rest.

    Raises:
        DataError: the file does not exist, is of no known kind, cannot be read, is empty or lacks the columns."""
    readers = {".csv": ",", ".tsv": "\t", ".parquet": None}
    ending = path.suffix.lower()
    if ending not in readers or not path.is_file():
        raise DataError(f"expected a .csv, .tsv or .parquet file of sequences, got {path}")
    try:
        if ending == ".parquet":
            table = pd.read_parquet(path)
        else:
            table = pd.read_csv(path, sep=readers[ending], dtype=str, keep_default_na=False, na_values=[""])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read as {ending[1:].upper()}: {' '.join(str(error).split())}") from None
    column = next((name for name in columns if name in table), None)
    if column is None or not len(table):
        found = ", ".join(map(repr, table.columns)) or "none"
        raise DataError(f"expected rows with a column '{columns[0]}' in {path.name}, found {len(table)} with {found}")
    kept = [column, *(name for name in ("label", "split") if name in table)]
    times = [name for name in table if str(name).lower() in TIMES]
    notes = [f"the column '{name}' is not read: what counts is the order of the symbols" for name in times]
    return table[kept].rename(columns={column: columns[0]}), notes


def deal(
    table: pd.DataFrame,
    labels: Int[np.ndarray, " N"],
    *,
    sizes: Mapping[str, int | None],
    held_out: float,
    folds: int | None,
    fold: int,
    seed: int,
) -> dict[str, Int[np.ndarray, " M"]]:
    """The rows of the splits train, validation, selection and test, each class dealt alike, at most as many as asked.

    The test split is that of the column `split`, or the part `fold` of so many `folds`, or the share `held_out` of all
    rows. Of the others the share `held_out` is validation, unless the column says which are, and half of validation is
    the selection split.

    Raises:
        DataError: a split has no rows, an unknown name, or training has one class only."""
    rng = stream(seed, "splits of rows")
    names = np.full(len(table), "train", object)
    if folds is not None:
        from sklearn.model_selection import StratifiedKFold

        if np.bincount(labels).min() < folds:
            raise DataError(f"{folds} folds need as many rows of each class, found {np.bincount(labels).min()}")
        folder = StratifiedKFold(folds, shuffle=True, random_state=stream_seed(seed, "folds"))
        parts = folder.split(np.zeros(len(labels)), labels)
        names[list(parts)[fold][1]] = "test"
    elif "split" in table and table["split"].nunique() > 1:
        given = table["split"].astype(str).str.lower().map(SPLIT_NAMES)
        if given.isna().any():
            odd = table["split"][given.isna()].iloc[0]
            raise DataError(f"expected 'train', 'validation' or 'test' in the column 'split', found {odd!r}")
        names = given.to_numpy(dtype=object)
    for name in ("test", "validation"):
        if name not in names:
            names[_some(np.flatnonzero(names == "train"), labels, held_out, rng)] = name
    names[_some(np.flatnonzero(names == "validation"), labels, 0.5, rng)] = "selection"
    found = {}
    for name in ("train", "validation", "selection", "test"):
        found[name] = np.sort(rng.permutation(np.flatnonzero(names == name))[: sizes.get(name)])
        if not len(found[name]):
            raise DataError(f"no rows are left for the split '{name}': {len(table)} rows are too few")
    if len(np.unique(labels[found["train"]])) < 2:
        raise DataError("expected at least two classes among the training rows, found one")
    return found


def _some(
    rows: Int[np.ndarray, " N"], labels: Int[np.ndarray, " N"], share: float, rng: np.random.Generator
) -> Int[np.ndarray, " M"]:
    """A share of the rows, of each class alike."""
    shuffled = rng.permutation(rows)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    take = np.diff(np.floor(np.arange(len(rows) + 1) * share + 1e-9)) > 0
    some: Int[np.ndarray, " M"] = by_class[take]
    return some
