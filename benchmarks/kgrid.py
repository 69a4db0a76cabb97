"""k-means for every k from 2 to 32 on 1,000,000 hidden states of 64 units, beside scikit-learn's
for each k."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans

from benchmarks import reviews
from benchmarks.measure import THREADS, Work
from lisor.clustering.clustering import Clustering, cluster
from lisor.networks import hidden_states

POINTS, HIDDEN, KS = 1_000_000, 64, range(2, 33)


def works() -> list[Work]:
    """The grid as ours; `KMeans(k, n_init=1)` one after the other as the peer."""
    network, texts = reviews.train(HIDDEN)
    points = hidden_states.collect(network, reviews.draw(texts, POINTS // reviews.LENGTH))

    def ours() -> list[Clustering]:
        return cluster(points, KS, method="kmeans", seed=0, threads=THREADS)

    def peer() -> list[KMeans]:
        return [KMeans(k, n_init=1, random_state=0).fit(points.state) for k in KS]

    def quality(ours: list[Clustering], peer: list[KMeans]) -> str:
        ratios = [own.inertia / other.inertia_ for own, other in zip(ours, peer, strict=True)]
        return (
            f"inertia / scikit-learn's: mean {np.mean(ratios):.4f}, from {min(ratios):.4f} to "
            f"{max(ratios):.4f}"
        )

    return [Work(name="kgrid, peer scikit-learn", ours=ours, peer=peer, quality=quality)]
