"""k-means-x (LISOR-x; Hou & Zhou, 2020, section 4): k-means on hidden states that remember where they stood.

Point i, step t_i (from 1) of sequence s_i, becomes [h_i ; λ·t_i·e_{s_i}] with e the one-hot vector over the sequences.
Written densely this needs P×N extra numbers. With M[c, s] = (1/n_c)·Σ t_i over the points of sequence s in cluster c,
the extra squared distance of point i to center c is λ²·(t_i² − 2·t_i·M[c, s_i] + Σ_s M[c, s]²): the same result, and M
has at most one entry for each point.

Shapes: P points, H hidden units, N sequences, K clusters, B points of a chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csc_array

from lisor.fsa.kmeans import LOCAL_TRIALS, MAX_ITERATIONS, TOLERANCE, KMeansResult

CHUNK = 1 << 12
"""Points that are worked on at a time, few enough to stay in the processor's cache."""


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

    @cached_property
    def squared_norms(self) -> Float[np.ndarray, " K"]:
        """The squared length of each center, both blocks together."""
        norms: Float[np.ndarray, " K"] = np.square(self.hidden).sum(axis=1) + self.position.power(2).sum(axis=1)
        return norms

    def scores(self, points: Float[np.ndarray, "P H"], positions: Positions, chunk: slice) -> Float[np.ndarray, "B K"]:
        """The squared distance of the points of a chunk to each center, less the point's own squared norm."""
        sequence = positions.sequence[chunk]
        first, last = sequence[0], sequence[-1]  # sequences are numbered in the order of the points
        means = np.ascontiguousarray(self.position[:, first : last + 1].toarray().T)
        scores: Float[np.ndarray, "B K"] = means[sequence - first]
        scores *= positions.weighted_step[chunk, None]
        scores += points[chunk].astype(np.float64) @ self.hidden.T
        scores *= -2
        scores += self.squared_norms
        return scores

    def squared_shift(self, other: _Centers) -> float:
        """The summed squared distance between the centers of both."""
        moved = (self.position - other.position).power(2).sum()
        return float(np.square(self.hidden - other.hidden).sum() + moved)


def seed_points(points: Float[np.ndarray, "P H"], positions: Positions, k: int, seed: int) -> Int[np.ndarray, " K"]:
    """The rows of `k` points drawn far apart by greedy k-means++; the first j of them are the draw for j < k."""
    rng = np.random.RandomState(seed)
    norms = _squared_norms(points, positions)
    rows = [int(rng.randint(len(points)))]
    closest = _distances_to(points, positions, norms, np.array(rows))[0]
    while len(rows) < k:
        draws = rng.uniform(size=LOCAL_TRIALS) * closest.sum()
        candidates = np.minimum(np.searchsorted(np.cumsum(closest), draws), len(points) - 1)
        reduced = _distances_to(points, positions, norms, candidates)
        np.minimum(closest, reduced, out=reduced)
        best = int(reduced.sum(axis=1).argmin())
        rows.append(int(candidates[best]))
        closest = reduced[best].copy()
        del reduced
    return np.array(rows)


def lloyd_x(points: Float[np.ndarray, "P H"], positions: Positions, start: Int[np.ndarray, " K"]) -> KMeansResult:
    """k-means-x from the points at rows `start`; the centers are those of hidden states.

    Stops as scikit-learn's KMeans does on the dense matrix: when no label changes, or when the centers move by less
    than the tolerance times the mean variance of the H + N columns. An empty cluster takes the point farthest from its
    own center."""
    k, norms = len(start), _squared_norms(points, positions)
    centers = _Centers.mean(points[start], positions.at(start), np.arange(k), k)
    tolerance = TOLERANCE * _mean_variance(points, positions)
    labels = np.full(len(points), -1)
    for _ in range(MAX_ITERATIONS):
        before, previous = labels, centers
        labels, scores = _assign(points, positions, centers)
        centers = _Centers.mean(points, positions, _fill_empty(labels, norms + scores, k), k)
        if np.array_equal(labels, before):
            break
        if centers.squared_shift(previous) <= tolerance:
            labels, _ = _assign(points, positions, centers)
            break
    else:
        labels, _ = _assign(points, positions, centers)
    inertia = norms.sum()
    for chunk in _chunks(len(points)):
        inertia += np.take_along_axis(centers.scores(points, positions, chunk), labels[chunk, None], axis=1).sum()
    return KMeansResult(centers.hidden.astype(np.float32), labels.astype(np.int32), max(0.0, float(inertia)))


def _assign(
    points: Float[np.ndarray, "P H"], positions: Positions, centers: _Centers
) -> tuple[Int[np.ndarray, " P"], Float[np.ndarray, " P"]]:
    """The nearest center of each point, a tie going to the lower index, and its score."""
    labels, nearest = np.empty(len(points), np.int64), np.empty(len(points))
    for chunk in _chunks(len(points)):
        scores = centers.scores(points, positions, chunk)
        labels[chunk] = scores.argmin(axis=1)
        nearest[chunk] = np.take_along_axis(scores, labels[chunk, None], axis=1)[:, 0]
    return labels, nearest


def _fill_empty(labels: Int[np.ndarray, " P"], distances: Float[np.ndarray, " P"], k: int) -> Int[np.ndarray, " P"]:
    """The labels, with the points farthest from their centers given to the clusters that have none."""
    empty = np.flatnonzero(np.bincount(labels, minlength=k) == 0)
    if not len(empty) or distances.max() == 0:
        return labels
    filled = labels.copy()
    filled[np.argsort(-distances, kind="stable")[: len(empty)]] = empty
    return filled


def _squared_norms(points: Float[np.ndarray, "P H"], positions: Positions) -> Float[np.ndarray, " P"]:
    """The squared length of each point, position included."""
    norms: Float[np.ndarray, " P"] = np.square(positions.weighted_step)
    for chunk in _chunks(len(points)):
        norms[chunk] += np.square(points[chunk].astype(np.float64)).sum(axis=1)
    return norms


def _distances_to(
    points: Float[np.ndarray, "P H"],
    positions: Positions,
    norms: Float[np.ndarray, " P"],
    rows: Int[np.ndarray, " L"],
) -> Float[np.ndarray, "L P"]:
    """The squared distance of every point to some of them; exactly 0 to itself."""
    chosen, steps = points[rows].astype(np.float64), positions.weighted_step[rows]
    distances = np.empty((len(rows), len(points)))
    for chunk in _chunks(len(points)):
        products = chosen @ points[chunk].astype(np.float64).T
        same = positions.sequence[chunk] == positions.sequence[rows][:, None]
        products += same * (steps[:, None] * positions.weighted_step[chunk])
        distances[:, chunk] = norms[rows][:, None] + norms[chunk] - 2 * products
    np.maximum(distances, 0, out=distances)
    distances[np.arange(len(rows)), rows] = 0
    return distances


def _mean_variance(points: Float[np.ndarray, "P H"], positions: Positions) -> float:
    """The mean over the H + N columns of the dense matrix of their variance."""
    P, columns = len(points), points.shape[1] + positions.count
    sums = np.bincount(positions.sequence, positions.weighted_step)
    position = np.square(positions.weighted_step).sum() / P - np.square(sums / P).sum()
    mean = points.mean(axis=0, dtype=np.float64)
    spread = sum(np.square(points[chunk] - mean).sum() for chunk in _chunks(P))
    return float((spread / P + position) / columns)


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, count, CHUNK))
