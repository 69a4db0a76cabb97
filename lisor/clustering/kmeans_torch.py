"""k-means on a device of torch, step by step as in `lisor.clustering.kmeans` and
`lisor.clustering.iterations`.

Who belongs to which center is a matrix too, so that sums over members are matrix products: unlike
scattered additions these come out the same each time on CUDA. A cluster that loses all its members
stays where it was.

Shapes: P points, H hidden units, K clusters, B points of a block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lisor.blocks import Blocks, InMemory
from lisor.clustering.iterations import MAX_ITERATIONS, TOLERANCE
from lisor.clustering.shrinking import KMeansResult, cheapest_merger

ROWS = 1 << 20
"""Points of a block that are looked at at once."""

PIECE = 1 << 12
"""Points that are summed up in their own precision; the sums of pieces are added in float64."""


class _Clusters(NamedTuple):
    """Clusters on the device."""

    centers: Float[Tensor, "K H"]
    labels: Int[Tensor, " P"]
    counts: Float[Tensor, " K"]
    inertia: float


class TorchSolver:
    """k-means from the given draws of centers, in float64, until the centers move by no more than
    the tolerance."""

    def __init__(
        self,
        points: Float[np.ndarray, "P H"],
        weights: Float[np.ndarray, " P"] | None,
        draws: Sequence[Float[np.ndarray, "K H"]],
        device: torch.device,
    ) -> None:
        self.points = torch.as_tensor(points, dtype=torch.float64, device=device)
        self.weights = (
            None
            if weights is None
            else torch.as_tensor(weights, dtype=torch.float64, device=device)
        )
        self.draws = [torch.as_tensor(draw, dtype=torch.float64, device=device) for draw in draws]
        self.tolerance = TOLERANCE * self.points.var(dim=0, correction=0).mean()
        squared = self.points.square().sum(dim=1)
        self.squared_norms = (squared if self.weights is None else squared * self.weights).sum()

    def start(self, k: int, draw: int) -> _Clusters:
        return self._lloyd(self.draws[draw][:k])

    def merge(self, clusters: _Clusters) -> _Clusters:
        products = (clusters.centers @ clusters.centers.T).cpu().numpy()
        into, gone, _ = cheapest_merger(clusters.counts.cpu().numpy(), products)
        both = clusters.counts[into] + clusters.counts[gone]
        centers = clusters.centers.clone()
        if both > 0:
            members = clusters.counts[into] * centers[into] + clusters.counts[gone] * centers[gone]
            centers[into] = members / both
        return self._lloyd(torch.cat([centers[:gone], centers[gone + 1 :]]))

    def result(self, clusters: _Clusters) -> KMeansResult:
        return KMeansResult(
            clusters.centers.float().cpu().numpy(),
            clusters.labels.int().cpu().numpy(),
            clusters.inertia,
        )

    def _lloyd(self, centers: Float[Tensor, "K H"]) -> _Clusters:
        for _ in range(MAX_ITERATIONS):
            sums, counts = _sums(
                self.points, _nearest(self.points, centers), self.weights, len(centers)
            )
            before, centers = centers, _means(sums, counts, centers)
            if (centers - before).square().sum() <= self.tolerance:
                break
        labels = _nearest(self.points, centers)
        sums, counts = _sums(self.points, labels, self.weights, len(centers))
        return _Clusters(
            centers, labels, counts, _inertia(self.squared_norms, centers, sums, counts)
        )


class TorchIterations:
    """Centers for every k, and iterations over all points that they share. Points in memory stay on
    the device."""

    def __init__(
        self,
        points: Blocks,
        weights: Float[np.ndarray, " P"] | None,
        centers: Sequence[Float[np.ndarray, "K H"]],
        device: torch.device,
    ) -> None:
        self.device, self.points = device, points
        self.weights = (
            None
            if weights is None
            else torch.as_tensor(weights, dtype=torch.float32, device=device)
        )
        self.centers = [torch.as_tensor(each, device=device) for each in centers]
        self.moving = np.ones(len(centers), bool)
        self.sums = [
            torch.zeros(each.shape, dtype=torch.float64, device=device) for each in centers
        ]
        self.counts = [
            torch.zeros(len(each), dtype=torch.float64, device=device) for each in centers
        ]
        self._in_memory = list(self._pieces()) if isinstance(points, InMemory) else None
        self.tolerance, self.squared_norms = self._spread()

    def _pieces(self) -> Iterator[tuple[Float[Tensor, "B H"], int]]:
        """`ROWS` points of a block at a time, and the row of the first of them."""
        start = 0
        for block in self.points:
            for first in range(0, len(block), ROWS):
                piece = torch.as_tensor(
                    block[first : first + ROWS], dtype=torch.float32, device=self.device
                )
                yield piece, start + first
            start += len(block)

    def _each(self) -> Iterator[tuple[Float[Tensor, "B H"], Float[Tensor, " B"] | None, slice]]:
        for piece, first in self._in_memory or self._pieces():
            rows = slice(first, first + len(piece))
            yield piece, None if self.weights is None else self.weights[rows], rows

    def _spread(self) -> tuple[Tensor, Tensor]:
        """`TOLERANCE` times the mean variance of the columns, and the sum of the points' squared
        norms by weight."""
        total, squares, norms = (
            torch.zeros((), dtype=torch.float64, device=self.device) for _ in range(3)
        )
        for piece, weights, _ in self._each():
            squared = piece.double().square()
            total = total + piece.sum(dim=0, dtype=torch.float64)
            squares = squares + squared.sum(dim=0)
            norms = norms + (squared if weights is None else squared * weights[:, None]).sum()
        variance = squares / len(self.points) - (total / len(self.points)).square()
        return TOLERANCE * variance.mean(), norms

    def assign(self, labels_of: Sequence[Int[np.ndarray, " P"]] = ()) -> None:
        """Give each point to its nearest center, of each k that is still moving; fill `labels_of`
        with which, if given."""
        moving = np.flatnonzero(self.moving)
        for index in moving:
            self.sums[index].zero_()
            self.counts[index].zero_()
        for piece, weights, rows in self._each():
            for index in moving:
                labels = _nearest(piece, self.centers[index])
                sums, counts = _sums(piece, labels, weights, len(self.centers[index]))
                self.sums[index] += sums
                self.counts[index] += counts
                if labels_of:
                    labels_of[index][rows] = labels.int().cpu().numpy()

    def move(self) -> bool:
        """Put each center where the mean of its members is; whether any k has moved by more than
        the tolerance."""
        for index in np.flatnonzero(self.moving):
            before = self.centers[index]
            after = _means(self.sums[index], self.counts[index], before)
            self.centers[index] = after.float()
            self.moving[index] = bool((after - before).square().sum() > self.tolerance)
        return bool(self.moving.any())

    def finish(self) -> list[KMeansResult]:
        """Every point at its nearest center."""
        self.moving[:] = True
        labels_of = [np.empty(len(self.points), np.int32) for _ in self.centers]
        self.assign(labels_of)
        return [
            KMeansResult(
                centers.cpu().numpy(),
                labels,
                _inertia(self.squared_norms, centers.double(), sums, counts),
            )
            for centers, labels, sums, counts in zip(
                self.centers, labels_of, self.sums, self.counts, strict=True
            )
        ]


def _nearest(points: Float[Tensor, "B H"], centers: Float[Tensor, "K H"]) -> Int[Tensor, " B"]:
    """The nearest center of each point."""
    return torch.addmm(centers.square().sum(dim=1) / 2, points, centers.T, alpha=-1).argmin(dim=1)


def _sums(
    points: Float[Tensor, "B H"],
    labels: Int[Tensor, " B"],
    weights: Float[Tensor, " B"] | None,
    k: int,
) -> tuple[Float[Tensor, "K H"], Float[Tensor, " K"]]:
    """The sum of the members of each cluster, and how many they are, each by its weight."""
    members = (labels == torch.arange(k, device=labels.device)[:, None]).to(points.dtype)
    if weights is not None:
        members = members * weights
    counts = members.sum(dim=1, dtype=torch.float64)
    if points.dtype == torch.float64:
        return members @ points, counts
    whole = len(points) // PIECE * PIECE
    pieces = members[:, :whole].reshape(k, -1, PIECE).transpose(0, 1)
    sums = torch.bmm(pieces, points[:whole].reshape(-1, PIECE, points.shape[1])).sum(
        dim=0, dtype=torch.float64
    )
    return sums + members[:, whole:] @ points[whole:], counts


def _means(
    sums: Float[Tensor, "K H"], counts: Float[Tensor, " K"], before: Float[Tensor, "K H"]
) -> Tensor:
    return torch.where(counts[:, None] > 0, sums / counts[:, None], before.double())


def _inertia(
    squared_norms: Tensor,
    centers: Float[Tensor, "K H"],
    sums: Float[Tensor, "K H"],
    counts: Float[Tensor, " K"],
) -> float:
    """Σ w·‖x‖² − 2·Σ c·(Σ w·x) + Σ ‖c‖²·(Σ w)."""
    inertia = (
        squared_norms - 2 * (centers * sums).sum() + (centers.square().sum(dim=1) * counts).sum()
    )
    return max(0.0, float(inertia))
