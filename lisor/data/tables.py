"""Tables of labelled sequences: read from files, and dealt into splits.

Shapes: N rows, M of a split."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Int, Shaped

from lisor.errors import DataError, show
from lisor.files import ENDINGS, MAX_BYTES, check_file, check_text
from lisor.randomness import stream, stream_seed

SPLIT_NAMES = {"train": "train", "test": "test"} | dict.fromkeys(("validation", "valid", "val", "dev"), "validation")

TIMES = ("time", "timestamp", "datetime", "date")
"""Names of columns that say when something happened, which is not read."""

FEWEST = 2
"""Rows of a class that a split by class needs."""

MAX_ROWS = 10_000_000
"""Of a table that is held in memory."""

MAX_VALUES = 100_000_000
"""Numbers and texts of a column's cells, all rows together."""

MAX_COLUMNS = 10_000

MAX_NAMED = 6
"""Columns that a message names."""

_HEADER_BYTES = 2**20


def read_columns(path: Path, columns: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Those of some columns that a CSV, TSV or Parquet file has, and the names of all that it has.

    Raises:
        DataError: the file does not exist, is of no known kind, cannot be read, has a column twice or one of the wrong
            type, or would fill the memory."""
    ending = path.suffix.lower()
    kind = "Parquet" if ending == ".parquet" else ending[1:].upper()
    if ending not in ENDINGS:
        raise DataError(f"expected a .csv, .tsv or .parquet file of sequences, got {path.name}")
    try:
        if ending == ".parquet":
            return _read_parquet(path, columns)
        table = read_csv(path, "\t" if ending == ".tsv" else ",", columns)
    except (pa.ArrowException, OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"{path.name} cannot be read as {kind}: {error}") from None
    return table[[name for name in columns if name in table]], list(table.columns)


def read_csv(path: Path, separator: str, columns: Sequence[str]) -> pd.DataFrame:
    """A table of texts from a CSV file, in which an empty cell is missing; each of the `columns` is there once at most.

    Raises:
        DataError: it has too many columns, one of those twice, or rows of more cells than its header.
        OSError, ValueError: it cannot be read."""
    check_text(path)
    with path.open("rb") as file:
        lines = file.readline(_HEADER_BYTES).splitlines()
    header = next(csv.reader([lines[0].decode("utf-8-sig", "replace")], delimiter=separator), []) if lines else []
    if len(header) > MAX_COLUMNS:
        raise DataError(f"{path.name} has {len(header):,} columns, and at most {MAX_COLUMNS:,} are read")
    check_names(header, columns, path)
    table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, na_values=[""])
    if not isinstance(table.index, pd.RangeIndex):
        raise DataError(f"{path.name} has rows of more cells than its header; put texts with a separator in quotes")
    return table


def _read_parquet(path: Path, columns: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    check_file(path, MAX_BYTES)
    with open_parquet(path) as file:
        schema = file.schema.to_arrow_schema()
        names = [name for name in columns if name in schema.names]
        check_names(schema.names, columns, path)
        for name in names:
            check_type(name, schema.field(name).type, path)
        if file.metadata.num_rows > MAX_ROWS:
            raise DataError(f"{path.name} has {file.metadata.num_rows:,} rows, and at most {MAX_ROWS:,} are read")
        check_groups(file, names, path, range(file.num_row_groups))
        if sum(map(unpacked_bytes, file.read(names).columns)) > MAX_BYTES:
            raise DataError(f"{path.name} has more than {MAX_BYTES:,} bytes when it is unpacked: read a part of it")
    with pq.ParquetFile(path) as file:
        read = file.read(names)
    read.validate(full=True)
    table: pd.DataFrame = read.to_pandas(ignore_metadata=True)
    return table, list(schema.names)


def open_parquet(path: Path) -> pq.ParquetFile:
    """A Parquet file whose columns of texts are read as dictionaries, in which a text takes its place once."""
    with pq.ParquetFile(check_file(path)) as file:
        metadata = file.metadata
        leaves = [file.schema.column(number) for number in range(metadata.num_columns)]
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    return pq.ParquetFile(path, read_dictionary=texts)


def check_groups(file: pq.ParquetFile, names: Sequence[str], path: Path, groups: Iterable[int]) -> None:
    """Refuse what is small on disk and large in memory, by what the file says of some of its parts.

    Raises:
        DataError: the columns have more values or bytes than are read."""
    values = size = 0
    for group in groups:
        rows = file.metadata.row_group(group)
        columns = [rows.column(number) for number in range(rows.num_columns)]
        wanted = [column for column in columns if column.path_in_schema.partition(".")[0] in names]
        values += max((column.num_values for column in wanted), default=0)
        size += sum(column.total_uncompressed_size for column in wanted)
    if values > MAX_VALUES or size > MAX_BYTES:
        raise DataError(
            f"{path.name} has {values:,} values of {size:,} bytes; at most {MAX_VALUES:,} and {MAX_BYTES:,} are read"
        )


def unpacked_bytes(array: pa.Array | pa.ChunkedArray) -> int:
    """The bytes of an array without dictionaries."""
    if isinstance(array, pa.ChunkedArray):
        return sum(map(unpacked_bytes, array.chunks))
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_fixed_size_list(array.type):
        return unpacked_bytes(array.flatten())
    if not pa.types.is_dictionary(array.type):
        return int(array.nbytes)
    lengths = pc.binary_length(array.dictionary).cast(pa.int64())
    return int(pc.sum(lengths.take(array.indices)).as_py() or 0)


def check_names(names: Sequence[str], columns: Sequence[str], path: Path) -> None:
    """Raises DataError where one of some columns is there twice."""
    twice = next((name for name in columns if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"expected one column {twice!r} in {path.name}, found {name_columns(names)}; rename the others")


def check_type(name: str, kind: pa.DataType, path: Path) -> None:
    """Raises DataError where a column cannot be what its name says: sequences, texts, labels, splits."""
    types, inner = pa.types, kind
    while types.is_list(inner) or types.is_large_list(inner) or types.is_fixed_size_list(inner):
        inner = inner.value_type
    nested = inner is not kind
    if types.is_dictionary(inner):
        inner = inner.value_type
    fits = types.is_string(inner) or types.is_large_string(inner) or types.is_string_view(inner)
    number = types.is_integer(inner) or types.is_floating(inner) or types.is_decimal(inner)
    if name == "label":
        expected, good = "labels", not nested and (fits or number or types.is_boolean(inner) or types.is_null(inner))
    elif name == "text":
        expected, good = "texts", not nested and fits
    elif name == "split":
        expected, good = "texts", not nested and (fits or types.is_null(inner))
    else:
        expected, good = "texts or lists", fits or (nested and number)
    if not good:
        raise DataError(f"expected {expected} in the column '{name}' of {path.name}, found {kind}")


def name_columns(names: Iterable[object]) -> str:
    """The names of a table's columns as a message shows them."""
    every = list(names)
    shown = ", ".join(map(show, every[:MAX_NAMED])) or "none"
    return f"{shown} and {len(every) - MAX_NAMED:,} others" if len(every) > MAX_NAMED else shown


def read(path: Path, columns: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """The first of some columns that a CSV, TSV or Parquet file has, label and split if there, and notes of the rest.

    Raises:
        DataError: the file does not exist, is of no known kind, cannot be read, is empty or lacks the columns."""
    table, names = read_columns(path, (*columns, "label", "split"))
    column = next((name for name in columns if name in table), None)
    if column is None or not len(table):
        found = name_columns(names)
        raise DataError(f"expected rows with a column '{columns[0]}' in {path.name}, found {len(table)} with {found}")
    kept = [column, *(name for name in ("label", "split") if name in table)]
    times = [name for name in names if str(name).lower() in TIMES]
    notes = [f"the column '{name}' is not read: what counts is the order of the symbols" for name in times]
    return table[kept].rename(columns={column: columns[0]}), notes


def split_names(column: pd.Series) -> Shaped[np.ndarray, " N"]:
    """The split of each row, by the column that names it.

    Raises:
        DataError: a row has no split, or an unknown one."""
    named = column.astype(object).map(lambda cell: SPLIT_NAMES.get(str(cell).strip().lower()))
    if named.isna().any():
        row = int(np.flatnonzero(named.isna())[0])
        odd = column.iloc[row]
        found = "none" if pd.isna(odd) else show(odd)
        raise DataError(
            f"expected 'train', 'validation' or 'test' in the column 'split', found {found} in row {row + 1}"
        )
    names: Shaped[np.ndarray, " N"] = named.to_numpy(dtype=object)
    return names


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
    elif "split" in table:
        names = split_names(table["split"])
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
