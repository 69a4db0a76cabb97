"""Hidden states grouped into K clusters, which become the states of an automaton.

Shapes: P points (one for each step of each sequence), H hidden units, K clusters, D numbers of a
state, F features of one."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from lisor.blocks import InMemory
from lisor.clustering.iterations import check_finite
from lisor.clustering.kmeans import kmeans
from lisor.errors import DataError, SchemaError
from lisor.parquet_rows import numbers, read_rows, write_rows
from lisor.registry import METHODS

if TYPE_CHECKING:
    import torch

    from lisor.clustering.method import Features
    from lisor.networks.hidden_states import HiddenStates, Points
    from lisor.networks.network import Network

SCHEMA = 3
"""Version of the file written by `write`."""

_FILE = "clusterings.parquet"


@dataclass(frozen=True, kw_only=True, eq=False)
class Clustering:
    """K centers, the cluster of each point, and the summed squared distance of the points to their
    centers.

    `metric` is the matrix R where states s were compared as s·R, else None. Where centers are no
    means, `medoids` are the points whose states they are, and `feature_centers` the means of the
    features of each cluster."""

    method: str
    k: int
    centers: Float[np.ndarray, "K H"]
    labels: Int[np.ndarray, " P"]
    inertia: float
    metric: Float[np.ndarray, "D F"] | None = None
    medoids: Int[np.ndarray, " K"] | None = None
    feature_centers: Float[np.ndarray, "K F"] | None = None


def member_means(
    points: Float[np.ndarray, "P H"],
    labels: Int[np.ndarray, " P"],
    k: int,
    weights: Float[np.ndarray, " P"] | None = None,
) -> Float[np.ndarray, "K H"]:
    """The mean of the points of each cluster, each counted by its weight."""
    masses = np.ones(len(labels)) if weights is None else weights
    members = csr_array((masses, (labels, np.arange(len(labels)))), shape=(k, len(labels)))
    total = np.bincount(labels, masses, minlength=k)
    means: Float[np.ndarray, "K H"] = (
        (members @ points) / np.where(total > 0, total, 1)[:, None]
    ).astype(np.float32)
    return means


def nearest_members(
    points: Float[np.ndarray, "P F"],
    labels: Int[np.ndarray, " P"],
    centers: Float[np.ndarray, "K F"],
) -> Int[np.ndarray, " K"]:
    """The point of each cluster that is nearest to its center, the first of a tie; of a cluster
    without points, the nearest of all."""
    distances = np.square(points - centers[labels]).sum(axis=1)
    order = np.lexsort([np.arange(len(labels)), distances, labels])
    first = np.searchsorted(labels[order], np.arange(len(centers)))
    nearest: Int[np.ndarray, " K"] = order[np.minimum(first, len(order) - 1)]
    for empty in np.flatnonzero(labels[nearest] != np.arange(len(centers))):
        nearest[empty] = np.square(points - centers[empty]).sum(axis=1).argmin()
    return nearest


def cluster(
    states: HiddenStates | Points,
    ks: Sequence[int],
    *,
    method: str,
    weight: float = 1.0,
    network: Network | None = None,
    seed: int,
    threads: int = 1,
    device: torch.device | None = None,
) -> list[Clustering]:
    """A clustering for each k by one of `lisor.registry.METHODS`.

    `weight` is λ, how much that counts which the method sees beside the hidden states. Centers are
    those of the hidden states alone; inertia is that of what was clustered. The centers for k
    depend on the states, the method, the seed and k alone. A k above the number of distinct points
    is left out, with a `DataWarning` where the grid is cut. With a `device` torch clusters there,
    if the method allows it.

    Raises:
        DataError: there is no such method, it needs the `network` and there is none, or a state is
            NaN or infinite.
        ModelError: the method cannot ask such a network."""
    if method not in METHODS:
        raise DataError(f"expected one of the methods {', '.join(METHODS)}, got {method!r}")
    if METHODS[method].needs_network:
        # A network has no prediction for NaN, and NumPy would warn of it first.
        check_finite(states.matrix())
    features = METHODS[method](method, weight).features(states, network)
    points, weights = features.points, features.weights
    results = kmeans(
        InMemory(points) if isinstance(points, np.ndarray) else points,
        ks,
        seed=seed,
        weights=weights,
        threads=threads,
        device=device,
    )
    clusterings = [
        Clustering(
            method=method,
            k=len(centers),
            centers=centers,
            labels=labels,
            inertia=inertia,
            metric=features.metric,
        )
        for centers, labels, inertia in results
    ]
    if not isinstance(points, np.ndarray):
        return clusterings
    hidden = states.matrix()
    return [_of_states(one, hidden, features, points) for one in clusterings]


def _of_states(
    clustering: Clustering,
    hidden: Float[np.ndarray, "P H"],
    features: Features,
    points: Float[np.ndarray, "P F"],
) -> Clustering:
    """A clustering of features with centers that are hidden states."""
    if not features.medoids:
        means = member_means(hidden, clustering.labels, clustering.k, features.weights)
        return replace(clustering, centers=means)
    medoids = nearest_members(points, clustering.labels, clustering.centers)
    return replace(
        clustering,
        centers=hidden[medoids],
        medoids=medoids,
        feature_centers=clustering.centers,
    )


def write(clusterings: Iterable[Clustering], folder: Path) -> None:
    """Write `clusterings.parquet`, a row for each k."""
    rows = list(clusterings)

    def flat(matrix: Float[np.ndarray, "..."] | None) -> Float[np.ndarray, " Z"] | None:
        return None if matrix is None else matrix.reshape(-1)

    columns = {
        "method": pa.array([row.method for row in rows], pa.string()),
        "k": pa.array([row.k for row in rows], pa.int32()),
        "inertia": pa.array([row.inertia for row in rows], pa.float64()),
        "centers": pa.array([row.centers.reshape(-1) for row in rows], pa.list_(pa.float32())),
        "labels": pa.array([row.labels for row in rows], pa.list_(pa.int32())),
        "metric": pa.array([flat(row.metric) for row in rows], pa.list_(pa.float32())),
        "metric_rows": pa.array(
            [None if row.metric is None else len(row.metric) for row in rows], pa.int32()
        ),
        "medoids": pa.array([row.medoids for row in rows], pa.list_(pa.int64())),
        "feature_centers": pa.array(
            [flat(row.feature_centers) for row in rows], pa.list_(pa.float32())
        ),
    }
    table = pa.table(columns).replace_schema_metadata({"lisor": json.dumps({"schema": SCHEMA})})
    write_rows(table, folder / _FILE)


def read(folder: Path, wanted: Collection[tuple[str, int]] | None = None) -> Iterator[Clustering]:
    """The clusterings that `write` left in `folder`, one at a time: all, or those of the `wanted`
    (method, k)."""
    file = pq.ParquetFile(folder / _FILE)
    schema = json.loads(file.schema_arrow.metadata[b"lisor"])["schema"]
    if schema != SCHEMA:
        raise SchemaError(
            f"expected clusterings of schema {SCHEMA}, got {schema}; run the step again"
        )
    keys = zip(*(file.read([name])[name].to_pylist() for name in ("method", "k")), strict=True)
    for row in read_rows(file, [wanted is None or key in wanted for key in keys]):
        k, metric_rows = row["k"][0].as_py(), row["metric_rows"][0].as_py()
        metric = None if metric_rows is None else numbers(row, "metric").reshape(metric_rows, -1)
        by_medoid = row["medoids"][0].is_valid
        yield Clustering(
            method=row["method"][0].as_py(),
            k=k,
            centers=numbers(row, "centers").reshape(k, -1),
            labels=numbers(row, "labels"),
            inertia=row["inertia"][0].as_py(),
            metric=metric,
            medoids=numbers(row, "medoids") if by_medoid else None,
            feature_centers=numbers(row, "feature_centers").reshape(k, -1) if by_medoid else None,
        )
