"""Hidden states grouped into K clusters, which become the states of an automaton.

Shapes: P points (one for each step of each sequence), H hidden units, K clusters."""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from lisor.errors import DataError, DataWarning, SchemaError
from lisor.fsa.descent import KMeansResult, top
from lisor.fsa.kmeans import kmeans, sample
from lisor.fsa.kmeans_x import Placed, Positions, kmeans_x
from lisor.fsa.passes import Blocks, InMemory, check_finite
from lisor.fsa.rows import read_rows, write_rows

if TYPE_CHECKING:
    import torch

SCHEMA = 2
"""Version of the file written by `write`."""

_FILE = "clusterings.parquet"


@dataclass(frozen=True, kw_only=True, eq=False)
class Clustering:
    """K centers, the cluster of each point, and the summed squared distance of the points to their centers.

    `metric` is the matrix R of `lisor.fsa.sensitivity` where states s were compared as s·R, else None."""

    method: str
    k: int
    centers: Float[np.ndarray, "K H"]
    labels: Int[np.ndarray, " P"]
    inertia: float
    metric: Float[np.ndarray, "D F"] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Decisions:
    """What the network answers at each of P states, and how much that counts (λ)."""

    probabilities: Float[np.ndarray, "P C"]
    weight: float

    def beside(self, states: Float[np.ndarray, "P H"]) -> Float[np.ndarray, "P H+A"]:
        """The states divided by their overall standard deviation, and the answers with total variance H·λ².

        Two classes make one column, tanh of half the logit, which is 2·p − 1; C classes make C columns 2·p − 1."""
        answers = 2 * self.probabilities.astype(np.float64) - 1
        if answers.shape[1] == 2:
            answers = answers[:, 1:]
        spread = np.sqrt(answers.var(axis=0).sum())
        scale = self.weight * np.sqrt(states.shape[1]) / spread if spread > 0 else 0.0
        overall = states.std(dtype=np.float64)
        return np.concatenate([states / (overall if overall > 0 else 1.0), answers * scale], axis=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Metric:
    """States s are compared as s·R with R = `matrix`, and count by their `weights`, 1 unless given.

    For an LSTM or SRU s is h and c, and `cell_state` holds c."""

    matrix: Float[np.ndarray, "D F"]
    cell_state: Float[np.ndarray, "P H"] | None = None
    weights: Float[np.ndarray, " P"] | None = None

    def apply(self, states: Float[np.ndarray, "P H"]) -> Float[np.ndarray, "P F"]:
        """The states in the space in which they are compared."""
        whole = states if self.cell_state is None else np.concatenate([states, self.cell_state], axis=1)
        moved: Float[np.ndarray, "P F"] = whole @ self.matrix
        return moved


def member_means(
    points: Float[np.ndarray, "P H"],
    labels: Int[np.ndarray, " P"],
    k: int,
    weights: Float[np.ndarray, " P"] | None = None,
) -> Float[np.ndarray, "K H"]:
    """The mean of the points of each cluster, each counted by its weight."""
    counted = np.ones(len(labels)) if weights is None else weights
    members = csr_array((counted, (labels, np.arange(len(labels)))), shape=(k, len(labels)))
    total = np.bincount(labels, counted, minlength=k)
    means: Float[np.ndarray, "K H"] = ((members @ points) / np.where(total > 0, total, 1)[:, None]).astype(np.float32)
    return means


def cluster(
    states: Float[np.ndarray, "P H"] | Blocks,
    ks: Sequence[int],
    *,
    method: str,
    seed: int,
    threads: int = 1,
    positions: Positions | None = None,
    decisions: Decisions | None = None,
    metric: Metric | None = None,
    device: torch.device | None = None,
) -> list[Clustering]:
    """A clustering for each k.

    "kmeans" is LISOR-k of Hou & Zhou (2020): k-means on all hidden states. "kmeans-x" is LISOR-x: it also looks at the
    `positions` of the states in their sequences. "decision-aware" also looks at what the network answers at each state,
    its `decisions`. "sensitivity" compares states by the `metric` of what they do to the network's answer. Centers are
    those of the hidden states alone; inertia is that of what was clustered.

    The centers for k depend on the states, the seed and k alone. A k above the number of distinct states is left out,
    with a `DataWarning` where the grid is cut. Of states given as `Blocks` "kmeans" needs one block in memory at a
    time. With a `device` torch clusters there, by every method but "kmeans-x".

    Raises:
        DataError: a method was asked for without what it also looks at, or a state is NaN or infinite."""
    if method == "kmeans":
        blocks = InMemory(states) if isinstance(states, np.ndarray) else states
        return _clusterings(method, _kmeans(blocks, ks, seed, threads, device=device))
    whole = states if isinstance(states, np.ndarray) else np.concatenate(list(states))
    check_finite(whole)
    if method == "kmeans-x":
        if positions is None:
            raise DataError("kmeans-x needs the positions of the hidden states in their sequences")
        kept, distinct = _cut(ks, whole)
        points_x = Placed(hidden=whole, positions=positions)
        return _clusterings(method, kmeans_x(points_x, kept, distinct=distinct, seed=seed, threads=threads))
    if method == "decision-aware":
        if decisions is None:
            raise DataError("decision-aware needs the network's answers at the hidden states")
        points, weights, space = decisions.beside(whole), None, None
    elif method == "sensitivity":
        if metric is None:
            raise DataError("sensitivity needs the metric of the network's answers")
        points, weights, space = metric.apply(whole), metric.weights, metric.matrix
    else:
        raise DataError(f"expected kmeans, kmeans-x, decision-aware or sensitivity, got {method!r}")
    results = _kmeans(InMemory(points), ks, seed, threads, weights=weights, device=device)
    own = [run._replace(centers=member_means(whole, run.labels, len(run.centers), weights)) for run in results]
    return _clusterings(method, own, space)


def _kmeans(
    points: Blocks,
    ks: Sequence[int],
    seed: int,
    threads: int,
    *,
    weights: Float[np.ndarray, " P"] | None = None,
    device: torch.device | None = None,
) -> list[KMeansResult]:
    drawn = sample(points, seed)
    kept, distinct = _cut(ks, drawn[0])
    how = {"distinct": distinct, "seed": seed, "threads": threads}
    return kmeans(points, kept, drawn=drawn, weights=weights, device=device, **how)


def _clusterings(
    method: str, results: Iterable[KMeansResult], metric: Float[np.ndarray, "D F"] | None = None
) -> list[Clustering]:
    return [
        Clustering(method=method, k=len(centers), centers=centers, labels=labels, inertia=inertia, metric=metric)
        for centers, labels, inertia in results
    ]


def _cut(ks: Sequence[int], states: Float[np.ndarray, "P H"]) -> tuple[list[int], int]:
    """Those k that are at most the number of distinct states, and that number, as far as it matters to them."""
    distinct = count_distinct(states, top(max(ks), len(states)))
    kept = [k for k in ks if k <= distinct]
    if kept and len(kept) < len(ks):
        note = f"the grid of k ends at {distinct}, the number of distinct hidden states; {max(ks)} was asked for"
        warnings.warn(note, DataWarning, stacklevel=4)
    return kept, distinct


def count_distinct(states: Float[np.ndarray, "P H"], limit: int) -> int:
    """The number of distinct hidden states, counted up to `limit`.

    States that agree to five decimals are one: the same prefix run in another batch differs by rounding."""
    size = 4 * limit
    while True:
        distinct = len(np.unique(np.round(states[:size], 5), axis=0))
        if distinct >= limit or size >= len(states):
            return min(distinct, limit)
        size *= 4


def write(clusterings: Iterable[Clustering], folder: Path) -> None:
    """Write `clusterings.parquet`, a row for each k."""
    rows = list(clusterings)
    columns = {
        "method": pa.array([row.method for row in rows], pa.string()),
        "k": pa.array([row.k for row in rows], pa.int32()),
        "inertia": pa.array([row.inertia for row in rows], pa.float64()),
        "centers": pa.array([row.centers.reshape(-1) for row in rows], pa.list_(pa.float32())),
        "labels": pa.array([row.labels for row in rows], pa.list_(pa.int32())),
        "metric": pa.array([None if row.metric is None else row.metric.reshape(-1) for row in rows],
                           pa.list_(pa.float32())),
        "metric_rows": pa.array([None if row.metric is None else len(row.metric) for row in rows], pa.int32()),
    }  # fmt: skip
    table = pa.table(columns).replace_schema_metadata({"lisor": json.dumps({"schema": SCHEMA})})
    write_rows(table, folder / _FILE)


def read(folder: Path, wanted: Collection[tuple[str, int]] | None = None) -> Iterator[Clustering]:
    """The clusterings that `write` left in `folder`, one at a time: all, or those of the `wanted` (method, k)."""
    file = pq.ParquetFile(folder / _FILE)
    schema = json.loads(file.schema_arrow.metadata[b"lisor"])["schema"]
    if schema != SCHEMA:
        raise SchemaError(f"expected clusterings of schema {SCHEMA}, got {schema}; run the step again")
    keys = zip(*(file.read([name])[name].to_pylist() for name in ("method", "k")), strict=True)
    for row in read_rows(file, [wanted is None or key in wanted for key in keys]):
        k = row["k"][0].as_py()
        yield Clustering(
            method=row["method"][0].as_py(),
            k=k,
            centers=row["centers"].combine_chunks().flatten().to_numpy().reshape(k, -1),
            labels=row["labels"].combine_chunks().flatten().to_numpy(),
            inertia=row["inertia"][0].as_py(),
            metric=_metric(row),
        )


def _metric(row: pa.Table) -> Float[np.ndarray, "D F"] | None:
    size = row["metric_rows"][0].as_py()
    if size is None:
        return None
    matrix: Float[np.ndarray, "D F"] = row["metric"].combine_chunks().flatten().to_numpy().reshape(size, -1)
    return matrix
