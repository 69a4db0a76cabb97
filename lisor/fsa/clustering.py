"""Hidden states grouped into K clusters, which become the states of an automaton.

Shapes: P points (one for each step of each sequence), H hidden units, K clusters."""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Int

from lisor.errors import DataError, DataWarning, SchemaError
from lisor.fsa.kmeans import lloyd, seed_centers
from lisor.fsa.kmeans_x import Positions, lloyd_x, seed_points

SCHEMA = 1
"""Version of the file written by `write`."""

_FILE = "clusterings.parquet"


@dataclass(frozen=True, kw_only=True, eq=False)
class Clustering:
    """K centers, the cluster of each point, and the summed squared distance of the points to their centers."""

    method: str
    k: int
    centers: Float[np.ndarray, "K H"]
    labels: Int[np.ndarray, " P"]
    inertia: float


def cluster(
    states: Float[np.ndarray, "P H"],
    ks: Sequence[int],
    *,
    method: str,
    seed: int,
    positions: Positions | None = None,
) -> list[Clustering]:
    """A clustering for each k, by one of the methods of Hou & Zhou (2020).

    "kmeans" is LISOR-k: k-means on all hidden states. "kmeans-x" is LISOR-x: it also looks at the `positions` of the
    states in their sequences. The centers for k depend on the states, the seed and k alone. A k above the number of
    distinct states is left out, with a `DataWarning` where the grid is cut.

    Raises:
        DataError: kmeans-x was asked for without positions."""
    most = count_distinct(states, max(ks))
    kept = [k for k in ks if k <= most]
    if not kept:
        return []
    if len(kept) < len(ks):
        note = f"the grid of k ends at {most}, the number of distinct hidden states; {max(ks)} was asked for"
        warnings.warn(note, DataWarning, stacklevel=2)
    if method == "kmeans-x":
        if positions is None:
            raise DataError("kmeans-x needs the positions of the hidden states in their sequences")
        rows = seed_points(states, positions, max(kept), seed)
        results = [lloyd_x(states, positions, rows[:k]) for k in kept]
    else:
        seeds = seed_centers(states, max(kept), seed)
        results = [lloyd(states, seeds[:k]) for k in kept]
    return [
        Clustering(method=method, k=k, centers=centers, labels=labels, inertia=inertia)
        for k, (centers, labels, inertia) in zip(kept, results, strict=True)
    ]


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
    }
    table = pa.table(columns).replace_schema_metadata({"lisor": json.dumps({"schema": SCHEMA})})
    pq.write_table(table, folder / _FILE, compression="zstd", row_group_size=1)


def read(folder: Path, wanted: Collection[tuple[str, int]] | None = None) -> Iterator[Clustering]:
    """The clusterings that `write` left in `folder`, one at a time: all, or those of the `wanted` (method, k)."""
    file = pq.ParquetFile(folder / _FILE)
    schema = json.loads(file.schema_arrow.metadata[b"lisor"])["schema"]
    if schema != SCHEMA:
        raise SchemaError(f"expected clusterings of schema {SCHEMA}, got {schema}; run the step again")
    keys = zip(*(file.read([name])[name].to_pylist() for name in ("method", "k")), strict=True)
    for group, key in enumerate(keys):
        if wanted is not None and key not in wanted:
            continue
        row = file.read_row_group(group)
        k = row["k"][0].as_py()
        yield Clustering(
            method=row["method"][0].as_py(),
            k=k,
            centers=row["centers"].combine_chunks().flatten().to_numpy().reshape(k, -1),
            labels=row["labels"].combine_chunks().flatten().to_numpy(),
            inertia=row["inertia"][0].as_py(),
        )
