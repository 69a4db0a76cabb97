"""k-means on hidden states with their positions (LISOR-x; Hou & Zhou, 2020, section 4).

Point i, step t_i (from 1) of sequence s_i, becomes [h_i ; λ·t_i·e_{s_i}] with e the one-hot vector
over the sequences. Written densely this needs P×N extra numbers. With M[c, s] = (1/n_c)·Σ t_i over
the points of sequence s in cluster c, the extra squared distance of point i to center c is λ²·(t_i²
− 2·t_i·M[c, s_i] + Σ_s M[c, s]²): the same result. A sequence's points stand together, so the
column of M that they need is made from their own labels when it is their turn, and M is never held.
A point whose distances to the centers are far enough apart is not looked at again before they have
moved by as much (Hamerly, 2010, "Making k-means even faster").

Shapes: P points, H hidden units, N sequences, K clusters, B points of a chunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from lisor.clustering import kernels
from lisor.clustering.iterations import MAX_ITERATIONS, TOLERANCE, check_finite
from lisor.clustering.shrinking import (
    LOCAL_TRIALS,
    STARTS,
    KMeansResult,
    Merger,
    cheapest_merger,
    shrink,
    top,
)
from lisor.randomness import stream_seed
from lisor.threads import workers

CHUNK = 1 << 12
"""Points that are worked on at a time, few enough to stay in the processor's cache."""

ROUNDING = 1e-6
"""Of the longest point: bounds that are no further apart are not believed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StepPositions:
    """The position of each point: its sequence, numbered from 0 in the order of the points, and its
    step, times λ."""

    sequence: Int[np.ndarray, " P"]
    weighted_step: Float[np.ndarray, " P"]
    count: int
    """The number of sequences, N."""

    @classmethod
    def of(
        cls, sequence: Int[np.ndarray, " P"], step: Int[np.ndarray, " P"], weight: float
    ) -> StepPositions:
        """The positions of points whose sequences stand together, with λ = `weight`."""
        new = np.concatenate([[False], sequence[1:] != sequence[:-1]])[: len(sequence)]
        number = np.cumsum(new)
        count = int(number.max(initial=-1)) + 1
        return cls(sequence=number, weighted_step=weight * step.astype(np.float64), count=count)

    @cached_property
    def edges(self) -> Int[np.ndarray, " N+1"]:
        """Where the points of each sequence begin, and where the last one's end."""
        return np.searchsorted(self.sequence, np.arange(self.count + 1))

    @cached_property
    def chunks(self) -> list[Int[np.ndarray, "..."]]:
        """The edges of the sequences in chunks of some `CHUNK` points, one sequence at least."""
        firsts = np.unique(np.searchsorted(self.edges, np.arange(0, self.edges[-1], CHUNK)))
        return [
            self.edges[first : last + 1]
            for first, last in zip(firsts, [*firsts[1:], self.count], strict=True)
        ]


