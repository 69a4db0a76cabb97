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
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from lisor.blocks import InMemory
from lisor.data.dataset import Dataset, Split
from lisor.errors import SchemaError
from lisor.networks.batches import Inputs, length_batches
from lisor.networks.network import Network, States, check_finite
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from lisor.targets.positions import Positions
from lisor.threads import in_order, one_torch_thread

SCHEMA = 1
"""Version of the files written by `dump`."""

MAX_POINTS = 1 << 16
"""Points of a row group, padding included: what is in memory at a time."""

_STATES = "states.parquet"

_NUMBER = pa.field("element", pa.float32(), nullable=False)
"""None is missing, which saves Parquet's saying so for each."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Points:
    """P steps in a row: the sequence of each, its number there (from 1), the symbol read and the
    state after it.

    The steps of a sequence stand together and in order. `cell_state` is there for an LSTM or SRU;
    `numbers` are what was read where symbols are made of numbers; `prediction`, the network's class
    after each step, for a network whose attention feeds back."""

    sequence: Int[np.ndarray, " P"]
    step: Int[np.ndarray, " P"]
    symbol: Int[np.ndarray, " P"]
    state: Float[np.ndarray, "P H"]
    cell_state: Float[np.ndarray, "P H"] | None = None
    prediction: Int[np.ndarray, " P"] | None = None
    numbers: Float[np.ndarray, "P D"] | None = None

    def blocks(self) -> InMemory:
        """The hidden states alone, as one block."""
        return InMemory(self.state)

    def matrix(self) -> Float[np.ndarray, "P H"]:
        """The hidden states alone."""
        return self.state

    def cell_states(self) -> Float[np.ndarray, "P H"] | None:
        """The cell states alone; None but for an LSTM or SRU."""
        return self.cell_state

    def parts(self) -> States:
        """The parts of the states: h, and for an LSTM or SRU c."""
        return (self.state,) if self.cell_state is None else (self.state, self.cell_state)

    def positions(self) -> tuple[Int[np.ndarray, " P"], Int[np.ndarray, " P"]]:
        """The sequence and the step of each point."""
        return self.sequence, self.step

    def in_order(self) -> Sequences:
        """The sequences that left the states, in the order of the points, with what was read in
        place of symbols; empty ones left none."""
        starts = np.flatnonzero(self.step == 1)
        return Sequences(
            symbols=self.symbol, offsets=np.append(starts, len(self.step)), numbers=self.numbers
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """Labels, predictions and class probabilities at the M positions of a split; where numbers are
    predicted, each of the three are those."""

    labels: Shaped[np.ndarray, "M *C"]
    predictions: Shaped[np.ndarray, "M *C"]
    probabilities: Float[np.ndarray, "M C"]


def collect(model: Network, sequences: Sequences) -> Points:
    """Every hidden state that sequences leave, in memory, in the order in which `dump` writes
    them."""
    groups = [points for points, _, _ in _run(model, sequences) if len(points.symbol)]
    if groups:
        return _join(groups)
    none = np.empty(0, np.int32)
    parts = {
        name: np.empty((0, size), np.float32)
        for name, size in zip(model.parts, model.sizes, strict=True)
    }
    return Points(sequence=none, step=none, symbol=none, **parts)


def predictions_on(model: Network, split: Split) -> Predictions:
    """The network's predictions on one split."""
    return _as_predictions(split, model.predict(split.sequences))


def dump(model: Network, dataset: Dataset, folder: Path, *, split: str = "validation") -> None:
    """Write `states.parquet`, every hidden state of one split, and `answers.parquet`, the network's
    predictions on all.

    Sequences are run in batches of similar length, and each batch becomes one row group, so memory
    does not grow with their number. Rows: sequence, step, symbol, `state`, for an LSTM or SRU
    `cell_state`, where attention feeds back `answer`, the network's prediction, and of symbols that
    are made of numbers `numbers`. The file names the layers whose units a state holds, one after
    the other."""
    names = model.parts
    fields = [pa.field(name, pa.int32()) for name in ("sequence", "step", "symbol")]
    fields += [
        pa.field(name, pa.list_(_NUMBER, size), nullable=False)
        for name, size in zip(names, model.sizes, strict=True)
    ]
    fields += [pa.field("answer", pa.int32())] * model.attends
    dumped = dataset.splits[split]
    if dumped.sequences.numbers is not None:
        width = dumped.sequences.numbers.shape[1]
        fields.append(pa.field("numbers", pa.list_(_NUMBER, width), nullable=False))
    about = {"schema": SCHEMA, "split": split, "layers": model.layers}
    schema = pa.schema(fields, metadata={"lisor": json.dumps(about)})
    positions = Positions.of(dumped.sequences, model.target)
    probabilities = np.empty((positions.count, len(model.classes)), np.float32)

    def write_group(points: Points) -> None:
        columns = [pa.array(column) for column in (points.sequence, points.step, points.symbol)]
        columns += [_fixed_lists(getattr(points, name)) for name in names]
        columns += [] if points.prediction is None else [pa.array(points.prediction)]
        columns += [] if points.numbers is None else [_fixed_lists(points.numbers)]
        writer.write_table(
            pa.Table.from_arrays(columns, schema=schema), row_group_size=len(points.sequence)
        )

    with (
        pq.ParquetWriter(
            folder / _STATES,
            schema,
            compression="none",
            use_dictionary=False,
            write_statistics=False,
        ) as writer,
        ThreadPoolExecutor(1) as background,
    ):
        writing: Future[None] | None = None
        for points, rows, batch in _run(model, dumped.sequences):
            positions.fill(probabilities, rows, batch)
            if writing is not None:
                # One group is written while the next is computed: two are in memory at a time.
                writing.result()
            if len(points.symbol):
                writing = background.submit(write_group, points)
        if writing is not None:
            writing.result()
    known = {split: _as_predictions(dumped, probabilities)}
    predictions = {
        name: known.get(name) or predictions_on(model, other)
        for name, other in dataset.splits.items()
    }
    _write_predictions(predictions, folder)


