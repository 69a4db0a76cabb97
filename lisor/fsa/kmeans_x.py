"""k-means-x (LISOR-x; Hou & Zhou, 2020, section 4): k-means on hidden states that remember where they stood.

Point i, step t_i (from 1) of sequence s_i, becomes [h_i ; λ·t_i·e_{s_i}] with e the one-hot vector over the sequences.
Written densely this needs P×N extra numbers. With M[c, s] = (1/n_c)·Σ t_i over the points of sequence s in cluster c,
the extra squared distance of point i to center c is λ²·(t_i² − 2·t_i·M[c, s_i] + Σ_s M[c, s]²): the same result, and M
has at most one entry for each point.

Shapes: P points, H hidden units, N sequences, K clusters, B points of a chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csc_array

from lisor.fsa.kmeans import LOCAL_TRIALS, MAX_ITERATIONS, TOLERANCE, KMeansResult

CHUNK = 1 << 14
"""Points whose distances to all centers are in memory at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Positions:
    """Where each point stands: its sequence, numbered from 0 in the order of the points, and its step, times λ."""

    sequence: Int[np.ndarray, " P"]
    weighted_step: Float[np.ndarray, " P"]
    count: int
    """The number of sequences, N."""

    @classmethod
    def of(cls, sequence: Int[np.ndarray, " P"], step: Int[np.ndarray, " P"], weight: float) -> Positions:
        """The positions of points whose sequences stand together, with λ = `weight`."""
        new = np.concatenate([[False], sequence[1:] != sequence[:-1]])[: len(sequence)]
        number = np.cumsum(new)
        count = int(number.max(initial=-1)) + 1
        return cls(sequence=number, weighted_step=weight * step.astype(np.float64), count=count)

    def at(self, rows: Int[np.ndarray, " K"]) -> Positions:
        """The positions of some of the points."""
        return Positions(sequence=self.sequence[rows], weighted_step=self.weighted_step[rows], count=self.count)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Centers:
    """The two blocks of K centers: in the space of hidden states, and over the sequences (M, times λ)."""

    hidden: Float[np.ndarray, "K H"]
    position: csc_array  # K×N

    @classmethod
    def mean(
        cls, points: Float[np.ndarray, "P H"], positions: Positions, labels: Int[np.ndarray, " P"], k: int
    ) -> _Centers:
        """The mean of the points of each label."""
        count = np.maximum(np.bincount(labels, minlength=k), 1)
        hidden = np.zeros((k, points.shape[1]))
        for chunk in _chunks(len(points)):
            members = csc_array((np.ones(len(labels[chunk])), (labels[chunk], np.arange(len(labels[chunk])))),
                                shape=(k, len(labels[chunk])))  # fmt: skip
            hidden += members @ points[chunk].astype(np.float64)
        share = positions.weighted_step / count[labels]
        position = csc_array((share, (labels, positions.sequence)), shape=(k, positions.count))  # sums what coincides
        return cls(hidden=hidden / count[:, None], position=position)

    def distances(
        self, points: Float[np.ndarray, "B H"], sequence: Int[np.ndarray, " B"], weighted_step: Float[np.ndarray, " B"]
    ) -> Float[np.ndarray, "B K"]:
        """The squared distance of each point to each center."""
        h = points.astype(np.float64)
        first, last = sequence[0], sequence[-1]  # sequences are numbered in the order of the points
        means = self.position[:, first : last + 1].toarray()[:, sequence - first].T
        own = np.square(h).sum(axis=1) + np.square(weighted_step)
        center = np.square(self.hidden).sum(axis=1) + self.position.power(2).sum(axis=1)
        squared = own[:, None] + center - 2 * (h @ self.hidden.T + weighted_step[:, None] * means)
        distances: Float[np.ndarray, "B K"] = np.maximum(squared, 0)
        return distances

    def squared_shift(self, other: _Centers) -> float:
        """The summed squared distance between the centers of both."""
        moved = (self.position - other.position).power(2).sum()
        return float(np.square(self.hidden - other.hidden).sum() + moved)


