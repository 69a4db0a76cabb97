"""Tables of labelled sequences: read from files, and checked.

Shapes: N rows."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lisor.errors import DataError, show
from lisor.files import ENDINGS, MAX_BYTES, check_file, check_text

TIMES = ("time", "timestamp", "datetime", "date")
"""Names of columns that say when something happened, which is not read."""

LISTS = ("symbols", "labels", "series", "source", "target")
"""Columns whose cells are sequences; others have a text or a number in each cell."""

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
        DataError: the file does not exist, is of no known kind, cannot be read, has a column twice
            or one of the wrong type, or would fill the memory."""
    ending = path.suffix.lower()
    kind = "Parquet" if ending == ".parquet" else ending[1:].upper()
    if ending not in ENDINGS:
        raise DataError(f"expected a .csv, .tsv or .parquet file of sequences, got {path.name}")
    try:
        if ending == ".parquet":
            return _read_parquet(path, columns)
        table = read_csv(path, "\t" if ending == ".tsv" else ",", columns)
    # pandas' parser errors are ValueErrors
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read as {kind}: {error}") from None
    return table[[name for name in columns if name in table]], list(table.columns)


def read_csv(path: Path, separator: str, columns: Sequence[str]) -> pd.DataFrame:
    """A table of texts from a CSV file, in which an empty cell is missing; each of the `columns` is
    there once at most.

    Raises:
        DataError: it has too many columns, one of those twice, or rows of more cells than its
            header.
        OSError, ValueError: it cannot be read."""
    check_text(path)
    with path.open("rb") as file:
        lines = file.readline(_HEADER_BYTES).splitlines()
    header = (
        next(csv.reader([lines[0].decode("utf-8-sig", "replace")], delimiter=separator), [])
        if lines
        else []
    )
    if len(header) > MAX_COLUMNS:
        raise DataError(
            f"{path.name} has {len(header):,} columns, and at most {MAX_COLUMNS:,} are read"
        )
    check_names(header, columns, path)
    table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, na_values=[""])
    if not isinstance(table.index, pd.RangeIndex):
        raise DataError(
            f"{path.name} has rows of more cells than its header; "
            "put texts with a separator in quotes"
        )
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
            raise DataError(
                f"{path.name} has {file.metadata.num_rows:,} rows, and at most {MAX_ROWS:,} are "
                f"read"
            )
        check_groups(file, names, path, range(file.num_row_groups))
        if sum(map(unpacked_bytes, file.read(names).columns)) > MAX_BYTES:
            raise DataError(
                f"{path.name} has more than {MAX_BYTES:,} bytes when it is unpacked: "
                "read a part of it"
            )
    with pq.ParquetFile(path) as file:
        read = file.read(names)
    read.validate(full=True)
    table: pd.DataFrame = read.to_pandas(ignore_metadata=True)
    return table, list(schema.names)


def open_parquet(path: Path) -> pq.ParquetFile:
    """A Parquet file whose columns of texts are read as dictionaries, in which a text takes its
    place once."""
    with pq.ParquetFile(check_file(path)) as file:
        metadata = file.metadata
        leaves = [file.schema.column(number) for number in range(metadata.num_columns)]
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    return pq.ParquetFile(path, read_dictionary=texts)


def check_groups(
    file: pq.ParquetFile, names: Sequence[str], path: Path, groups: Iterable[int]
) -> None:
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
            f"{path.name} has {values:,} values of {size:,} bytes; at most {MAX_VALUES:,} and "
            f"{MAX_BYTES:,} are read"
        )


def unpacked_bytes(array: pa.Array | pa.ChunkedArray) -> int:
    """The bytes of an array without dictionaries."""
    if isinstance(array, pa.ChunkedArray):
        return sum(map(unpacked_bytes, array.chunks))
    if _is_list(array.type):
        return unpacked_bytes(array.flatten())
    if not pa.types.is_dictionary(array.type):
        return int(array.nbytes)
    lengths = pc.binary_length(array.dictionary).cast(pa.int64())
    return int(pc.sum(lengths.take(array.indices)).as_py() or 0)


def check_names(names: Sequence[str], columns: Sequence[str], path: Path) -> None:
    """Raises DataError where one of some columns is there twice."""
    twice = next((name for name in columns if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(
            f"expected one column {twice!r} in {path.name}, found {name_columns(names)}; "
            "rename the others"
        )


WAYS_OUT = {
    "text": "; lists are for a column 'symbols'",
    "label": "; lists are for a column 'labels' beside 'symbols'",
    "symbols": "; write the symbols as texts or whole numbers",
}
"""What is said of lists in a column, by its name."""


def check_type(name: str, kind: pa.DataType, path: Path) -> None:
    """Raises DataError where a column cannot be what its name says: sequences, texts, labels,
    splits."""
    types, inner = pa.types, kind
    while _is_list(inner):
        inner = inner.value_type
    nested = inner is not kind
    if types.is_dictionary(inner):
        inner = inner.value_type
    fits = types.is_string(inner) or types.is_large_string(inner) or types.is_string_view(inner)
    number = types.is_integer(inner) or types.is_floating(inner) or types.is_decimal(inner)
    if name == "text":
        expected, good = "texts", not nested and fits
    elif name == "split":
        expected, good = "texts", not nested and (fits or types.is_null(inner))
    elif name in LISTS:
        expected, good = "texts or lists", fits or (nested and number)
    else:
        single = fits or number or types.is_boolean(inner) or types.is_null(inner)
        expected, good = "labels", single and not nested
    if not good:
        raise DataError(
            f"expected {expected} in the column '{name}' of {path.name}, found {kind}"
            f"{WAYS_OUT.get(name, '') if nested else ''}"
        )


def _is_list(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.ListType | pa.LargeListType | pa.FixedSizeListType)


def name_columns(names: Iterable[object]) -> str:
    """The names of a table's columns as a message shows them."""
    columns = list(names)
    shown = ", ".join(map(show, columns[:MAX_NAMED])) or "none"
    return f"{shown} and {len(columns) - MAX_NAMED:,} others" if len(columns) > MAX_NAMED else shown


def read(
    path: Path, columns: Sequence[str], labels: Sequence[str] = ("label",)
) -> tuple[pd.DataFrame, list[str]]:
    """The first of some columns that a CSV, TSV or Parquet file has, the columns of `labels` and
    split if there, and notes of the rest.

    Raises:
        DataError: the file does not exist, is of no known kind, cannot be read, is empty or lacks
            the columns."""
    table, names = read_columns(path, (*columns, *labels, "split"))
    column = next((name for name in columns if name in table), None)
    if column is None or not len(table):
        raise DataError(
            f"expected rows with a column '{columns[0]}' in {path.name}, found {len(table)} with "
            f"{name_columns(names)}"
        )
    kept = [column, *(name for name in (*labels, "split") if name in table)]
    notes = [
        f"the column '{name}' is not read: only the order of the symbols is used"
        for name in names
        if str(name).lower() in TIMES
    ]
    return table[kept].rename(columns={column: columns[0]}), notes


def unread(table: pd.DataFrame, columns: Collection[str | None], target: str) -> list[str]:
    """Notes on columns of labels that a target has no use for."""
    return [
        f"the column {name!r} is not read: dataset.target is {target}"
        for name in table
        if name in columns
    ]