@dataclass(frozen=True, kw_only=True)
class HiddenStates:
    """A dump on disk, read whole or a row group at a time."""

    folder: Path

    def __post_init__(self) -> None:
        about = json.loads(self._file().schema_arrow.metadata[b"lisor"])
        if about["schema"] != SCHEMA:
            raise SchemaError(
                f"expected hidden states of schema {SCHEMA}, got {about['schema']}; dump them again"
            )

    def row_groups(self) -> Iterator[Points]:
        """The points of each row group; their arrays are views of Arrow's memory, not copies."""
        file = self._file()
        for group in range(file.num_row_groups):
            yield _as_points(file.read_row_group(group))

    def read(self) -> Points:
        """All points at once; a dump of a single row group is not copied."""
        return _as_points(self._file().read())

    def blocks(self) -> StateBlocks:
        """The hidden states alone, to be read a row group at a time."""
        return StateBlocks(self.folder / _STATES)

    def matrix(self) -> Float[np.ndarray, "P H"]:
        """The hidden states alone, filled in row group by row group."""
        file = self._file()
        if file.num_row_groups == 1:
            return _to_numpy(file.read_row_group(0, columns=["state"])["state"])
        states = np.empty(
            (file.metadata.num_rows, file.schema_arrow.field("state").type.list_size), np.float32
        )
        start = 0
        for block in self.blocks():
            states[start : start + len(block)] = block
            start += len(block)
        return states

    def variance(self) -> float:
        """The variance of the hidden states, summed over units; a row group is in memory at a
        time."""
        count, total, squares = 0, np.zeros(1), 0.0
        for block in self.blocks():
            count += len(block)
            total = total + block.sum(axis=0, dtype=np.float64)
            squares += float(np.square(block, dtype=np.float64).sum())
        return squares / count - float(np.square(total / count).sum()) if count else 0.0

    def positions(self) -> tuple[Int[np.ndarray, " P"], Int[np.ndarray, " P"]]:
        """The sequence and the step of each point, without the states."""
        table = self._file().read(["sequence", "step"])
        return table["sequence"].to_numpy(), table["step"].to_numpy()

    def in_order(self) -> Sequences:
        """The sequences that left the states, in the order of the points, with what was read in
        place of symbols; empty ones left none."""
        file = self._file()
        columns = ("step", "symbol", "numbers")
        table = file.read([name for name in columns if name in file.schema_arrow.names])
        starts = np.flatnonzero(table["step"].to_numpy() == 1)
        return Sequences(
            symbols=table["symbol"].to_numpy(),
            offsets=np.append(starts, table.num_rows),
            numbers=_to_numpy(table["numbers"]) if "numbers" in table.column_names else None,
        )

    def cell_states(self) -> Float[np.ndarray, "P H"] | None:
        """The cell states alone; None but for an LSTM or SRU."""
        file = self._file()
        if "cell_state" not in file.schema_arrow.names:
            return None
        return _to_numpy(file.read(["cell_state"])["cell_state"])

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers whose units a state holds, each as many."""
        return tuple(json.loads(self._file().schema_arrow.metadata[b"lisor"]).get("layers", ()))

    def predictions(self) -> dict[str, Predictions]:
        """The network's predictions on each split of the dataset, in the order of its sequences."""
        table = pq.read_table(self.folder / "answers.parquet")
        names = table["split"].to_numpy()
        predictions = {}
        for name in dict.fromkeys(names):
            rows = table.filter(pa.array(names == name)).combine_chunks()
            columns = {name: _to_numpy(rows[name]) for name in rows.column_names if name != "split"}
            probabilities = columns["probabilities"]
            predictions[name] = Predictions(
                labels=columns["label"],
                predictions=columns.get("prediction", probabilities),
                probabilities=probabilities,
            )
        return predictions

    def _file(self) -> pq.ParquetFile:
        return pq.ParquetFile(self.folder / _STATES, memory_map=True)


