"""Unlabelled sequences, read from a file some rows at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TextIO

import pyarrow as pa

from lisor.data.tables import check_groups, check_type, name_columns, open_parquet, unpacked_bytes
from lisor.errors import DataError
from lisor.files import no_text, shorten

ROWS = 4096
"""Rows that are in memory at a time."""

MAX_CELL = 10_000_000
"""Characters of a cell or line."""

MAX_BATCH = 2**28
"""Bytes of the rows of a Parquet file that are in memory at a time."""

COLUMN = "text"


def stream_texts(path: Path, column: str = COLUMN) -> Iterator[list[str]]:
    """The texts of a file, `ROWS` at a time: a column of CSV, TSV or Parquet, or the lines of a .txt file.

    A row without a text is the empty sequence; a list of numbers, or of lists of them, is read as JSON.

    Raises:
        DataError: the file does not exist, is of no known kind, cannot be read or lacks the column."""
    if not path.is_file():
        found = "is a pipe or a device" if path.exists() else "does not exist"
        found = "is a folder" if path.is_dir() else found
        raise DataError(f"expected a file of sequences, but {shorten(path)} {found}")
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
    csv.field_size_limit(MAX_CELL)
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(_lines(file, path), delimiter=separator, strict=True)
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
    with open_parquet(path) as file:
        schema = file.schema.to_arrow_schema()
        _check_column(schema.names, column, path)
        kind = schema.field(column).type
        check_type(column, kind, path)
        for group in range(file.num_row_groups):
            check_groups(file, [column], path, [group])
        for batch in file.iter_batches(ROWS, columns=[column]):
            if unpacked_bytes(batch.column(0)) > MAX_BATCH:
                raise DataError(f"{path.name} has {len(batch)} rows of more than {MAX_BATCH:,} bytes; shorten them")
            cells = batch.column(0).to_pylist()
            if pa.types.is_nested(kind):
                yield [json.dumps(cell) for cell in cells]
            else:
                yield ["" if text is None else text for text in cells]


def _stream_lines(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8-sig") as file:
        lines = _lines(file, path)
        while rows := [line.rstrip("\r\n") for line in islice(lines, ROWS)]:
            yield rows


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    """The lines of a file, none of which may fill the memory."""
    for number, line in enumerate(iter(partial(file.readline, MAX_CELL + 1), ""), 1):
        if len(line) > MAX_CELL:
            raise DataError(f"line {number} of {path.name} has more than {MAX_CELL:,} characters; shorten it")
        if "\0" in line:
            raise ValueError(no_text(number))
        yield line


def _check_column(names: list[str], column: str, path: Path) -> None:
    if names.count(column) != 1:
        which = "the" if column not in names else "one"
        raise DataError(f"expected {which} column '{column}' in {path.name}, found {name_columns(names)}")
