"""Unlabelled sequences, read from a file some rows at a time."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lisor.errors import DataError

ROWS = 4096
"""Rows that are in memory at a time."""

COLUMN = "text"


def stream_texts(path: Path, column: str = COLUMN) -> Iterator[list[str]]:
    """The texts of a file, `ROWS` at a time: a column of CSV, TSV or Parquet, or the lines of a .txt file.

    A row without a text is the empty sequence; a list of numbers, or of lists of them, is read as JSON.

    Raises:
        DataError: the file does not exist, is of no known kind, cannot be read or lacks the column."""
    if not path.is_file():
        raise DataError(
            f"expected a file of sequences, but {path} {'is a folder' if path.is_dir() else 'does not exist'}"
        )
    readers: dict[str, Callable[[Path], Iterator[list[str]]]] = {
        ".csv": partial(_stream_csv, column=column),
        ".tsv": partial(_stream_csv, column=column),
        ".parquet": partial(_stream_parquet, column=column),
        ".txt": _stream_lines,
    }
    ending = path.suffix.lower()
    if ending not in readers:
        raise DataError(f"expected a .csv, .tsv, .parquet or .txt file of sequences, got {path.name}")
    try:
        yield from readers[ending](path)
    except (pa.ArrowException, csv.Error, OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read as {ending[1:].upper()}: {' '.join(str(error).split())}") from None


def _stream_csv(path: Path, column: str) -> Iterator[list[str]]:
    csv.field_size_limit(sys.maxsize)
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter=separator, strict=True)
        header = next(rows, [])
        _check_column(header, column, path)
        place = header.index(column)
        texts = (_cell(row, place, len(header), rows.line_num, path) for row in rows if row)
        while batch := list(islice(texts, ROWS)):
            yield batch


def _cell(row: list[str], place: int, width: int, line: int, path: Path) -> str:
    if len(row) > width:
        raise DataError(
            f"line {line} of {path.name} has {len(row)} cells, its header {width}; put texts with a separator in quotes"
        )
    return row[place] if place < len(row) else ""


def _stream_parquet(path: Path, column: str) -> Iterator[list[str]]:
    file = pq.ParquetFile(path)
    names = file.schema_arrow.names
    _check_column(names, column, path)
    kind = file.schema_arrow.types[names.index(column)]
    if pa.types.is_nested(kind) and column != COLUMN:
        for batch in file.iter_batches(ROWS, columns=[column]):
            yield [json.dumps(cell) for cell in batch.column(0).to_pylist()]
        return
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise DataError(f"expected texts in the column '{column}' of {path.name}, found {kind}")
    for batch in file.iter_batches(ROWS, columns=[column]):
        yield ["" if text is None else text for text in batch.column(0).to_pylist()]


def _stream_lines(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8-sig") as lines:
        while rows := [line.rstrip("\r\n") for line in islice(lines, ROWS)]:
            yield rows


def _check_column(names: list[str], column: str, path: Path) -> None:
    if names.count(column) != 1:
        which = "the" if column not in names else "one"
        found = ", ".join(map(repr, names)) or "none"
        raise DataError(f"expected {which} column '{column}' in {path.name}, found {found}")
