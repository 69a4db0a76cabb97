"""LISOR-x for k from 2 to 64 on 20,000 hidden states of 500 sequences, beside scikit-learn on the dense matrix."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans

from benchmarks import reviews
from benchmarks.measure import THREADS, Work
from lisor.fsa.clustering import Clustering, cluster
from lisor.fsa.kmeans_x import Positions
from lisor.rnn import hidden_states

SEQUENCES, STEPS, HIDDEN, KS = 500, 40, 64, range(2, 65)
WEIGHT = 0.1


def works() -> list[Work]:
    """The grid as ours; the peer builds the matrix of hidden states and positions once."""
    network, texts = reviews.train(HIDDEN)
    points = hidden_states.collect(network, reviews.draw(texts, SEQUENCES, STEPS))
    states = points.state

    def ours() -> list[Clustering]:
        positions = Positions.of(points.sequence, points.step, WEIGHT)
        return cluster(states, KS, method="kmeans-x", seed=0, threads=THREADS, positions=positions)

    def peer() -> list[KMeans]:
        dense = np.zeros((len(states), HIDDEN + SEQUENCES))
        dense[:, :HIDDEN] = states
        dense[np.arange(len(states)), HIDDEN + points.sequence] = WEIGHT * points.step
        return [KMeans(k, n_init=1, random_state=0).fit(dense) for k in KS]

    def quality(ours: list[Clustering], peer: list[KMeans]) -> str:
        ratios = [own.inertia / other.inertia_ for own, other in zip(ours, peer, strict=True)]
        return f"inertia / scikit-learn's: mean {np.mean(ratios):.4f}, from {min(ratios):.4f} to {max(ratios):.4f}"

    return [Work(name="kmeans-x, peer scikit-learn", ours=ours, peer=peer, quality=quality)]
