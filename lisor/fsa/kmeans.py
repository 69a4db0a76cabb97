"""k-means for a grid of k, whose centers depend on the points, the seed and k alone.

Few points are clustered by scikit-learn, one k after another as in `lisor.fsa.descent`. Of many, a sample is; then some
exact passes go over all of them, as in `lisor.fsa.passes`.

Shapes: P points, H hidden units, K clusters, B points of a block, D distinct ones among them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int
from sklearn.cluster import KMeans, kmeans_plusplus

from lisor.fsa.descent import STARTS, KMeansResult, Solver, cheapest_merger, descend, top
from lisor.fsa.passes import TOLERANCE, Blocks, Grid, check_finite
from lisor.randomness import stream, stream_seed
from lisor.threads import workers

if TYPE_CHECKING:
    import torch

    from lisor.fsa.kmeans_torch import TorchGrid

LOCAL_TRIALS = 5
"""Candidates that greedy k-means++ tries for each center. Fixed, so that its choice does not look at k."""

MAX_ITERATIONS = 300

SAMPLE = 20_000
"""Points that are clustered before the others are looked at."""

MOST_DISTINCT = 0.8
"""Where more than this share of the points are distinct, they are not worth collapsing."""

PASSES = 3
"""Most iterations over all points; each is followed by more only while the centers move by more than the tolerance."""


def seed_centers(
    points: Float[np.ndarray, "P H"],
    k: int,
    seed: int,
    weights: Float[np.ndarray, " P"] | None = None,
) -> Float[np.ndarray, "K H"]:
    """`k` of the points, drawn far apart by greedy k-means++ (Arthur & Vassilvitskii, 2007).

    The first j of them are the draw for j < k, so one draw serves a whole grid of k."""
    random = np.random.RandomState(seed)
    centers, _ = kmeans_plusplus(points, k, sample_weight=weights, random_state=random, n_local_trials=LOCAL_TRIALS)
    return np.asarray(centers)


def lloyd(
    points: Float[np.ndarray, "P H"],
    centers: Float[np.ndarray, "K H"],
    weights: Float[np.ndarray, " P"] | None = None,
) -> KMeansResult:
    """k-means from given centers (Lloyd, 1982, "Least squares quantization in PCM"), by scikit-learn.

    A point counts as much as its weight, 1 unless given."""
    model = KMeans(len(centers), init=centers.astype(np.float64), n_init=1, max_iter=MAX_ITERATIONS, tol=TOLERANCE).fit(
        points.astype(np.float64), sample_weight=weights
    )
    return KMeansResult(model.cluster_centers_.astype(np.float32), model.labels_, float(model.inertia_))


@dataclass(frozen=True, eq=False)
class _Solver:
    """k-means by scikit-learn from the given draws of centers."""

    points: Float[np.ndarray, "P H"]
    weights: Float[np.ndarray, " P"] | None
    draws: Sequence[Float[np.ndarray, "K H"]]

    def start(self, k: int, draw: int) -> KMeansResult:
        return lloyd(self.points, self.draws[draw][:k], self.weights)

    def merge(self, found: KMeansResult) -> KMeansResult:
        centers = found.centers.astype(np.float64)
        counts = np.bincount(found.labels, self.weights, minlength=len(centers)).astype(np.float64)
        into, gone, _ = cheapest_merger(counts, centers @ centers.T)
        both = counts[into] + counts[gone]
        if both > 0:
            centers[into] = (counts[into] * centers[into] + counts[gone] * centers[gone]) / both
        return lloyd(self.points, np.delete(centers, gone, axis=0), self.weights)

    def result(self, found: KMeansResult) -> KMeansResult:
        return found


def sample(points: Blocks, seed: int) -> tuple[Float[np.ndarray, "B H"], Int[np.ndarray, " B"]]:
    """`SAMPLE` of the points, or all if there are no more, and their rows.

    Raises:
        DataError: a point is NaN or infinite."""
    rows = np.arange(len(points))
    if len(points) > SAMPLE:
        rows = np.sort(stream(seed, "sample").choice(len(points), SAMPLE, replace=False))
    drawn, start = [], 0
    for block in points:
        first, last = np.searchsorted(rows, [start, start + len(block)])
        check_finite(block)
        drawn.append(block[rows[first:last] - start])
        start += len(block)
    return (drawn[0] if len(drawn) == 1 else np.concatenate(drawn)), rows


def collapse(
    points: Float[np.ndarray, "B H"], weights: Float[np.ndarray, " B"] | None
) -> tuple[Float[np.ndarray, "D H"], Float[np.ndarray, " D"] | None, Int[np.ndarray, " B"]]:
    """The points without those that are there already, what each of them weighs, and where each point has gone.

    Words over a small alphabet share prefixes, and so hidden states. Where few do, the points stay as they are."""
    rows = np.ascontiguousarray(points)
    numbers = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
    _, first, places = np.unique(numbers, return_index=True, return_inverse=True)
    if len(first) > MOST_DISTINCT * len(points):
        return points, weights, np.arange(len(points))
    return points[first], np.bincount(places, weights).astype(np.float64), places


def kmeans(
    points: Blocks,
    ks: Sequence[int],
    *,
    drawn: tuple[Float[np.ndarray, "B H"], Int[np.ndarray, " B"]],
    distinct: int,
    seed: int,
    weights: Float[np.ndarray, " P"] | None = None,
    threads: int = 1,
    device: torch.device | None = None,
) -> list[KMeansResult]:
    """k-means for each k, none larger than the number of `distinct` points `drawn` as a `sample`.

    What was drawn is clustered to the end; where that is not all, Lloyd's iterations go on over all points until the
    centers move by no more than the same tolerance, or `PASSES` times. With a `device` torch does so there."""
    if not ks:
        return []
    (some, rows), most = drawn, top(max(ks), distinct)
    own, own_weights, places = collapse(some, None if weights is None else weights[rows])
    with workers(threads) as pool:
        seeds = [stream_seed(seed, "kmeans", draw) for draw in range(STARTS)]
        draws = pool.map(lambda own_seed: seed_centers(own, most, own_seed, own_weights), seeds)
        found = descend(ks, distinct, _solver(own, own_weights, list(draws), device), pool)
        if len(some) == len(points):
            return [result._replace(labels=result.labels[places]) for result in found]
        grid = _grid(points, weights, [result.centers for result in found], pool, device)
        for _ in range(PASSES):
            grid.assign()
            if not grid.move():
                break
        return grid.finish()


def _solver(
    points: Float[np.ndarray, "P H"],
    weights: Float[np.ndarray, " P"] | None,
    draws: Sequence[Float[np.ndarray, "K H"]],
    device: torch.device | None,
) -> Solver[Any]:
    if device is None:
        return _Solver(points, weights, draws)
    from lisor.fsa.kmeans_torch import TorchSolver

    return TorchSolver(points, weights, draws, device)


def _grid(
    points: Blocks,
    weights: Float[np.ndarray, " P"] | None,
    centers: Sequence[Float[np.ndarray, "K H"]],
    pool: Executor,
    device: torch.device | None,
) -> Grid | TorchGrid:
    if device is None:
        return Grid(points, weights, centers, pool)
    from lisor.fsa.kmeans_torch import TorchGrid

    return TorchGrid(points, weights, centers, device)
