"""The hidden states that sequences leave behind in a trained network, streamed to Parquet and back.

Shapes: P points (one for each step of each sequence), H hidden units, N sequences, C classes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import Float, Int

from lisor.data.dataset import Dataset, Split
from lisor.data.sequences import Sequences
from lisor.errors import SchemaError
from lisor.rnn.classifier import TrainedModel, length_batches

SCHEMA = 1
"""Version of the files written by `dump`."""

MOST_POINTS = 1 << 16
"""Points of a row group, padding included: what is in memory at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Points:
    """P steps in a row: the sequence each belongs to, its place there (from 1), the symbol read and the state after it.

    The steps of a sequence stand together and in order. `cell_state` is None but for an LSTM."""

    sequence: Int[np.ndarray, " P"]
    step: Int[np.ndarray, " P"]
    symbol: Int[np.ndarray, " P"]
    state: Float[np.ndarray, "P H"]
    cell_state: Float[np.ndarray, "P H"] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What the network says of the N sequences of a split: labels, predictions and class probabilities."""

    labels: Int[np.ndarray, " N"]
    predictions: Int[np.ndarray, " N"]
    probabilities: Float[np.ndarray, "N C"]


def collect(model: TrainedModel, sequences: Sequences) -> Points:
    """Every hidden state that sequences leave, in memory, in the order in which `dump` writes them."""
    return _join(list(_run(model, sequences))) or _nothing(model.architecture.hidden_size, len(model.initial_state()))


def answer(model: TrainedModel, split: Split) -> Answers:
    """The network's answers on one split."""
    probabilities = model.predict(split.sequences)
    predictions = probabilities.argmax(axis=1).astype(np.int32)
    return Answers(labels=split.labels, predictions=predictions, probabilities=probabilities)


def dump(model: TrainedModel, dataset: Dataset, folder: Path, *, split: str = "validation") -> None:
    """Write `states.parquet`, every hidden state of one split, and `answers.parquet`, the network's answers on all.

    Sequences are run in batches of similar length, and each batch becomes one row group, so memory does not grow with
    their number. Rows: sequence, step, symbol, `state` and, for an LSTM, `cell_state`."""
    blocks = _run(model, dataset.splits[split].sequences)
    names = ["state", "cell_state"][: len(model.initial_state())]
    state = pa.list_(pa.float32(), model.architecture.hidden_size)
    fields = [(name, pa.int32()) for name in ("sequence", "step", "symbol")] + [(name, state) for name in names]
    schema = pa.schema(fields, metadata={"lisor": json.dumps({"schema": SCHEMA, "split": split})})
    with pq.ParquetWriter(folder / "states.parquet", schema, compression="none", use_dictionary=False) as writer:
        for block in blocks:
            columns = [pa.array(column) for column in (block.sequence, block.step, block.symbol)]
            columns += [_fixed_lists(getattr(block, name)) for name in names]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=len(block.sequence))
    _write_answers(model, dataset, folder)