@dataclass(frozen=True, kw_only=True, eq=False)
class PositionedStates:
    """Hidden states and their positions.

    Raises:
        DataError: a state is NaN or infinite."""

    hidden: Float[np.ndarray, "P H"]
    positions: StepPositions

    def __post_init__(self) -> None:
        check_finite(self.hidden)

    def __len__(self) -> int:
        return len(self.hidden)

    @cached_property
    def squared_norms(self) -> Float[np.ndarray, " P"]:
        """The squared length of each point, position included."""
        norms: Float[np.ndarray, " P"] = np.square(self.positions.weighted_step)
        for chunk in self._chunks():
            norms[chunk] += np.square(self.hidden[chunk].astype(np.float64)).sum(axis=1)
        return norms

    @cached_property
    def tolerance(self) -> float:
        """`TOLERANCE` times the mean over the H + N columns of the dense matrix of their
        variance."""
        P, columns = len(self), self.hidden.shape[1] + self.positions.count
        sums = np.bincount(self.positions.sequence, self.positions.weighted_step)
        position = np.square(self.positions.weighted_step).sum() / P - np.square(sums / P).sum()
        mean = self.hidden.mean(axis=0, dtype=np.float64)
        spread = sum(np.square(self.hidden[chunk] - mean).sum() for chunk in self._chunks())
        return TOLERANCE * float((spread / P + position) / columns)

    def distances_to(self, rows: Int[np.ndarray, " L"]) -> Float[np.ndarray, "L P"]:
        """The squared distance of every point to some of them; exactly 0 to itself."""
        positions, norms = self.positions, self.squared_norms
        chosen, steps = self.hidden[rows].astype(np.float64), positions.weighted_step[rows]
        distances = np.empty((len(rows), len(self)))
        for chunk in self._chunks():
            products = chosen @ self.hidden[chunk].astype(np.float64).T
            same = positions.sequence[chunk] == positions.sequence[rows][:, None]
            products += same * (steps[:, None] * positions.weighted_step[chunk])
            distances[:, chunk] = norms[rows][:, None] + norms[chunk] - 2 * products
        np.maximum(distances, 0, out=distances)
        distances[np.arange(len(rows)), rows] = 0
        return distances

    def _chunks(self) -> Iterator[slice]:
        return (slice(start, start + CHUNK) for start in range(0, len(self), CHUNK))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Centers:
    """K centers, as the means of the points whose `members` number they are; -1 belongs to none."""

    members: Int[np.ndarray, " P"]
    counts: Float[np.ndarray, " K"]
    sums: Float[np.ndarray, "K H"]
    squared_norms: Float[np.ndarray, " K"]
    """Of both blocks together."""
    squared_shifts: Float[np.ndarray, " K"]
    """The squared distance of each from where it was before."""

    @classmethod
    def at(cls, points: PositionedStates, rows: Int[np.ndarray, " K"]) -> _Centers:
        """One center at each of these points."""
        members = np.full(len(points), -1)
        members[rows] = np.arange(len(rows))
        none = cls(
            members=np.full(len(points), -1),
            counts=np.ones(len(rows)),
            sums=np.zeros((len(rows), points.hidden.shape[1])),
            squared_norms=np.zeros(len(rows)),
            squared_shifts=np.zeros(len(rows)),
        )
        return none.moved(points, members)

    @cached_property
    def hidden(self) -> Float[np.ndarray, "K H"]:
        """The centers in the space of hidden states."""
        hidden: Float[np.ndarray, "K H"] = self.sums / self.counts[:, None]
        return hidden

    def moved(self, points: PositionedStates, members: Int[np.ndarray, " P"]) -> _Centers:
        """The centers of other members."""
        counts = np.maximum(
            np.bincount(members[members >= 0], minlength=len(self.counts)), 1
        ).astype(np.float64)
        sums, norms, shifts = self.sums.copy(), np.empty(len(counts)), np.empty(len(counts))
        kernels.move_members(points.hidden, self.members, members, sums)
        edges, steps = points.positions.edges, points.positions.weighted_step
        kernels.move_positions(
            edges, steps, members, counts, self.members, self.counts, norms, shifts
        )
        hidden = sums / counts[:, None]
        return _Centers(
            members=members,
            counts=counts,
            sums=sums,
            squared_norms=norms + np.square(hidden).sum(axis=1),
            squared_shifts=shifts + np.square(hidden - self.hidden).sum(axis=1),
        )

    def merged(self, points: PositionedStates) -> tuple[_Centers, Merger]:
        """The centers with the two whose merger costs least made one; it has moved as far as the
        farther of the two."""
        products = self.hidden @ self.hidden.T
        edges, steps = points.positions.edges, points.positions.weighted_step
        kernels.add_position_products(edges, steps, self.members, self.counts, products)
        merger = cheapest_merger(self.counts, products)
        into, gone, squared_distance = merger
        counts, sums, norms, shifts = (
            numbers.copy()
            for numbers in (self.counts, self.sums, self.squared_norms, self.squared_shifts)
        )
        counts[into] += counts[gone]
        sums[into] += sums[gone]
        share = self.counts[gone] / counts[into]
        norms[into] += share * (norms[gone] - norms[into]) - share * (1 - share) * squared_distance
        before = np.sqrt(max(shifts[into], shifts[gone]))
        shifts[into] = (before + max(share, 1 - share) * np.sqrt(squared_distance)) ** 2
        fewer = _Centers(
            members=_renumbered(self.members, merger),
            counts=np.delete(counts, gone),
            sums=np.delete(sums, gone, axis=0),
            squared_norms=np.delete(norms, gone),
            squared_shifts=np.delete(shifts, gone),
        )
        return fewer, merger


def _renumbered(numbers: Int[np.ndarray, " P"], merger: Merger) -> Int[np.ndarray, " P"]:
    """The numbers of clusters after two of them were made one."""
    moved = np.where(numbers == merger.gone, merger.into, numbers)
    return moved - (moved > merger.gone)


