"""k-means for a grid of k, whose centers depend on the points, the seed and k alone.

Few points are clustered by scikit-learn, one k after another as in `lisor.clustering.shrinking`. Of
many, a sample is; then a few iterations go over all of them, as in `lisor.clustering.iterations`.
Hidden states with their positions are clustered as in `lisor.clustering.positions`.

Shapes: P points, H hidden units, K clusters, B points of a block, D distinct ones among them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int
from sklearn.cluster import KMeans, kmeans_plusplus

from lisor.blocks import Blocks
from lisor.clustering.iterations import (
    MAX_ITERATIONS,
    TOLERANCE,
    SharedIterations,
    check_finite,
)
from lisor.clustering.positions import PositionedStates, cluster_with_positions
from lisor.clustering.shrinking import (
    LOCAL_TRIALS,
    STARTS,
    KMeansResult,
    Solver,
    cheapest_merger,
    shrink,
    top,
)
from lisor.errors import DataError, DataWarning
from lisor.randomness import stream, stream_seed
from lisor.threads import workers

if TYPE_CHECKING:
    import torch

    from lisor.clustering.kmeans_torch import TorchIterations

SAMPLE = 20_000
"""Points that are clustered before the others are looked at."""

MAX_DISTINCT = 0.8
"""Where more than this share of the points are distinct, they are not worth collapsing."""

MAX_SHARED_ITERATIONS = 3
"""Most iterations over all points; each is followed by more only while the centers move by more
than the tolerance."""


def kmeans(
    points: Blocks | PositionedStates,
    ks: Sequence[int],
    *,
    seed: int,
    weights: Float[np.ndarray, " P"] | None = None,
    threads: int = 1,
    device: torch.device | None = None,
) -> list[KMeansResult]:
    """k-means for each k; those above the number of distinct points are left out, with a
    `DataWarning` where the grid is cut.

    A sample of the points is clustered to the end; where that is not all, Lloyd's iterations go on
    over all points until the centers move by no more than the same tolerance, or
    `MAX_SHARED_ITERATIONS` times. With a `device` torch does so there. Points with positions are
    all clustered to the end, without weights and on the CPU.

    Raises:
        DataError: a point is NaN or infinite, or points with positions have weights."""
    if isinstance(points, PositionedStates):
        if weights is not None:
            raise DataError("expected no weights of hidden states with positions; leave them out")
        kept, distinct = _cut(ks, points.hidden)
        return cluster_with_positions(points, kept, distinct, seed, threads) if kept else []
    sampled, rows = sample(points, seed)
    kept, distinct = _cut(ks, sampled)
    if not kept:
        return []
    collapsed, masses, members = collapse(sampled, None if weights is None else weights[rows])
    with workers(threads) as pool:
        seeds = [stream_seed(seed, "kmeans", draw) for draw in range(STARTS)]
        most = top(max(kept), distinct)
        draws = pool.map(lambda draw: seed_centers(collapsed, most, draw, masses), seeds)
        results = shrink(kept, distinct, _solver(collapsed, masses, list(draws), device), pool)
        if len(sampled) == len(points):
            return [result._replace(labels=result.labels[members]) for result in results]
        centers = [result.centers for result in results]
        iterations = _iterations(points, weights, centers, pool, device)
        for _ in range(MAX_SHARED_ITERATIONS):
            iterations.assign()
            if not iterations.move():
                break
        return iterations.finish()


def _cut(ks: Sequence[int], points: Float[np.ndarray, "P H"]) -> tuple[list[int], int]:
    """Those k that are at most the number of distinct points, and that number, as far as it matters
    to them."""
    distinct = count_distinct(points, top(max(ks), len(points)))
    kept = [k for k in ks if k <= distinct]
    if kept and len(kept) < len(ks):
        note = (
            f"the grid of k ends at {distinct}, the number of distinct hidden states; {max(ks)} "
            "was asked for"
        )
        warnings.warn(note, DataWarning, stacklevel=4)
    return kept, distinct


def count_distinct(points: Float[np.ndarray, "P H"], limit: int) -> int:
    """The number of distinct points, counted up to `limit`.

    Points that agree to five decimals are one: the hidden state of the same prefix in another batch
    differs by rounding."""
    size = 4 * limit
    while True:
        distinct = len(np.unique(np.round(points[:size], 5), axis=0))
        if distinct >= limit or size >= len(points):
            return min(distinct, limit)
        size *= 4


def seed_centers(
    points: Float[np.ndarray, "P H"],
    k: int,
    seed: int,
    weights: Float[np.ndarray, " P"] | None = None,
) -> Float[np.ndarray, "K H"]:
    """`k` of the points, drawn far apart by greedy k-means++ (Arthur & Vassilvitskii, 2007).

    The first j of them are the draw for j < k, so one draw serves a whole grid of k."""
    random = np.random.RandomState(seed)
    centers, _ = kmeans_plusplus(
        points, k, sample_weight=weights, random_state=random, n_local_trials=LOCAL_TRIALS
    )
    return np.asarray(centers)


def lloyd(
    points: Float[np.ndarray, "P H"],
    centers: Float[np.ndarray, "K H"],
    weights: Float[np.ndarray, " P"] | None = None,
) -> KMeansResult:
    """k-means from given centers (Lloyd, 1982, "Least squares quantization in PCM"), by
    scikit-learn.

    A point counts as much as its weight, 1 unless given."""
    model = KMeans(
        len(centers),
        init=centers.astype(np.float64),
        n_init=1,
        max_iter=MAX_ITERATIONS,
        tol=TOLERANCE,
    ).fit(points.astype(np.float64), sample_weight=weights)
    return KMeansResult(
        model.cluster_centers_.astype(np.float32), model.labels_, float(model.inertia_)
    )


@dataclass(frozen=True, eq=False)
class ScikitSolver:
    """k-means by scikit-learn from the given draws of centers."""

    points: Float[np.ndarray, "P H"]
    weights: Float[np.ndarray, " P"] | None
    draws: Sequence[Float[np.ndarray, "K H"]]

    def start(self, k: int, draw: int) -> KMeansResult:
        return lloyd(self.points, self.draws[draw][:k], self.weights)

    def merge(self, clusters: KMeansResult) -> KMeansResult:
        centers = clusters.centers.astype(np.float64)
        counts = np.bincount(clusters.labels, self.weights, minlength=len(centers)).astype(
            np.float64
        )
        into, gone, _ = cheapest_merger(counts, centers @ centers.T)
        both = counts[into] + counts[gone]
        if both > 0:
            centers[into] = (counts[into] * centers[into] + counts[gone] * centers[gone]) / both
        return lloyd(self.points, np.delete(centers, gone, axis=0), self.weights)

    def result(self, clusters: KMeansResult) -> KMeansResult:
        return clusters


def sample(points: Blocks, seed: int) -> tuple[Float[np.ndarray, "B H"], Int[np.ndarray, " B"]]:
    """`SAMPLE` of the points, or all if there are no more, and their rows.

    Raises:
        DataError: a point is NaN or infinite."""
    rows = np.arange(len(points))
    if len(points) > SAMPLE:
        rows = np.sort(stream(seed, "sample").choice(len(points), SAMPLE, replace=False))
    parts, start = [], 0
    for block in points:
        first, last = np.searchsorted(rows, [start, start + len(block)])
        check_finite(block)
        parts.append(block[rows[first:last] - start])
        start += len(block)
    return (parts[0] if len(parts) == 1 else np.concatenate(parts)), rows


def collapse(
    points: Float[np.ndarray, "B H"], weights: Float[np.ndarray, " B"] | None
) -> tuple[Float[np.ndarray, "D H"], Float[np.ndarray, " D"] | None, Int[np.ndarray, " B"]]:
    """The points without those that are there already, the weight of each of them, and which
    of them each point is.

    Words over a small alphabet share prefixes, and so hidden states. Where few do, the points stay
    as they are."""
    rows = np.ascontiguousarray(points)
    numbers = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
    _, first, members = np.unique(numbers, return_index=True, return_inverse=True)
    if len(first) > MAX_DISTINCT * len(points):
        return points, weights, np.arange(len(points))
    return points[first], np.bincount(members, weights).astype(np.float64), members


def _solver(
    points: Float[np.ndarray, "P H"],
    weights: Float[np.ndarray, " P"] | None,
    draws: Sequence[Float[np.ndarray, "K H"]],
    device: torch.device | None,
) -> Solver[Any]:
    if device is None:
        return ScikitSolver(points, weights, draws)
    from lisor.clustering.kmeans_torch import TorchSolver

    return TorchSolver(points, weights, draws, device)


def _iterations(
    points: Blocks,
    weights: Float[np.ndarray, " P"] | None,
    centers: Sequence[Float[np.ndarray, "K H"]],
    pool: Executor,
    device: torch.device | None,
) -> SharedIterations | TorchIterations:
    if device is None:
        return SharedIterations(points, weights, centers, pool)
    from lisor.clustering.kmeans_torch import TorchIterations

    return TorchIterations(points, weights, centers, device)
