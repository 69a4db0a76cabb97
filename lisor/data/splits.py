"""Rows of a table assigned to splits.

Shapes: N rows, M of a split."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int, Shaped

from lisor.data.dataset import Split
from lisor.errors import DataError, show
from lisor.randomness import stream, stream_seed

SPLIT_NAMES = {"train": "train", "test": "test"} | dict.fromkeys(
    ("validation", "valid", "val", "dev"), "validation"
)

NAMES = ("train", "validation", "selection", "test")
"""The splits that rows are assigned to."""

ANOMALY = "anomaly"
"""The split of anomalies that are not for testing, which nothing reads."""


def split_names(column: pd.Series) -> Shaped[np.ndarray, " N"]:
    """The split of each row, by the column that names it.

    Raises:
        DataError: a row has no split, or an unknown one."""
    named = column.astype(object).map(lambda cell: SPLIT_NAMES.get(str(cell).strip().lower()))
    if named.isna().any():
        row = int(np.flatnonzero(named.isna())[0])
        odd = column.iloc[row]
        raise DataError(
            f"expected 'train', 'validation' or 'test' in the column 'split', found "
            f"{'none' if pd.isna(odd) else show(odd)} in row {row + 1}"
        )
    names: Shaped[np.ndarray, " N"] = named.to_numpy(dtype=object)
    return names


def split_stratified(
    table: pd.DataFrame,
    labels: Int[np.ndarray, " N"] | None,
    *,
    sizes: Mapping[str, int | None],
    held_out: float,
    folds: int | None,
    fold: int,
    seed: int,
    normal: Bool[np.ndarray, " N"] | None = None,
    groups: pd.Series | None = None,
) -> dict[str, Int[np.ndarray, " M"]]:
    """The rows of the splits train, validation, selection and test, stratified where rows have
    `labels` or are `normal` or not, at most as many as `sizes` say. Rows that are not normal stand
    in the test split alone.

    The test split is that of the column `split`, or the part `fold` of so many `folds`, or the
    share `held_out` of all rows; rows of one of the `groups` are in one part. Of the others the
    share `held_out` is validation, unless the column says which are, and half of validation is the
    selection split.

    Raises:
        DataError: a split has no rows, an unknown name, training has one class only, or there are
            fewer groups than parts."""
    rng, classes = stream(seed, "splits of rows"), labels
    kinds = np.zeros(len(table), np.int64) if normal is None else normal.astype(np.int64)
    labels = kinds if classes is None else classes
    names = np.full(len(table), "train", object)
    if folds is not None and groups is not None:
        names[_fold_of_groups(groups, folds) == fold] = "test"
    elif folds is not None:
        from sklearn.model_selection import StratifiedKFold

        if np.bincount(labels).min() < folds:
            raise DataError(
                f"{folds} folds need as many rows of each class, found {np.bincount(labels).min()}"
            )
        folder = StratifiedKFold(folds, shuffle=True, random_state=stream_seed(seed, "folds"))
        parts = folder.split(np.zeros(len(labels)), labels)
        names[list(parts)[fold][1]] = "test"
    elif "split" in table:
        names = split_names(table["split"])
    for name in ("test", "validation"):
        if name not in names:
            names[_stratified(np.flatnonzero(names == "train"), labels, held_out, rng)] = name
    names[_stratified(np.flatnonzero(names == "validation"), labels, 0.5, rng)] = "selection"
    if normal is not None:
        names[~normal & (names != "test")] = ANOMALY
    rows = {name: draw_rows(names, name, sizes.get(name), rng) for name in NAMES}
    if classes is not None and len(np.unique(labels[rows["train"]])) < 2:
        raise DataError("expected at least two classes among the training rows, found one")
    return rows


def left_out(
    normal: Bool[np.ndarray, " N"], rows: Mapping[str, Int[np.ndarray, " M"]]
) -> list[str]:
    """A note of how many rows that are not normal are for testing, and how many are not read.

    Raises:
        DataError: the test split has none, or none but those."""
    tested, count = int((~normal[rows["test"]]).sum()), int((~normal).sum())
    if not 0 < tested < len(rows["test"]):
        raise DataError(
            f"expected normal rows and others in the test split, found {tested:,} others among "
            f"{len(rows['test']):,}; look at the column 'split', or raise dataset.held_out"
        )
    return [
        f"{tested:,} of {count:,} sequences that are not normal are for testing, the others are "
        "not read"
    ]


def _fold_of_groups(groups: pd.Series, folds: int) -> Int[np.ndarray, " N"]:
    """The fold of each row: the largest groups first, each goes to the fold with the fewest rows so
    far."""
    if groups.isna().any() or groups.nunique() < folds:
        raise DataError(
            f"{folds} folds need as many groups, one for each row, found {groups.nunique()} "
            f"different values in the column '{groups.name}', {int(groups.isna().sum())} rows "
            "without"
        )
    parts, sizes = dict[object, int](), np.zeros(folds, np.int64)
    counts = groups.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    for group, count in counts.items():
        parts[group] = int(sizes.argmin())
        sizes[parts[group]] += count
    folds_of_rows: Int[np.ndarray, " N"] = groups.map(parts).to_numpy(np.int64)
    return folds_of_rows


def draw_rows(
    names: Shaped[np.ndarray, " N"],
    name: str,
    size: int | None,
    rng: np.random.Generator,
    *,
    may_be_empty: bool = False,
) -> Int[np.ndarray, " M"]:
    """The rows of the split `name`, at most `size`, in order.

    Raises:
        DataError: there are none, and it may not be empty."""
    rows = np.sort(rng.permutation(np.flatnonzero(names == name))[:size])
    if not len(rows) and not may_be_empty:
        raise DataError(f"no rows are left for the split '{name}': {len(names)} rows are too few")
    return rows


def _stratified(
    rows: Int[np.ndarray, " N"],
    labels: Int[np.ndarray, " N"],
    share: float,
    rng: np.random.Generator,
) -> Int[np.ndarray, " M"]:
    """A share of the rows, of each class alike."""
    shuffled = rng.permutation(rows)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    take = np.diff(np.floor(np.arange(len(rows) + 1) * share + 1e-9)) > 0
    return np.asarray(by_class[take])


MAX_REPEATED = 0.02
"""Share of test sequences that may occur in training before the others are also scored apart."""


def unseen(splits: Mapping[str, Split]) -> dict[str, Split]:
    """The test sequences that training did not have, as the split "unseen", where `MAX_REPEATED`
    are exceeded."""
    trained, test = set(splits["train"].sequences.keys()), splits["test"]
    rows = np.flatnonzero([key not in trained for key in test.sequences.keys()])  # noqa: SIM118
    if not 0 < len(rows) < (1 - MAX_REPEATED) * len(test):
        return {}
    return {"unseen": test.select(rows)}


def split_texts(table: pd.DataFrame, rng: np.random.Generator) -> Shaped[np.ndarray, " N"]:
    """The name of the split of each row.

    Raises:
        DataError: the column 'split' has a row without a split, or with an unknown one."""
    splits = (
        split_names(table["split"]) if "split" in table else np.full(len(table), "train", object)
    )
    given = set(splits)
    for name in ("test", "validation"):
        if name not in given:
            whole = len(table) if "split" not in table else int((splits == "train").sum())
            train = rng.permutation(np.flatnonzero(splits == "train"))
            splits[train[: round(0.15 * whole)]] = name
    validation = rng.permutation(np.flatnonzero(splits == "validation"))
    splits[validation[: len(validation) // 2]] = "selection"
    return splits


def split_external(
    table: pd.DataFrame, *, sizes: Mapping[str, int | None], seed: int
) -> dict[str, Int[np.ndarray, " M"]]:
    """The rows of each split, at most as many as its size says.

    Without a column `split` half of the rows are for validation, whose hidden states are clustered,
    a quarter for selection and a quarter for test: the network is trained already. With one it is
    as for texts.

    Raises:
        DataError: a split has no rows, or an unknown name."""
    rng = stream(seed, "splits of sequences")
    if "split" in table:
        names = split_texts(table, rng)
    else:
        quarters = np.array(["validation", "validation", "selection", "test"])
        names = quarters[rng.permutation(len(table)) % 4]
    return {
        name: draw_rows(names, name, sizes.get(name), rng, may_be_empty=name == "train")
        for name in (NAMES if "split" in table else NAMES[1:])
    }
