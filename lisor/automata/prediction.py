"""An automaton's predictions: the class or numbers of each sequence, or those after each symbol,
its final state, its path, and where it has distributions, its probability.

Shapes: N sequences."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from lisor.targets.next import following
from lisor.targets.positions import Positions

FIGURES = ("log_probability", "perplexity")
"""Columns of automata that have distributions."""


def schema_of(automaton: Automaton) -> pa.Schema:
    """The columns of predictions, a row for each sequence; a path begins at the start state. Where
    there is an output after each symbol, `class` is a list; where it is a distribution, the natural
    logarithm of the probability of each sequence and its end follows, and the perplexity of its
    symbols and its end. In place of a class, numbers have a column each."""
    target = TARGETS[automaton.target]
    plain = pa.float64() if target.is_numeric else pa.string()
    kind = plain if target.predicts_once else pa.list_(plain)
    names = [f"predicted {name}" for name in automaton.classes] if target.is_numeric else ["class"]
    columns = [(name, kind) for name in names]
    columns += [("state", pa.int32()), ("path", pa.list_(pa.int32()))]
    figures = [(name, pa.float64()) for name in FIGURES] if target.is_distribution else []
    return pa.schema(columns + figures)


def predict(automaton: Automaton, sequences: Sequences) -> pa.Table:
    """The class or numbers, final state and path of each of N sequences, a table of `schema_of`.

    Raises:
        DataError: a sequence is empty, and numbers are predicted of it as a whole."""
    trace, positions = automaton.trace(sequences), Positions.of(sequences, automaton.target)
    prefixes, target = automaton.prefix_states(sequences, trace), TARGETS[automaton.target]
    if target.is_numeric:
        if target.predicts_once and not sequences.lengths.all():
            raise DataError(
                "expected sequences of at least one symbol, since a transition has the numbers; "
                f"sequence {int(sequences.lengths.argmin()) + 1} is empty"
            )
        outputs = [pa.array(column) for column in automaton.numbers_at(sequences, trace).T]
    else:
        named = automaton.outputs[prefixes[positions.at]]
        outputs = [pa.array(automaton.classes).take(pa.array(named))]
    if not target.predicts_once:
        edges = pa.array(positions.offsets.astype(np.int32))
        outputs = [pa.ListArray.from_arrays(edges, column) for column in outputs]
    offsets = (sequences.offsets + np.arange(len(sequences) + 1)).astype(np.int32)
    paths = pa.ListArray.from_arrays(pa.array(offsets), pa.array(prefixes))
    states = pa.array(automaton.final_states(sequences, trace))
    figures = list[pa.Array]()
    if target.is_distribution:
        labels = following(sequences, len(automaton.alphabet))
        with np.errstate(divide="ignore"):  # what cannot be has the logarithm −∞
            logs = np.log(automaton.distributions[prefixes[positions.at], labels])
        sums = np.add.reduceat(logs, positions.offsets[:-1]) if len(sequences) else logs
        figures = [pa.array(sums), pa.array(np.exp(-sums / positions.counts))]
    return pa.table([*outputs, states, paths, *figures], schema=schema_of(automaton))


class Likelihood:
    """The perplexity of all sequences that were predicted so far."""

    def __init__(self) -> None:
        self._logs, self._steps, self._impossible = 0.0, 0, 0

    def add(self, table: pa.Table, sequences: Sequences) -> None:
        """Count the sequences of a table of predictions."""
        logs = table["log_probability"].to_numpy()
        possible = np.isfinite(logs)
        self._logs += float(logs[possible].sum())
        self._steps += int((sequences.lengths + 1)[possible].sum())
        self._impossible += int((~possible).sum())

    def __str__(self) -> str:
        rest = "" if self._steps == 0 else f"{np.exp(-self._logs / self._steps):.3f}"
        if not self._impossible:
            return f"perplexity {rest or '–'}"
        others = f", {rest} of the others" if rest else ""
        return f"perplexity ∞: {self._impossible:,} sequences have the probability 0{others}"


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """The predictions of an automaton on sequences that come a part at a time, and how they are
    written."""

    automaton: Automaton
    likelihood: Likelihood | None

    @classmethod
    def of(cls, automaton: Automaton) -> Predictions:
        """Those of an automaton."""
        is_distribution = TARGETS[automaton.target].is_distribution
        return cls(automaton=automaton, likelihood=Likelihood() if is_distribution else None)

    @property
    def schema(self) -> pa.Schema:
        """The columns of predictions."""
        return schema_of(self.automaton)

    @property
    def as_json(self) -> tuple[str, ...]:
        """The columns whose lists would be ambiguous with blanks between their entries."""
        return ("class",) * any(name.split() != [name] for name in self.automaton.classes)

    def predict(self, sequences: Sequences) -> pa.Table:
        """The predictions of some more sequences."""
        table = predict(self.automaton, sequences)
        if self.likelihood is not None:
            self.likelihood.add(table, sequences)
        return table

    def measured(self) -> str:
        """What is known of all sequences so far, behind a semicolon."""
        return "" if self.likelihood is None else f"; {self.likelihood}"


@contextmanager
def writer(
    path: Path, schema: pa.Schema, as_json: Collection[str] = ()
) -> Iterator[Callable[[pa.Table], None]]:
    """Writes tables of a `schema` to a .parquet or .csv file, which is there when all are written
    or not at all.

    Raises:
        DataError: the file has another ending, or cannot be written there."""
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise DataError(f"predictions are written as .csv or .parquet, got {path.name}")
    with writing(path) as file:
        if path.suffix.lower() == ".csv":
            with csv_writer(file, schema, as_json) as write:
                yield write
        else:
            with pq.ParquetWriter(file, schema, compression="zstd") as parquet:
                yield parquet.write_table


@contextmanager
def csv_writer(
    file: BinaryIO, schema: pa.Schema, as_json: Collection[str] = ()
) -> Iterator[Callable[[pa.Table], None]]:
    """Writes tables of a `schema` as CSV, a list, such as a path, as its entries with blanks
    between, or as JSON in some of the columns.

    A text that a spreadsheet would run is escaped, as `lisor.spreadsheets` says."""
    is_text = [pa.types.is_list(field.type) or field.type == pa.string() for field in schema]
    written = pa.schema(
        [
            pa.field(field.name, pa.string() if textual else field.type)
            for field, textual in zip(schema, is_text, strict=True)
        ]
    )

    def write(table: pa.Table) -> None:
        columns = []
        for field, textual in zip(schema, is_text, strict=True):
            column = table[field.name]
            if textual:
                column = _joined(column.combine_chunks(), field.name in as_json)
                is_number = pa.types.is_list(field.type) and not pa.types.is_string(
                    field.type.value_type
                )
                column = column if is_number else harmless_column(column)
            columns.append(column)
        rows.write_table(pa.table(columns, schema=written))

    with pa.csv.CSVWriter(
        file, written, write_options=pa.csv.WriteOptions(quoting_style="needed")
    ) as rows:
        yield write


def _joined(column: pa.Array, as_json: bool = False) -> pa.Array:
    """The entries of each list with blanks between, or as JSON; texts as they are."""
    if not pa.types.is_list(column.type):
        return column
    if as_json:
        lists = (json.dumps(entries, ensure_ascii=False) for entries in column.to_pylist())
        return pa.array(lists, pa.string())
    return pc.binary_join(pc.cast(column, pa.list_(pa.string())), " ")
