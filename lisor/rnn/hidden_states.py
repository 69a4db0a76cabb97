"""The hidden states that sequences leave behind in a trained network, streamed to Parquet and back.

Shapes: P points (one for each step of each sequence), H hidden units, N sequences, C classes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lisor.data.dataset import Dataset, Split
from lisor.data.sequences import Sequences
from lisor.errors import SchemaError
from lisor.rnn.adapters import check_finite
from lisor.rnn.classifier import Inputs, length_batches
from lisor.rnn.network import Network
from lisor.threads import in_order

SCHEMA = 1
"""Version of the files written by `dump`."""

MOST_POINTS = 1 << 16
"""Points of a row group, padding included: what is in memory at a time."""


_STATES = "states.parquet"

_NUMBER = pa.field("element", pa.float32(), nullable=False)
"""None is missing, which saves Parquet's saying so for each."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Points:
    """P steps in a row: the sequence each belongs to, its place there (from 1), the symbol read and the state after it.

    The steps of a sequence stand together and in order. `cell_state` is None but for an LSTM or SRU; `answer`, the
    network's class after each step, but for a network with attention, whose answer does not follow from the state."""

    sequence: Int[np.ndarray, " P"]
    step: Int[np.ndarray, " P"]
    symbol: Int[np.ndarray, " P"]
    state: Float[np.ndarray, "P H"]
    cell_state: Float[np.ndarray, "P H"] | None = None
    answer: Int[np.ndarray, " P"] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What the network says of the N sequences of a split: labels, predictions and class probabilities."""

    labels: Int[np.ndarray, " N"]
    predictions: Int[np.ndarray, " N"]
    probabilities: Float[np.ndarray, "N C"]


def collect(model: Network, sequences: Sequences) -> Points:
    """Every hidden state that sequences leave, in memory, in the order in which `dump` writes them."""
    groups = [points for points, _, _ in _run(model, sequences) if len(points.symbol)]
    return _join(groups) or _nothing(model.state_size, len(model.parts))


def answer(model: Network, split: Split) -> Answers:
    """The network's answers on one split."""
    return _as_answers(split, model.predict(split.sequences))


