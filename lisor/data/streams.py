"""Unlabelled sequences, read from a file some rows at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TextIO, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lisor.alphabet import Alphabet
from lisor.data.tables import check_groups, check_type, name_columns, open_parquet, unpacked_bytes
from lisor.errors import DataError
from lisor.files import no_text, shorten
from lisor.sequences import Sequences

ROWS = 4096
"""Rows that are in memory at a time."""

MAX_CELL = 10_000_000
"""Characters of a cell or line."""

MAX_BATCH = 2**28
"""Bytes of the rows of a Parquet file that are in memory at a time."""

MAX_SYMBOLS = 2**23
"""Symbols of lists that are in memory at a time."""

Rows: TypeAlias = list[str] | pa.Array
"""Raw sequences: texts, or a column of lists of symbols."""


def columns_of(alphabet: Alphabet) -> tuple[str, ...]:
    """The columns that sequences for an automaton of this alphabet may stand in, the first of which
    is read."""
    if alphabet.quantizer is not None:
        return ("series",)
    return ("symbols", "text") if alphabet.tokenizer is None else ("text", "symbols")


def read_rows(alphabet: Alphabet, rows: Rows, first: int) -> Sequences:
    """N rows of a file as sequences; a message counts rows from `first` on.

    Raises:
        DataError: they cannot be cut, or hold a symbol that the alphabet has not."""
    return alphabet.read(rows, first) if isinstance(rows, list) else _number(alphabet, rows, first)


def _number(alphabet: Alphabet, lists: pa.Array, first: int) -> Sequences:
    """Lists of symbols as sequences; each symbol that occurs is looked up once."""
    lists = lists.fill_null([])
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    occurring = lists.flatten().dictionary_encode()
    empty = np.flatnonzero(occurring.indices.is_null())
    if len(empty):
        row = int(np.searchsorted(offsets, empty[0], side="right")) - 1
        raise DataError(f"expected symbols, got an empty cell in row {row + first}")
    names = occurring.dictionary.cast(pa.string())
    known = pc.index_in(names, value_set=pa.array(alphabet.symbols, pa.string()))
    missing = -1 if alphabet.unknown is None else alphabet.unknown
    numbers = known.fill_null(missing).to_numpy(zero_copy_only=False).astype(np.int32)
    symbols = numbers[occurring.indices.to_numpy(zero_copy_only=False)]
    if symbols.min(initial=0) < 0:
        row = int(np.searchsorted(offsets, int(symbols.argmin()), side="right")) - 1
        return alphabet.encode([map(str, lists[row].as_py())], row + first)
    return Sequences(symbols=symbols, offsets=offsets)


def stream_rows(path: Path, columns: Sequence[str] = ("text",)) -> Iterator[Rows]:
    """The sequences of a file, `ROWS` at a time: the first of some columns that a CSV, TSV or
    Parquet file has, or the lines of a .txt file.

    A row without a text is the empty sequence; a list of numbers, or of lists of them, that is no
    list of symbols is read as JSON.

    Raises:
        DataError: the file does not exist, is of no known kind, cannot be read or lacks the
            columns."""
    if not path.is_file():
        problem = "is a pipe or a device" if path.exists() else "does not exist"
        problem = "is a folder" if path.is_dir() else problem
        raise DataError(f"expected a file of sequences, but {shorten(path)} {problem}")
    readers: dict[str, Callable[[Path], Iterator[Rows]]] = {
        ".csv": partial(_stream_csv, columns=columns),
        ".tsv": partial(_stream_csv, columns=columns),
        ".parquet": partial(_stream_parquet, columns=columns),
        ".txt": _stream_lines,
    }
    ending = path.suffix.lower()
    if ending not in readers:
        raise DataError(
            f"expected a .csv, .tsv, .parquet or .txt file of sequences, got {path.name}"
        )
    try:
        yield from readers[ending](path)
    except (pa.ArrowException, csv.Error, OSError, ValueError) as error:
        raise DataError(
            f"{path.name} cannot be read as {ending[1:].upper()}: {' '.join(str(error).split())}"
        ) from None


def _stream_csv(path: Path, columns: Sequence[str]) -> Iterator[list[str]]:
    csv.field_size_limit(MAX_CELL)
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(_lines(file, path), delimiter=separator, strict=True)
        header = next(rows, [])
        index = header.index(_find_column(header, columns, path))
        texts = (_cell(row, index, len(header), rows.line_num, path) for row in rows if row)
        while batch := list(islice(texts, ROWS)):
            yield batch


def _cell(row: list[str], index: int, width: int, line: int, path: Path) -> str:
    if len(row) > width:
        raise DataError(
            f"line {line} of {path.name} has {len(row)} cells, its header {width}; "
            "put texts with a separator in quotes"
        )
    return row[index] if index < len(row) else ""


def _stream_parquet(path: Path, columns: Sequence[str]) -> Iterator[Rows]:
    with open_parquet(path) as file:
        schema = file.schema.to_arrow_schema()
        column = _find_column(schema.names, columns, path)
        kind = schema.field(column).type
        check_type(column, kind, path)
        for group in range(file.num_row_groups):
            check_groups(file, [column], path, [group])
        # Group by group: a batch of many groups is decoded at once.
        groups = (
            file.iter_batches(ROWS, [group], [column]) for group in range(file.num_row_groups)
        )
        for batch in chain.from_iterable(groups):
            if unpacked_bytes(batch.column(0)) > MAX_BATCH:
                raise DataError(
                    f"{path.name} has {len(batch)} rows of more than {MAX_BATCH:,} bytes; "
                    "shorten them"
                )
            cells = batch.column(0)
            if pa.types.is_nested(kind) and column == "symbols":
                yield from _in_parts(_check_symbols(cells))
            elif pa.types.is_nested(kind):
                yield [json.dumps(cell) for cell in cells.to_pylist()]
            else:
                yield ["" if text is None else text for text in cells.to_pylist()]


def _check_symbols(lists: pa.Array) -> pa.Array:
    kind = lists.type.value_type
    named = kind.value_type if pa.types.is_dictionary(kind) else kind
    is_text = pa.types.is_string(named) or pa.types.is_large_string(named)
    if not (is_text or pa.types.is_integer(named)):
        raise ValueError(
            f"expected texts or whole numbers as symbols, found {kind}; write them as texts"
        )
    return lists


def _in_parts(lists: pa.Array) -> Iterator[pa.Array]:
    """Lists of symbols in parts of at most `MAX_SYMBOLS`.

    Raises:
        DataError: a list has more than that by itself."""
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
    longest = int(lengths.max(initial=0))
    if longest > MAX_SYMBOLS:
        raise DataError(
            f"expected sequences of at most {MAX_SYMBOLS:,} symbols, found one of {longest:,}"
        )
    ends, start = np.cumsum(lengths, dtype=np.int64), 0
    while start < len(lists):
        before = int(ends[start] - lengths[start])
        end = int(np.searchsorted(ends, before + MAX_SYMBOLS, side="right"))
        yield lists.slice(start, end - start)
        start = end


def _stream_lines(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8-sig") as file:
        lines = _lines(file, path)
        while rows := [line.rstrip("\r\n") for line in islice(lines, ROWS)]:
            yield rows


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    """The lines of a file, none of which may fill the memory."""
    for number, line in enumerate(iter(partial(file.readline, MAX_CELL + 1), ""), 1):
        if len(line) > MAX_CELL:
            raise DataError(
                f"line {number} of {path.name} has more than {MAX_CELL:,} characters; shorten it"
            )
        if "\0" in line:
            raise ValueError(no_text(number))
        yield line


def _find_column(names: list[str], columns: Sequence[str], path: Path) -> str:
    chosen = next((column for column in columns if column in names), columns[0])
    if names.count(chosen) != 1:
        which = "the" if chosen not in names else "one"
        raise DataError(
            f"expected {which} column '{chosen}' in {path.name}, found {name_columns(names)}"
        )
    return chosen
