"""What an automaton says of sequences: the class, the state in which each ends, and the way there.

Shapes: N sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from lisor.data import series
from lisor.data.quantizer import Quantizer
from lisor.data.sequences import Sequences
from lisor.data.text import TOKENIZER, tokenize
from lisor.errors import AutomatonError, DataError, show
from lisor.files import writing
from lisor.fsa.automaton import Automaton
from lisor.spreadsheets import harmless_column

SCHEMA = pa.schema([("class", pa.string()), ("state", pa.int32()), ("path", pa.list_(pa.int32()))])
"""The columns of predictions, a row for each sequence; a path begins at the start state."""


def reader(automaton: Automaton) -> Callable[[str, int], Sequence[str]]:
    """How a text becomes symbols of the automaton: its words, its characters, or what stands between blanks.

    Characters where every symbol of the alphabet is one. The text of a series is its numbers, with blanks between or as
    a JSON list; symbols are made of them as they were for the network. What cannot be read is named by the number of
    its row, the second argument.

    Raises:
        AutomatonError: the automaton names a tokenizer that is not known here."""
    if automaton.tokenizer == TOKENIZER:
        return lambda text, row: tokenize(text)
    if automaton.quantizer is not None:
        return partial(_quantize, automaton.quantizer)
    if automaton.tokenizer is not None:
        raise AutomatonError(f"expected the tokenizer {TOKENIZER!r} or none, got {show(automaton.tokenizer)}")
    cut = list if all(len(symbol) == 1 for symbol in automaton.alphabet) else str.split
    return lambda text, row: cut(text)


def _quantize(quantizer: Quantizer, text: str, row: int) -> list[str]:
    return [quantizer.names[symbol] for symbol in quantizer.read([series.parse(text, row)], row).symbols]


def predict(automaton: Automaton, words: Sequence[Sequence[str]], first: int = 1) -> pa.Table:
    """The class, final state and path of each of N sequences, a table of `SCHEMA`; rows are counted from `first` on.

    Raises:
        AutomatonError: a symbol is not in the alphabet and none stands for unknown ones."""
    index = {symbol: code for code, symbol in enumerate(automaton.alphabet)}
    unknown = -1 if automaton.unknown is None else automaton.unknown
    offsets = np.concatenate([[0], np.cumsum([len(word) for word in words], dtype=np.int64)])
    codes = (index.get(symbol, unknown) for symbol in chain.from_iterable(words))
    symbols = np.fromiter(codes, np.int32, offsets[-1])
    if symbols.min(initial=0) < 0:
        numbered = ((row, symbol) for row, word in enumerate(words, first) for symbol in word)
        row, foreign = next((row, symbol) for row, symbol in numbered if symbol not in index)
        raise AutomatonError(
            f"expected symbols of the alphabet {show(automaton.alphabet)}, got {show(foreign)} in row {row}"
        )
    sequences = Sequences(symbols=symbols, offsets=offsets)
    trace = automaton.trace(sequences)
    states = automaton.final_states(sequences, trace)
    classes = pa.array(automaton.classes).take(pa.array(automaton.outputs[states]))
    places = pa.array((offsets + np.arange(len(offsets))).astype(np.int32))
    path = pa.array(np.insert(trace, offsets[:-1], automaton.start))
    return pa.table([classes, pa.array(states), pa.ListArray.from_arrays(places, path)], schema=SCHEMA)


@contextmanager
def writer(path: Path) -> Iterator[Callable[[pa.Table], None]]:
    """Writes tables of predictions to a .parquet or .csv file, which is there when all are written or not at all.

    Raises:
        DataError: the file has another ending, or cannot be written there."""
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise DataError(f"predictions are written as .csv or .parquet, got {path.name}")
    with writing(path) as file:
        if path.suffix.lower() == ".csv":
            with csv_writer(file) as write:
                yield write
        else:
            with pq.ParquetWriter(file, SCHEMA, compression="zstd") as parquet:
                yield parquet.write_table


@contextmanager
def csv_writer(file: BinaryIO) -> Iterator[Callable[[pa.Table], None]]:
    """Writes tables of predictions as CSV, a path as its states with blanks between.

    The name of a class that a spreadsheet would run is escaped, as `lisor.spreadsheets` says."""
    schema = SCHEMA.set(SCHEMA.get_field_index("path"), pa.field("path", pa.string()))

    def write(table: pa.Table) -> None:
        path = pc.binary_join(pc.cast(table["path"].combine_chunks(), pa.list_(pa.string())), " ")
        table = table.set_column(0, "class", harmless_column(table["class"]))
        rows.write_table(table.set_column(2, "path", path).cast(schema))

    with pa.csv.CSVWriter(file, schema, write_options=pa.csv.WriteOptions(quoting_style="needed")) as rows:
        yield write