class _Labels:
    """The nearest center of each point, and bounds on how near it and how far every other is."""

    def __init__(self, points: PositionedStates) -> None:
        self._points = points
        self.nearest = np.full(len(points), -1)
        self._upper, self._lower = np.zeros(len(points)), np.zeros(len(points))
        self._margin = ROUNDING * float(np.sqrt(points.squared_norms.max(initial=0)))

    def update(self, centers: _Centers) -> None:
        """Give each point to its nearest center, now that the centers have moved."""
        points, steps, norms = (
            self._points.hidden,
            self._points.positions.weighted_step,
            self._points.squared_norms,
        )
        shifts, columns = np.sqrt(centers.squared_shifts), np.ascontiguousarray(centers.hidden.T)
        bounds = (self.nearest, self._upper, self._lower)
        for edges in self._points.positions.chunks:
            membership = (edges, steps, centers.members, centers.counts)
            undecided = np.empty(edges[-1] - edges[0], np.int64)
            count = kernels.find_undecided(
                points,
                norms,
                centers.hidden,
                centers.squared_norms,
                shifts,
                *membership,
                *bounds,
                self._margin,
                undecided,
            )
            products = points[undecided[:count]].astype(np.float64) @ columns
            kernels.nearest_with_positions(
                undecided[:count], products, norms, centers.squared_norms, *membership, *bounds
            )

    def merged(self, merger: Merger) -> _Labels:
        """The labels after two centers were made one, whose shift is not yet in the bounds."""
        fewer = copy(self)
        fewer.nearest, fewer._lower = _renumbered(self.nearest, merger), self._lower.copy()
        fewer._upper = np.where(fewer.nearest == merger.into, np.inf, self._upper)
        return fewer

    def distances(self, centers: _Centers) -> Float[np.ndarray, " P"]:
        """The squared distance of each point to the center of its label."""
        points, positions, distances = (
            self._points,
            self._points.positions,
            np.empty(len(self._points)),
        )
        kernels.label_distances(
            points.hidden,
            points.squared_norms,
            centers.hidden,
            centers.squared_norms,
            positions.edges,
            positions.weighted_step,
            centers.members,
            centers.counts,
            self.nearest,
            distances,
        )
        return distances


@dataclass(frozen=True, kw_only=True, eq=False)
class _Solution:
    """Centers that have come to rest, and the points that are theirs."""

    centers: _Centers
    labels: _Labels
    inertia: float


@dataclass(frozen=True, eq=False)
class PositionsSolver:
    """k-means from the given draws of points."""

    points: PositionedStates
    draws: Sequence[Int[np.ndarray, " K"]]

    def start(self, k: int, draw: int) -> _Solution:
        centers = _Centers.at(self.points, self.draws[draw][:k])
        return _lloyd(self.points, centers, _Labels(self.points))

    def merge(self, clusters: _Solution) -> _Solution:
        centers, merger = clusters.centers.merged(self.points)
        return _lloyd(self.points, centers, clusters.labels.merged(merger))

    def result(self, clusters: _Solution) -> KMeansResult:
        return KMeansResult(
            clusters.centers.hidden.astype(np.float32),
            clusters.labels.nearest.astype(np.int32),
            clusters.inertia,
        )


def cluster_with_positions(
    points: PositionedStates, ks: Sequence[int], distinct: int, seed: int, threads: int
) -> list[KMeansResult]:
    """The clusters for each k, none larger than the number of `distinct` hidden states."""
    most = top(max(ks), distinct)
    seeds = [stream_seed(seed, "kmeans-x", draw) for draw in range(STARTS)]
    with workers(threads) as pool:
        draws = list(pool.map(lambda draw: seed_points(points, most, draw), seeds))
        return shrink(ks, distinct, PositionsSolver(points, draws), pool)


def seed_points(points: PositionedStates, k: int, seed: int) -> Int[np.ndarray, " K"]:
    """The rows of `k` points drawn far apart by greedy k-means++; the first j of them are the draw
    for j < k."""
    rng = np.random.RandomState(seed)
    rows = [int(rng.randint(len(points)))]
    closest = points.distances_to(np.array(rows))[0]
    while len(rows) < k:
        draws = rng.uniform(size=LOCAL_TRIALS) * closest.sum()
        candidates = np.minimum(np.searchsorted(np.cumsum(closest), draws), len(points) - 1)
        reduced = points.distances_to(candidates)
        np.minimum(closest, reduced, out=reduced)
        best = int(reduced.sum(axis=1).argmin())
        rows.append(int(candidates[best]))
        closest = reduced[best].copy()
        del reduced
    return np.array(rows)


def _lloyd(points: PositionedStates, centers: _Centers, labels: _Labels) -> _Solution:
    """Lloyd's iterations; `labels` are changed.

    They stop as scikit-learn's KMeans does on the dense matrix: when no label changes, or when the
    centers move by less than the tolerance. An empty cluster takes the point farthest from its own
    center."""
    for _ in range(MAX_ITERATIONS):
        before = labels.nearest.copy()
        labels.update(centers)
        centers = centers.moved(points, _fill_empty(labels, centers))
        if np.array_equal(labels.nearest, before):
            break
        if centers.squared_shifts.sum() <= points.tolerance:
            labels.update(centers)
            break
    else:
        labels.update(centers)
    return _Solution(centers=centers, labels=labels, inertia=float(labels.distances(centers).sum()))


def _fill_empty(labels: _Labels, centers: _Centers) -> Int[np.ndarray, " P"]:
    """The labels, with the points farthest from their centers given to the clusters that have
    none."""
    filled = labels.nearest.copy()
    empty = np.flatnonzero(np.bincount(filled, minlength=len(centers.counts)) == 0)
    if len(empty):
        distances = labels.distances(centers)
        if distances.max() > 0:
            filled[np.argsort(-distances, kind="stable")[: len(empty)]] = empty
    return filled