def dump(model: Network, dataset: Dataset, folder: Path, *, split: str = "validation") -> None:
    """Write `states.parquet`, every hidden state of one split, and `answers.parquet`, the network's answers on all.

    Sequences are run in batches of similar length, and each batch becomes one row group, so memory does not grow with
    their number. Rows: sequence, step, symbol, `state`, for an LSTM or SRU `cell_state`, and for a network with
    attention `answer`. The file names the layers whose units a state holds, one after the other."""
    names = model.parts
    state = pa.list_(_NUMBER, model.state_size)
    fields = [pa.field(name, pa.int32()) for name in ("sequence", "step", "symbol")]
    fields += [pa.field(name, state, nullable=False) for name in names]
    fields += [pa.field("answer", pa.int32())] * model.attends
    about = {"schema": SCHEMA, "split": split, "layers": model.layers}
    schema = pa.schema(fields, metadata={"lisor": json.dumps(about)})
    dumped = dataset.splits[split]
    probabilities = np.empty((len(dumped), len(model.classes)), np.float32)

    def write_group(points: Points) -> None:
        columns = [pa.array(column) for column in (points.sequence, points.step, points.symbol)]
        columns += [_fixed_lists(getattr(points, name)) for name in names]
        columns += [] if points.answer is None else [pa.array(points.answer)]
        writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=len(points.sequence))

    with (
        pq.ParquetWriter(
            folder / _STATES, schema, compression="none", use_dictionary=False, write_statistics=False
        ) as writer,
        ThreadPoolExecutor(1) as background,
    ):
        writing: Future[None] | None = None
        for points, rows, answers in _run(model, dumped.sequences):
            probabilities[rows] = answers
            if writing is not None:
                writing.result()  # one group is written while the next is computed: two are in memory at a time
            if len(points.symbol):
                writing = background.submit(write_group, points)
        if writing is not None:
            writing.result()
    known = {split: _as_answers(dumped, probabilities)}
    _write_answers({name: known.get(name) or answer(model, own) for name, own in dataset.splits.items()}, folder)


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
            yield Points(
                sequence=ints[0],
                step=ints[1],
                symbol=ints[2],
                state=_matrix(table["state"]),
                cell_state=cell,
                answer=table["answer"].combine_chunks().to_numpy() if "answer" in table.column_names else None,
            )

    def read(self) -> Points:
        """All points at once; a dump of a single row group is not copied."""
        return _join(list(self.row_groups())) or self._nothing()

    def blocks(self) -> StateBlocks:
        """The hidden states alone, to be read a row group at a time."""
        return StateBlocks(self.folder / _STATES)

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

    def variance(self) -> float:
        """The variance of the hidden states, summed over units; a row group is in memory at a time."""
        count, total, squares = 0, np.zeros(1), 0.0
        for block in self.blocks():
            count += len(block)
            total = total + block.sum(axis=0, dtype=np.float64)
            squares += float(np.square(block, dtype=np.float64).sum())
        return squares / count - float(np.square(total / count).sum()) if count else 0.0

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
        """The cell states alone; None but for an LSTM or SRU."""
        file = self._file()
        if "cell_state" not in file.schema_arrow.names:
            return None
        if not file.metadata.num_rows:
            return self._nothing().cell_state
        return _matrix(file.read(["cell_state"])["cell_state"])

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers whose units a state holds, each as many."""
        return tuple(json.loads(self._file().schema_arrow.metadata[b"lisor"]).get("layers", ()))

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
        return pq.ParquetFile(self.folder / _STATES, memory_map=True)


@dataclass(frozen=True, eq=False)
class StateBlocks:
    """The hidden states of a dump, read anew each time that they are gone through.

    A few row groups are decoded side by side, which Arrow does not do with lists; each is mapped into memory by itself
    and given back with its array, so no more than a few are held."""

    path: Path

    def __len__(self) -> int:
        return int(pq.read_metadata(self.path).num_rows)

    def __iter__(self) -> Iterator[Float[np.ndarray, "B H"]]:
        metadata, threads = pq.read_metadata(self.path), torch.get_num_threads()

        def read(group: int) -> Float[np.ndarray, "B H"]:
            with pq.ParquetFile(self.path, memory_map=True, metadata=metadata) as file:
                return _matrix(file.read_row_group(group, columns=["state"])["state"])

        with ThreadPoolExecutor(threads) as pool:
            yield from in_order(pool, read, ((group,) for group in range(metadata.num_row_groups)), ahead=threads)


Run = tuple[Points, Int[np.ndarray, " N"], Float[np.ndarray, "N C"]]


def _run(model: Network, sequences: Sequences) -> Iterator[Run]:
    """The points of each batch of sequences, which ones they are, and the probabilities that each ends with.

    With several threads batches are run side by side, each by one thread, which is more than several on one."""
    batches, threads = length_batches(sequences, model.device, MOST_POINTS), torch.get_num_threads()
    if threads == 1 or model.device.type != "cpu":
        for batch in batches:
            yield _run_batch(model, sequences, *batch)
        return
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield from in_order(pool, partial(_run_batch, model, sequences), batches, ahead=threads)
    finally:
        torch.set_num_threads(threads)


def _run_batch(
    model: Network, sequences: Sequences, rows: Int[np.ndarray, " B"], read: Inputs, lengths: Int[Tensor, "1 B"]
) -> Run:
    counts = lengths[0].cpu().numpy()
    sequence = np.repeat(np.arange(len(rows)), counts)
    place = np.arange(len(sequence)) - np.repeat(np.cumsum(counts) - counts, counts)
    visit = model.visit(read, lengths)
    real = torch.from_numpy((place + 1) * len(rows) + sequence).to(visit.probabilities.device)
    kept = [every.flatten(0, 1).index_select(0, real).cpu().numpy() for every in visit.states]
    for part in kept:
        check_finite("hidden states", part)
    answers = None if visit.answers is None else visit.answers.flatten().index_select(0, real)
    points = Points(
        sequence=rows[sequence].astype(np.int32),
        step=(place + 1).astype(np.int32),
        symbol=sequences.select(rows).symbols,
        state=kept[0],
        cell_state=kept[1] if len(kept) > 1 else None,
        answer=None if answers is None else answers.cpu().numpy().astype(np.int32),
    )
    return points, rows, visit.probabilities.cpu().numpy()


def _join(groups: list[Points]) -> Points | None:
    """All points in a row, one group after the other; None where there are none."""
    if len(groups) < 2:
        return groups[0] if groups else None
    cells = [group.cell_state for group in groups if group.cell_state is not None]
    answers = [group.answer for group in groups if group.answer is not None]
    return Points(
        sequence=np.concatenate([group.sequence for group in groups]),
        step=np.concatenate([group.step for group in groups]),
        symbol=np.concatenate([group.symbol for group in groups]),
        state=np.concatenate([group.state for group in groups]),
        cell_state=np.concatenate(cells) if cells else None,
        answer=np.concatenate(answers) if answers else None,
    )


def _nothing(hidden_size: int, parts: int) -> Points:
    none, states = np.empty(0, np.int32), np.empty((0, hidden_size), np.float32)
    return Points(sequence=none, step=none, symbol=none, state=states, cell_state=states if parts > 1 else None)


def _as_answers(split: Split, probabilities: Float[np.ndarray, "N C"]) -> Answers:
    check_finite("answers", probabilities)
    predictions = probabilities.argmax(axis=1).astype(np.int32)
    return Answers(labels=split.labels, predictions=predictions, probabilities=probabilities)


def _write_answers(answers: Mapping[str, Answers], folder: Path) -> None:
    tables = []
    for name, found in answers.items():
        columns = {
            "split": pa.array([name] * len(found.labels), pa.string()),
            "label": pa.array(found.labels),
            "prediction": pa.array(found.predictions),
            "probabilities": _fixed_lists(found.probabilities),
        }
        tables.append(pa.table(columns))
    pq.write_table(pa.concat_tables(tables), folder / "answers.parquet", compression="zstd")


def _fixed_lists(matrix: Float[np.ndarray, "P H"]) -> pa.FixedSizeListArray:
    numbers = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(numbers, type=pa.list_(_NUMBER, matrix.shape[1]))


def _matrix(column: pa.ChunkedArray) -> Float[np.ndarray, "P H"]:
    lists = column.combine_chunks()
    matrix: Float[np.ndarray, "P H"] = lists.flatten().to_numpy().reshape(len(lists), -1)
    return matrix
