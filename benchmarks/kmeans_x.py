"""LISOR-x for k from 2 to 64 on 20,000 hidden states of 500 sequences, beside scikit-learn on the
sparse matrix [h ; λ·t·e_s], from the same starts and through the same mergers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array, hstack
from sklearn.cluster import KMeans

from benchmarks import reviews
from benchmarks.measure import THREADS, Work
from lisor.clustering.clustering import Clustering, cluster
from lisor.clustering.iterations import MAX_ITERATIONS, TOLERANCE
from lisor.clustering.positions import PositionedStates, StepPositions, seed_points
from lisor.clustering.shrinking import STARTS, KMeansResult, cheapest_merger, shrink, top
from lisor.networks import hidden_states
from lisor.networks.hidden_states import Points
from lisor.randomness import stream_seed
from lisor.threads import workers

SEQUENCES, STEPS, HIDDEN, KS = 500, 40, 64, range(2, 65)
WEIGHT = 0.1


@dataclass(frozen=True, eq=False)
class SparseSolver:
    """k-means by scikit-learn on a sparse matrix, from the given draws of centers."""

    points: csr_array
    draws: Sequence[Float[np.ndarray, "K F"]]

    def start(self, k: int, draw: int) -> KMeansResult:
        return self._lloyd(self.draws[draw][:k])

    def merge(self, clusters: KMeansResult) -> KMeansResult:
        centers, labels, _ = clusters
        counts = np.bincount(labels, minlength=len(centers)).astype(np.float64)
        into, gone, _ = cheapest_merger(counts, centers @ centers.T)
        fewer, both = centers.copy(), [into, gone]
        fewer[into] = counts[both] @ centers[both] / counts[both].sum()
        return self._lloyd(np.delete(fewer, gone, axis=0))

    def result(self, clusters: KMeansResult) -> KMeansResult:
        return clusters

    def _lloyd(self, centers: Float[np.ndarray, "K F"]) -> KMeansResult:
        model = KMeans(len(centers), init=centers, n_init=1, max_iter=MAX_ITERATIONS, tol=TOLERANCE)
        model.fit(self.points)
        return KMeansResult(model.cluster_centers_, model.labels_, float(model.inertia_))


def by_scikit_learn(points: Points, ks: Sequence[int]) -> list[KMeansResult]:
    """What ours does, by scikit-learn on the sparse matrix."""
    P, most = len(points.step), top(max(ks), len(points.step))
    # scikit-learn takes no indices of 64 bits.
    one_hot = (
        WEIGHT * points.step.astype(np.float64),
        (np.arange(P, dtype=np.int32), points.sequence),
    )
    hidden = csr_array(points.state.astype(np.float64))
    sparse = hstack([hidden, csr_array(one_hot)], format="csr")
    positions = StepPositions.of(points.sequence, points.step, WEIGHT)
    states = PositionedStates(hidden=points.state, positions=positions)
    seeds = [stream_seed(0, "kmeans-x", draw) for draw in range(STARTS)]
    with workers(THREADS) as pool:
        draws = list(
            pool.map(lambda seed: sparse[seed_points(states, most, seed)].toarray(), seeds)
        )
        return shrink(ks, most, SparseSolver(sparse, draws), pool)


def works() -> list[Work]:
    """Both for every k."""
    network, texts = reviews.train(HIDDEN)
    points = hidden_states.collect(network, reviews.draw(texts, SEQUENCES, STEPS))

    def ours() -> list[Clustering]:
        return cluster(points, KS, method="kmeans-x", weight=WEIGHT, seed=0, threads=THREADS)

    def peer() -> list[KMeansResult]:
        return by_scikit_learn(points, KS)

    def quality(ours: list[Clustering], peer: list[KMeansResult]) -> str:
        ratios = [one.inertia / other.inertia for one, other in zip(ours, peer, strict=True)]
        equal = [(one.labels == other.labels).mean() for one, other in zip(ours, peer, strict=True)]
        return (
            f"inertia / scikit-learn's: from {min(ratios):.4f} to {max(ratios):.4f}; "
            f"{np.mean(equal):.2%} of the labels equal"
        )

    return [Work(name="kmeans-x, peer scikit-learn, sparse", ours=ours, peer=peer, quality=quality)]
