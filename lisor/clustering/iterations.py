"""Iterations of k-means over many points, each of which serves every k.

Points that do not fit into memory are read a few times, and not a few times for each k.

Shapes: P points, H hidden units, K clusters, B points of a block or of a piece of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor

import numpy as np
from jaxtyping import Float

from lisor.blocks import Blocks
from lisor.clustering import kernels
from lisor.clustering.shrinking import KMeansResult
from lisor.errors import DataError
from lisor.threads import in_order

_Change = tuple[Float[np.ndarray, "K H"], Float[np.ndarray, " K"]]
"""What is added to the sum and to the number of the members of each cluster."""

_Spread = Float[np.ndarray, "3 H"]
"""Of each column the sum of the points, that of their squares, and that of their squares by
weight."""

TOLERANCE = 1e-4
"""k-means ends when the centers' squared moves sum up to no more than this share of the points'
mean variance."""

MAX_ITERATIONS = 300

PIECE = 8192
"""Points of a block that a thread works on at a time."""

UNPACKED = 999_999
"""Multiplications up to which OpenBLAS does not copy the factors of a product of float32 together
first."""

AHEAD = 8
"""Pieces that are read before the first of them is done."""


def check_finite(points: Float[np.ndarray, "B H"]) -> None:
    """Raises DataError where a point is NaN or infinite: it has no nearest center."""
    finite = np.isfinite(points)
    if not finite.all():
        row = int(np.flatnonzero(~finite.all(axis=1))[0])
        raise DataError(
            f"expected finite numbers as hidden states, found NaN or infinity in row {row}"
        )


class SharedIterations:
    """Centers for every k, and iterations over all points that they share.

    What a piece of a block adds is summed in the order of the pieces, so that threads change no
    bit."""

    def __init__(
        self,
        points: Blocks,
        weights: Float[np.ndarray, " P"] | None,
        centers: Sequence[Float[np.ndarray, "K H"]],
        pool: Executor,
    ) -> None:
        self.points, self.weights, self.centers, self.pool = points, weights, list(centers), pool
        self.moving = np.ones(len(centers), bool)
        self.labels = np.full((len(centers), len(points)), -1, np.int32)
        self.slack = np.zeros((len(centers), len(points)), np.float32)
        self.drifts = [np.zeros(len(each)) for each in centers]
        """By how much each center may have come less near to its members than another is, since
        they were assigned."""
        self.counts = [np.zeros(len(each)) for each in centers]
        self.sums = [np.zeros(each.shape) for each in centers]
        """Of the members of each cluster, kept up as they change."""
        self.spread: _Spread | None = None
        """Known when all points have been looked at once."""

    def _weights(self, rows: slice) -> Float[np.ndarray, " B"]:
        return np.ones(rows.stop - rows.start) if self.weights is None else self.weights[rows]

    def assign(self) -> None:
        """Give each point to its nearest center, of each k that is still moving.

        Products are made for one k at a time, since their last bits depend on what is multiplied
        with them, and only for points whose nearest center the moves so far may have changed."""
        moving = np.flatnonzero(self.moving)
        half_norms = [np.square(self.centers[index]).sum(axis=1) / 2 for index in moving]
        columns = [np.ascontiguousarray(self.centers[index].T) for index in moving]

        def assign_piece(
            points: Float[np.ndarray, "B H"], first: int
        ) -> tuple[list[_Change], _Spread | None]:
            rows = slice(first, first + len(points))
            weights, squared_norms = self._weights(rows), np.einsum("bh,bh->b", points, points)
            buffer = np.empty(len(points), np.int32)
            changes: list[_Change] = []
            for index, norms, across in zip(moving, half_norms, columns, strict=True):
                sums, counts = np.zeros((len(norms), points.shape[1])), np.zeros(len(norms))
                labels, slack = self.labels[index, rows], self.slack[index, rows]
                doubtful = buffer[: kernels.in_doubt(self.drifts[index], labels, slack, buffer)]
                doubted = points if len(doubtful) == len(points) else points[doubtful]
                products = _products(doubted, across)
                kernels.reassign(
                    products,
                    norms,
                    doubtful,
                    points,
                    squared_norms,
                    weights,
                    labels,
                    slack,
                    sums,
                    counts,
                )
                changes.append((sums, counts))
            if self.spread is not None:
                return changes, None
            spread = np.zeros((3, points.shape[1]))
            kernels.add_moments(points, weights, spread)
            return changes, spread

        spreads: list[_Spread] = []
        for changes, spread in in_order(self.pool, assign_piece, self._pieces(), AHEAD):
            if spread is not None:
                spreads.append(spread)
            for index, (sums, counts) in zip(moving, changes, strict=True):
                self.sums[index] += sums
                self.counts[index] += counts
        for index in moving:
            self.drifts[index][:] = 0
        if spreads:
            self.spread = np.sum(spreads, axis=0)

    def _pieces(self) -> Iterator[tuple[Float[np.ndarray, "B H"], int]]:
        """`PIECE` points of a block at a time, and the row of the first of them."""
        start = 0
        for block in self.points:
            for first in range(0, len(block), PIECE):
                yield block[first : first + PIECE], start + first
            start += len(block)

    def move(self) -> bool:
        """Put each center where the mean of its members is; whether any k has moved by more than
        the tolerance."""
        assert self.spread is not None, "no point was assigned yet"
        means, squares, _ = self.spread / len(self.points)
        tolerance = TOLERANCE * np.mean(squares - np.square(means))
        for index in np.flatnonzero(self.moving):
            before, counts = self.centers[index], self.counts[index][:, None]
            after = np.where(counts > 0, self.sums[index] / np.where(counts > 0, counts, 1), before)
            self.centers[index] = after.astype(np.float32)
            self.moving[index] = np.square(after - before).sum() > tolerance
            self.drifts[index] = _drifts(
                np.sqrt(np.square(self.centers[index] - before).sum(axis=1))
            )
        return bool(self.moving.any())

    def finish(self) -> list[KMeansResult]:
        """Every point at its nearest center; the inertia is Σ w·‖x‖² − 2·Σ c·(Σ w·x) + Σ ‖c‖²·(Σ
        w)."""
        self.moving[:] = True
        self.assign()
        assert self.spread is not None
        results, squared_norms = [], self.spread[2].sum()
        for centers, labels, sums, counts in zip(
            self.centers, self.labels, self.sums, self.counts, strict=True
        ):
            wide = centers.astype(np.float64)
            inertia = (
                squared_norms
                - 2 * (wide * sums).sum()
                + (np.square(wide).sum(axis=1) * counts).sum()
            )
            results.append(KMeansResult(centers, labels, max(0.0, float(inertia))))
        return results


def _products(
    points: Float[np.ndarray, "B H"], across: Float[np.ndarray, "H K"]
) -> Float[np.ndarray, "B K"]:
    """`points @ across`, in parts that BLAS multiplies as they are, which takes half the time where
    K is small."""
    rows = UNPACKED // across.size
    if rows < len(across):
        return np.asarray(points @ across)
    products = np.empty((len(points), across.shape[1]), np.result_type(points, across))
    for first in range(0, len(points), rows):
        np.matmul(points[first : first + rows], across, out=products[first : first + rows])
    return products


def _drifts(moved: Float[np.ndarray, " K"]) -> Float[np.ndarray, " K"]:
    """How far each center has moved, and the one of all others that has moved the farthest."""
    drifts = moved.astype(np.float64)
    if len(moved) > 1:
        second, first = np.argsort(moved)[-2:]
        drifts += moved[first]
        drifts[first] = moved[first] + moved[second]
    return drifts
