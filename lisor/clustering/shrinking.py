"""k-means for each k of a grid, from few starts.

At each power of two several starts compete. From the best of them the numbers of clusters below are
reached one by one: the two clusters whose merger costs least become one, and Lloyd's iterations go
on (iterative shrinking; Fränti and Virmajoki, 2006). A good clustering for k + 1 lies near a good
one for k, so that a few iterations are enough. What is found for k depends on the points, the seed
and k alone.

Shapes: P points, H hidden units, K clusters."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from jaxtyping import Float, Int

STARTS = 4
"""Starts that compete at each power of two."""

LOCAL_TRIALS = 5
"""Candidates that greedy k-means++ tries for each center. Fixed, so that its choice does not look
at k."""


class KMeansResult(NamedTuple):
    """Centers, the nearest center of each point, and the summed squared distance to it."""

    centers: Float[np.ndarray, "K H"]
    labels: Int[np.ndarray, " P"]
    inertia: float


S = TypeVar("S")


class Solver(Protocol[S]):
    """k-means on some points, step by step; S is what it knows of a clustering."""

    def start(self, k: int, draw: int) -> S:
        """`k` clusters from the centers of a draw."""

    def merge(self, clusters: S) -> S:
        """One cluster fewer."""

    def result(self, clusters: S) -> KMeansResult:
        """What is kept of a step."""


def shrink(
    ks: Sequence[int], distinct: int, solver: Solver[S], pool: Executor
) -> list[KMeansResult]:
    """The clusters for each k, none larger than the number of `distinct` points, counted up to
    `top(max(ks), …)`."""
    tops = {k: top(k, distinct) for k in ks}
    firsts = sorted(set(tops.values()), reverse=True)

    def shrink_from(clusters: S, first: int) -> dict[int, KMeansResult]:
        wanted = [k for k in ks if tops[k] == first]
        results = {}
        for k in range(first, min(wanted) - 1, -1):
            clusters = clusters if k == first else solver.merge(clusters)
            if k in wanted:
                results[k] = solver.result(clusters)
        return results

    starts = [(first, draw) for first in firsts for draw in range(STARTS)]
    started = list(pool.map(lambda start: solver.start(*start), starts))
    best = [
        min(started[row : row + STARTS], key=lambda clusters: solver.result(clusters).inertia)
        for row in range(0, len(started), STARTS)
    ]
    results = ChainMap(*pool.map(shrink_from, best, firsts))
    return [results[k] for k in ks]


def top(k: int, distinct: int) -> int:
    """The number of clusters from which k is reached: the next power of two, or the number of
    distinct points."""
    return min(1 << (k - 1).bit_length(), distinct)


class Merger(NamedTuple):
    """Two clusters, the one of the lower number first, and the squared distance of their
    centers."""

    into: int
    gone: int
    squared_distance: float


def cheapest_merger(counts: Float[np.ndarray, " K"], products: Float[np.ndarray, "K K"]) -> Merger:
    """The two clusters whose merger adds least to the inertia (Ward, 1963): n·m / (n + m) · ‖c −
    d‖².

    `products` are those of the centers with each other."""
    norms = np.diag(products)
    squared = np.maximum(norms[:, None] + norms - 2 * products, 0)
    weights = np.maximum(counts, np.finfo(np.float64).tiny)
    costs = squared / (1 / weights[:, None] + 1 / weights)
    costs[np.tril_indices(len(counts))] = np.inf
    into, gone = np.unravel_index(costs.argmin(), costs.shape)
    return Merger(int(into), int(gone), float(squared[into, gone]))
