"""k-means-x (LISOR-x; Hou & Zhou, 2020, section 4): k-means on hidden states that remember where they stood.

Point i, step t_i (from 1) of sequence s_i, becomes [h_i ; λ·t_i·e_{s_i}] with e the one-hot vector over the sequences.
Written densely this needs P×N extra numbers. With M[c, s] = (1/n_c)·Σ t_i over the points of sequence s in cluster c,
the extra squared distance of point i to center c is λ²·(t_i² − 2·t_i·M[c, s_i] + Σ_s M[c, s]²): the same result. A
sequence's points stand together, so the column of M that they need is made from their own labels when it is their turn,
and M is never held.

Shapes: P points, H hidden units, N sequences, K clusters, B points of a chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from lisor.fsa import kernels
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

    @cached_property
    def edges(self) -> Int[np.ndarray, " N+1"]:
        """Where the points of each sequence begin, and where the last one's end."""
        edges: Int[np.ndarray, " N+1"] = np.searchsorted(self.sequence, np.arange(self.count + 1))
        return edges

    @cached_property
    def chunks(self) -> list[Int[np.ndarray, "..."]]:
        """The edges of the sequences in chunks of some `CHUNK` points, one sequence at least."""
        firsts = np.unique(np.searchsorted(self.edges, np.arange(0, self.edges[-1], CHUNK)))
        return [self.edges[first : last + 1] for first, last in zip(firsts, [*firsts[1:], self.count], strict=True)]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Centers:
    """K centers, as the means of the points whose `members` number they are; -1 belongs to none."""

    members: Int[np.ndarray, " P"]
    counts: Float[np.ndarray, " K"]
    sums: Float[np.ndarray, "K H"]
    squared_norms: Float[np.ndarray, " K"]
    """Of both blocks together."""
    squared_shift: float
    """The summed squared distance from the centers before."""

    @classmethod
    def at(cls, points: Float[np.ndarray, "P H"], positions: Positions, rows: Int[np.ndarray, " K"]) -> _Centers:
        """One center at each of these points."""
        members = np.full(len(points), -1)
        members[rows] = np.arange(len(rows))
        none = cls(
            members=np.full(len(points), -1),
            counts=np.ones(len(rows)),
            sums=np.zeros((len(rows), points.shape[1])),
            squared_norms=np.zeros(len(rows)),
            squared_shift=0.0,
        )
        return none.moved(points, positions, members)

    @property
    def hidden(self) -> Float[np.ndarray, "K H"]:
        """The centers in the space of hidden states."""
        hidden: Float[np.ndarray, "K H"] = self.sums / self.counts[:, None]
        return hidden

    def moved(self, points: Float[np.ndarray, "P H"], positions: Positions, members: Int[np.ndarray, " P"]) -> _Centers:
        """The centers of other members."""
        counts = np.maximum(np.bincount(members[members >= 0], minlength=len(self.counts)), 1).astype(np.float64)
        sums, norms = self.sums.copy(), np.empty(len(counts))
        kernels.move_members(points, self.members, members, sums)
        shift = kernels.position_centers(
            positions.edges, positions.weighted_step, members, counts, self.members, self.counts, norms
        )
        hidden = sums / counts[:, None]
        return _Centers(
            members=members,
            counts=counts,
            sums=sums,
            squared_norms=norms + np.square(hidden).sum(axis=1),
            squared_shift=float(shift + np.square(hidden - self.hidden).sum()),
        )

    def assign(
        self,
        points: Float[np.ndarray, "P H"],
        positions: Positions,
        labels: Int[np.ndarray, " P"] | None = None,
    ) -> tuple[Int[np.ndarray, " P"], Float[np.ndarray, " P"]]:
        """The nearest center of each point, or that of its label, and its squared distance less the point's norm."""
        keep = labels is not None
        given = np.empty(len(points), np.int64) if labels is None else labels
        scores, columns = np.empty(len(points)), np.ascontiguousarray(self.hidden.T)
        for edges in positions.chunks:
            products = points[edges[0] : edges[-1]].astype(np.float64) @ columns
            kernels.nearest_with_positions(
                products,
                self.squared_norms,
                edges,
                positions.weighted_step,
                self.members,
                self.counts,
                given,
                scores,
                keep,
            )
        return given, scores


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
    centers = _Centers.at(points, positions, start)
    tolerance = TOLERANCE * _mean_variance(points, positions)
    labels = np.full(len(points), -1)
    for _ in range(MAX_ITERATIONS):
        before = labels
        labels, scores = centers.assign(points, positions)
        centers = centers.moved(points, positions, _fill_empty(labels, norms + scores, k))
        if np.array_equal(labels, before):
            break
        if centers.squared_shift <= tolerance:
            labels, _ = centers.assign(points, positions)
            break
    else:
        labels, _ = centers.assign(points, positions)
    _, scores = centers.assign(points, positions, labels)
    inertia = max(0.0, float((norms + scores).sum()))
    return KMeansResult(centers.hidden.astype(np.float32), labels.astype(np.int32), inertia)


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