@dataclass(frozen=True, kw_only=True)
class HiddenStates:
    """A dump on disk, read whole or a row group at a time."""

    folder: Path

    def __post_init__(self) -> None:
        about = json.loads(self._file().schema_arrow.metadata[b"lisor"])
        if about["schema"] != SCHEMA:
            raise SchemaError(f"expected hidden states of schema {SCHEMA}, got {about['schema']}; dump them again")

    def row_groups(self) -> Iterator[Points]:
        """The points of each row group; their arrays are views of Arrow's memory, not copies."""
        file = self._file()
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            ints = [table[name].combine_chunks().to_numpy() for name in ("sequence", "step", "symbol")]
            cell = _matrix(table["cell_state"]) if "cell_state" in table.column_names else None
            yield Points(sequence=ints[0], step=ints[1], symbol=ints[2], state=_matrix(table["state"]), cell_state=cell)

    def read(self) -> Points:
        """All points at once; a dump of a single row group is not copied."""
        return _join(list(self.row_groups())) or self._nothing()

    def matrix(self) -> Float[np.ndarray, "P H"]:
        """The hidden states alone, filled in row group by row group."""
        file = self._file()
        if file.num_row_groups == 1:
            return _matrix(file.read_row_group(0, columns=["state"])["state"])
        states = np.empty((file.metadata.num_rows, file.schema_arrow.field("state").type.list_size), np.float32)
        start = 0
        for group in range(file.num_row_groups):
            block = _matrix(file.read_row_group(group, columns=["state"])["state"])
            states[start : start + len(block)] = block
            start += len(block)
        return states

    def places(self) -> tuple[Int[np.ndarray, " P"], Int[np.ndarray, " P"]]:
        """The sequence and the step of each point, without the states."""
        table = self._file().read(["sequence", "step"])
        return table["sequence"].to_numpy(), table["step"].to_numpy()

    def sequences(self) -> Sequences:
        """The sequences that left the states, in the order of the points; empty ones left none."""
        table = self._file().read(["step", "symbol"])
        starts = np.flatnonzero(table["step"].to_numpy() == 1)
        return Sequences(symbols=table["symbol"].to_numpy(), offsets=np.append(starts, table.num_rows))

    def cell_states(self) -> Float[np.ndarray, "P H"] | None:
        """The cell states alone; None but for an LSTM."""
        file = self._file()
        if "cell_state" not in file.schema_arrow.names:
            return None
        if not file.metadata.num_rows:
            return self._nothing().cell_state
        return _matrix(file.read(["cell_state"])["cell_state"])

    def answers(self) -> dict[str, Answers]:
        """The network's answers on each split of the data set, in the order of its sequences."""
        table = pq.read_table(self.folder / "answers.parquet")
        names = table["split"].to_numpy()
        answers = {}
        for name in dict.fromkeys(names):
            rows = table.filter(pa.array(names == name)).combine_chunks()
            labels, predictions = rows["label"].to_numpy(), rows["prediction"].to_numpy()
            answers[name] = Answers(
                labels=labels, predictions=predictions, probabilities=_matrix(rows["probabilities"])
            )
        return answers

    def _nothing(self) -> Points:
        schema = self._file().schema_arrow
        return _nothing(schema.field("state").type.list_size, 1 + ("cell_state" in schema.names))

    def _file(self) -> pq.ParquetFile:
        return pq.ParquetFile(self.folder / "states.parquet", memory_map=True)


def _run(model: TrainedModel, sequences: Sequences) -> Iterator[Points]:
    for rows, symbols, lengths in length_batches(sequences, model.device, MOST_POINTS):
        with torch.inference_mode():
            states = list(model.network.run(symbols))[1:]
        if not states:
            continue  # nothing but empty sequences
        real = np.arange(symbols.shape[2]) < lengths[0].cpu().numpy()[:, None]
        parts = [
            torch.stack([state[part][0] for state in states], dim=1).cpu().numpy() for part in range(len(states[0]))
        ]
        yield Points(
            sequence=np.broadcast_to(rows[:, None], real.shape)[real].astype(np.int32),
            step=np.broadcast_to(np.arange(1, real.shape[1] + 1, dtype=np.int32), real.shape)[real],
            symbol=symbols[0].cpu().numpy()[real].astype(np.int32),
            state=parts[0][real],
            cell_state=parts[1][real] if len(parts) > 1 else None,
        )


def _join(groups: list[Points]) -> Points | None:
    """All points in a row, one group after the other; None where there are none."""
    if len(groups) < 2:
        return groups[0] if groups else None
    cells = [group.cell_state for group in groups if group.cell_state is not None]
    return Points(
        sequence=np.concatenate([group.sequence for group in groups]),
        step=np.concatenate([group.step for group in groups]),
        symbol=np.concatenate([group.symbol for group in groups]),
        state=np.concatenate([group.state for group in groups]),
        cell_state=np.concatenate(cells) if cells else None,
    )


def _nothing(hidden_size: int, parts: int) -> Points:
    none, states = np.empty(0, np.int32), np.empty((0, hidden_size), np.float32)
    return Points(sequence=none, step=none, symbol=none, state=states, cell_state=states if parts > 1 else None)


def _write_answers(model: TrainedModel, dataset: Dataset, folder: Path) -> None:
    tables = []
    for name, split in dataset.splits.items():
        found = answer(model, split)
        columns = {
            "split": pa.array([name] * len(split), pa.string()),
            "label": pa.array(found.labels),
            "prediction": pa.array(found.predictions),
            "probabilities": _fixed_lists(found.probabilities),
        }
        tables.append(pa.table(columns))
    pq.write_table(pa.concat_tables(tables), folder / "answers.parquet", compression="zstd")


def _fixed_lists(matrix: Float[np.ndarray, "P H"]) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(matrix).reshape(-1)), matrix.shape[1])


def _matrix(column: pa.ChunkedArray) -> Float[np.ndarray, "P H"]:
    lists = column.combine_chunks()
    matrix: Float[np.ndarray, "P H"] = lists.flatten().to_numpy().reshape(len(lists), -1)
    return matrix