def seed_points(points: Float[np.ndarray, "P H"], positions: Positions, k: int, seed: int) -> Int[np.ndarray, " K"]:
    """The rows of `k` points drawn far apart by greedy k-means++; the first j of them are the draw for j < k."""
    rng = np.random.RandomState(seed)
    rows = [int(rng.randint(len(points)))]
    closest = _distances_to(points, positions, rows[0])
    while len(rows) < k:
        draws = rng.uniform(size=LOCAL_TRIALS) * closest.sum()
        candidates = np.minimum(np.searchsorted(np.cumsum(closest), draws), len(points) - 1)
        reduced = [np.minimum(closest, _distances_to(points, positions, int(row))) for row in candidates]
        best = int(np.argmin([distances.sum() for distances in reduced]))
        rows.append(int(candidates[best]))
        closest = reduced[best]
    return np.array(rows)


def lloyd_x(points: Float[np.ndarray, "P H"], positions: Positions, start: Int[np.ndarray, " K"]) -> KMeansResult:
    """k-means-x from the points at rows `start`; the centers are those of hidden states.

    Stops as scikit-learn's KMeans does on the dense matrix: when no label changes, or when the centers move by less
    than the tolerance times the mean variance of the H + N columns. An empty cluster takes the point farthest from its
    own center."""
    k = len(start)
    centers = _Centers.mean(points[start], positions.at(start), np.arange(k), k)
    tolerance = TOLERANCE * _mean_variance(points, positions)
    labels = np.full(len(points), -1)
    for _ in range(MAX_ITERATIONS):
        before, previous = labels, centers
        labels, distances = _assign(points, positions, centers)
        centers = _Centers.mean(points, positions, _fill_empty(labels, distances, k), k)
        if np.array_equal(labels, before):
            break
        if centers.squared_shift(previous) <= tolerance:
            labels, _ = _assign(points, positions, centers)
            break
    else:
        labels, _ = _assign(points, positions, centers)
    inertia = 0.0
    for chunk in _chunks(len(points)):
        distances = centers.distances(points[chunk], positions.sequence[chunk], positions.weighted_step[chunk])
        inertia += float(np.take_along_axis(distances, labels[chunk][:, None], axis=1).sum())
    return KMeansResult(centers.hidden.astype(np.float32), labels.astype(np.int32), inertia)


def _assign(
    points: Float[np.ndarray, "P H"], positions: Positions, centers: _Centers
) -> tuple[Int[np.ndarray, " P"], Float[np.ndarray, " P"]]:
    """The nearest center of each point, a tie going to the lower index, and the squared distance to it."""
    labels, nearest = np.empty(len(points), np.int64), np.empty(len(points))
    for chunk in _chunks(len(points)):
        distances = centers.distances(points[chunk], positions.sequence[chunk], positions.weighted_step[chunk])
        labels[chunk] = distances.argmin(axis=1)
        nearest[chunk] = distances.min(axis=1)
    return labels, nearest


def _fill_empty(labels: Int[np.ndarray, " P"], distances: Float[np.ndarray, " P"], k: int) -> Int[np.ndarray, " P"]:
    """The labels, with the points farthest from their centers given to the clusters that have none."""
    empty = np.flatnonzero(np.bincount(labels, minlength=k) == 0)
    if not len(empty) or distances.max() == 0:
        return labels
    filled = labels.copy()
    filled[np.argsort(-distances, kind="stable")[: len(empty)]] = empty
    return filled


def _distances_to(points: Float[np.ndarray, "P H"], positions: Positions, row: int) -> Float[np.ndarray, " P"]:
    """The squared distance of every point to one of them."""
    squared = np.empty(len(points))
    for chunk in _chunks(len(points)):
        squared[chunk] = np.square(points[chunk].astype(np.float64) - points[row]).sum(axis=1)
    here, there = positions.weighted_step, positions.weighted_step[row]
    same = positions.sequence == positions.sequence[row]
    distances: Float[np.ndarray, " P"] = squared + np.where(same, np.square(here - there), np.square(here) + there**2)
    return distances


def _mean_variance(points: Float[np.ndarray, "P H"], positions: Positions) -> float:
    """The mean over the H + N columns of the dense matrix of their variance."""
    P, columns = len(points), points.shape[1] + positions.count
    sums = np.bincount(positions.sequence, positions.weighted_step)
    position = np.square(positions.weighted_step).sum() / P - np.square(sums / P).sum()
    return float((points.var(axis=0, dtype=np.float64).sum() + position) / columns)


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, count, CHUNK))
