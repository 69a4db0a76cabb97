"""An automaton's predictions: the class of each sequence, or that after each symbol, its final
state, and its path.

Shapes: N sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from lisor.automata.automaton import Automaton
from lisor.errors import DataError
from lisor.files import writing
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from lisor.spreadsheets import harmless_column
from lisor.targets.positions import Positions


def schema_of(automaton: Automaton) -> pa.Schema:
    """The columns of predictions, a row for each sequence; a path begins at the start state. Where
    there is an output after each symbol, `class` is a list."""
    kind = pa.string() if TARGETS[automaton.target].predicts_once else pa.list_(pa.string())
    return pa.schema([("class", kind), ("state", pa.int32()), ("path", pa.list_(pa.int32()))])


def predict(automaton: Automaton, sequences: Sequences) -> pa.Table:
    """The class, final state and path of each of N sequences, a table of `schema_of`."""
    trace, positions = automaton.trace(sequences), Positions.of(sequences, automaton.target)
    prefixes = automaton.prefix_states(sequences, trace)
    classes = pa.array(automaton.classes).take(pa.array(automaton.outputs[prefixes[positions.at]]))
    if not TARGETS[automaton.target].predicts_once:
        classes = pa.ListArray.from_arrays(pa.array(positions.offsets.astype(np.int32)), classes)
    offsets = (sequences.offsets + np.arange(len(sequences) + 1)).astype(np.int32)
    paths = pa.ListArray.from_arrays(pa.array(offsets), pa.array(prefixes))
    states = pa.array(automaton.final_states(sequences, trace))
    return pa.table([classes, states, paths], schema=schema_of(automaton))


@contextmanager
def writer(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """Writes tables of predictions of a `schema` to a .parquet or .csv file, which is there when
    all are written or not at all.

    Raises:
        DataError: the file has another ending, or cannot be written there."""
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise DataError(f"predictions are written as .csv or .parquet, got {path.name}")
    with writing(path) as file:
        if path.suffix.lower() == ".csv":
            with csv_writer(file) as write:
                yield write
        else:
            with pq.ParquetWriter(file, schema, compression="zstd") as parquet:
                yield parquet.write_table


@contextmanager
def csv_writer(file: BinaryIO) -> Iterator[Callable[[pa.Table], None]]:
    """Writes tables of predictions as CSV, a path as its states with blanks between, and so a list
    of classes.

    The name of a class that a spreadsheet would run is escaped, as `lisor.spreadsheets` says."""
    schema = pa.schema([("class", pa.string()), ("state", pa.int32()), ("path", pa.string())])

    def write(table: pa.Table) -> None:
        classes, path = (_joined(table[name].combine_chunks()) for name in ("class", "path"))
        columns = [harmless_column(classes), table["state"], path]
        rows.write_table(pa.table(columns, schema=schema))

    with pa.csv.CSVWriter(
        file, schema, write_options=pa.csv.WriteOptions(quoting_style="needed")
    ) as rows:
        yield write


def _joined(column: pa.Array) -> pa.Array:
    """The entries of each list with blanks between; texts as they are."""
    if not pa.types.is_list(column.type):
        return column
    return pc.binary_join(pc.cast(column, pa.list_(pa.string())), " ")
