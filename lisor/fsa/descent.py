"""k-means for each k of a grid, from few starts.

At each power of two several starts compete. From the best of them the numbers of clusters below are reached one by one:
the two clusters whose merger costs least become one, and Lloyd's iterations go on (iterative shrinking; Fränti and
Virmajoki, 2006). A good clustering for k + 1 lies near a good one for k, so that a few iterations are enough. What is
found for k depends on the points, the seed and k alone.

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


class KMeansResult(NamedTuple):
    """Centers, the nearest center of each point, and the summed squared distance to it."""

    centers: Float[np.ndarray, "K H"]
    labels: Int[np.ndarray, " P"]
    inertia: float


S = TypeVar("S")


class Solver(Protocol[S]):
    """One way to cluster some points, step by step."""

    def start(self, k: int, draw: int) -> S:
        """`k` clusters from the centers of a draw."""
        ...

    def merge(self, found: S) -> S:
        """One cluster fewer."""
        ...

    def result(self, found: S) -> KMeansResult:
        """What is kept of a step."""
        ...


def descend(ks: Sequence[int], distinct: int, solver: Solver[S], pool: Executor) -> list[KMeansResult]:
    """The clusters for each k, none larger than the number of `distinct` points, counted up to `top(max(ks), …)`."""
    tops = {k: top(k, distinct) for k in ks}
    each = sorted(set(tops.values()), reverse=True)

    def go_down(found: S, first: int) -> dict[int, KMeansResult]:
        wanted = [k for k in ks if tops[k] == first]
        kept = {}
        for k in range(first, min(wanted) - 1, -1):
            found = found if k == first else solver.merge(found)
            if k in wanted:
                kept[k] = solver.result(found)
        return kept

    starts = [(first, draw) for first in each for draw in range(STARTS)]
    started = list(pool.map(lambda start: solver.start(*start), starts))
    few = [started[place : place + STARTS] for place in range(0, len(started), STARTS)]
    best = [min(some, key=lambda found: solver.result(found).inertia) for some in few]
    solved = ChainMap(*pool.map(go_down, best, each))
    return [solved[k] for k in ks]


def top(k: int, distinct: int) -> int:
    """The number of clusters from which k is reached: the next power of two, or the number of distinct points."""
    return min(1 << (k - 1).bit_length(), distinct)


class Merger(NamedTuple):
    """Two clusters, the one of the lower number first, and the squared distance of their centers."""

    into: int
    gone: int
    squared_distance: float


def cheapest_merger(counts: Float[np.ndarray, " K"], products: Float[np.ndarray, "K K"]) -> Merger:
    """The two clusters whose merger adds least to the inertia (Ward, 1963): n·m / (n + m) · ‖c − d‖².

    `products` are those of the centers with each other."""
    norms = np.diag(products)
    squared = np.maximum(norms[:, None] + norms - 2 * products, 0)
    weights = np.maximum(counts, np.finfo(np.float64).tiny)
    costs = squared / (1 / weights[:, None] + 1 / weights)
    costs[np.tril_indices(len(counts))] = np.inf
    into, gone = np.unravel_index(costs.argmin(), costs.shape)
    return Merger(int(into), int(gone), float(squared[into, gone]))