@dataclass(frozen=True, eq=False)
class StateBlocks:
    """The hidden states of a dump, read anew each time that they are gone through.

    A few row groups are decoded side by side, which Arrow does not do with lists; each is mapped
    into memory by itself and given back with its array, so no more than a few are held."""

    path: Path

    def __len__(self) -> int:
        return int(pq.read_metadata(self.path).num_rows)

    def __iter__(self) -> Iterator[Float[np.ndarray, "B H"]]:
        metadata, threads = pq.read_metadata(self.path), torch.get_num_threads()

        def read(group: int) -> Float[np.ndarray, "B H"]:
            with pq.ParquetFile(self.path, memory_map=True, metadata=metadata) as file:
                return _to_numpy(file.read_row_group(group, columns=["state"])["state"])

        with ThreadPoolExecutor(threads) as pool:
            yield from in_order(
                pool, read, ((group,) for group in range(metadata.num_row_groups)), ahead=threads
            )


Run = tuple[Points, Int[np.ndarray, " B"], Float[np.ndarray, "B L C"]]


def _run(model: Network, sequences: Sequences) -> Iterator[Run]:
    """The points of each batch of sequences, which ones they are, and the class probabilities
    at their positions.

    With several threads batches are run side by side, each by one thread, which is more than
    several on one."""
    batches, threads = length_batches(sequences, model.device, MAX_POINTS), torch.get_num_threads()
    if threads == 1 or model.device.type != "cpu":
        for batch in batches:
            yield _run_batch(model, sequences, *batch)
        return
    with one_torch_thread(), ThreadPoolExecutor(threads) as pool:
        yield from in_order(pool, partial(_run_batch, model, sequences), batches, ahead=threads)


def _run_batch(
    model: Network,
    sequences: Sequences,
    rows: Int[np.ndarray, " B"],
    read: Inputs,
    lengths: Int[Tensor, "1 B"],
) -> Run:
    counts = lengths[0].cpu().numpy()
    sequence = np.repeat(np.arange(len(rows)), counts)
    step = np.arange(len(sequence)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    states, probabilities, predictions = model.forward_pass(read, lengths)
    real = torch.from_numpy(step * len(rows) + sequence).to(probabilities.device)
    parts = [part.flatten(0, 1).index_select(0, real).cpu().numpy() for part in states]
    for part in parts:
        check_finite("hidden states", part)
    if predictions is not None:
        predictions = predictions.flatten().index_select(0, real)
    batch = sequences.select(rows)
    points = Points(
        sequence=rows[sequence].astype(np.int32),
        step=step.astype(np.int32),
        symbol=batch.symbols,
        numbers=batch.numbers,
        state=parts[0],
        cell_state=parts[1] if len(parts) > 1 else None,
        prediction=None if predictions is None else predictions.cpu().numpy().astype(np.int32),
    )
    return points, rows, probabilities.cpu().numpy()


def _join(groups: list[Points]) -> Points:
    """All points in a row, one group after the other."""
    if len(groups) == 1:
        return groups[0]
    columns = {
        name: [getattr(group, name) for group in groups]
        for name, numbers in vars(groups[0]).items()
        if numbers is not None
    }
    return Points(**{name: np.concatenate(column) for name, column in columns.items()})


def _as_predictions(split: Split, probabilities: Float[np.ndarray, "N C"]) -> Predictions:
    check_finite("predictions", probabilities)
    predictions = probabilities
    if not TARGETS[split.target].is_numeric:
        predictions = probabilities.argmax(axis=1).astype(np.int32)
    return Predictions(labels=split.labels, predictions=predictions, probabilities=probabilities)


def _write_predictions(predictions: Mapping[str, Predictions], folder: Path) -> None:
    tables = [
        pa.table(
            {
                "split": pa.array([name] * len(split.labels), pa.string()),
                "probabilities": _fixed_lists(split.probabilities),
                **_labels_and_predictions(split),
            }
        )
        for name, split in predictions.items()
    ]
    pq.write_table(pa.concat_tables(tables), folder / "answers.parquet", compression="zstd")


def _labels_and_predictions(split: Predictions) -> dict[str, pa.Array]:
    """The columns of these, of numbers that of labels alone."""
    if split.labels.ndim > 1:
        numbers = pa.array(split.labels.reshape(-1))
        return {"label": pa.FixedSizeListArray.from_arrays(numbers, split.labels.shape[1])}
    return {"label": pa.array(split.labels), "prediction": pa.array(split.predictions)}


def _fixed_lists(matrix: Float[np.ndarray, "P H"]) -> pa.FixedSizeListArray:
    numbers = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(numbers, type=pa.list_(_NUMBER, matrix.shape[1]))


def _as_points(table: pa.Table) -> Points:
    """Rows of a dump as points; the column of predictions is called `answer`."""
    columns = {name: _to_numpy(table[name]) for name in table.column_names}
    return Points(prediction=columns.pop("answer", None), **columns)


def _to_numpy(column: pa.ChunkedArray) -> Shaped[np.ndarray, "P ..."]:
    """A column as an array, of lists of numbers as a matrix."""
    array = column.combine_chunks()
    if not pa.types.is_fixed_size_list(array.type):
        return np.asarray(array)
    return np.asarray(array.flatten()).reshape(len(array), array.type.list_size)
