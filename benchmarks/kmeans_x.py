"""LISOR-x beside LISOR-k on 1,000,000 hidden states of 64 units from 5,000 sequences, k = 16."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from sklearn.cluster import KMeans

from benchmarks.measure import Work
from lisor.fsa.clustering import Clustering, cluster
from lisor.fsa.kmeans_x import Positions, lloyd_x, seed_points

SEQUENCES, STEPS, HIDDEN, K = 5000, 200, 64, 16
WEIGHT = 0.1


def works() -> list[Work]:
    """LISOR-x as ours, LISOR-k as the peer; one thread each."""
    states = wander(SEQUENCES, STEPS, HIDDEN)
    places = np.repeat(np.arange(SEQUENCES), STEPS), np.tile(np.arange(1, STEPS + 1), SEQUENCES)

    def ours() -> list[Clustering]:
        return cluster(states, [K], method="kmeans-x", seed=0, positions=Positions.of(*places, WEIGHT))

    def peer() -> list[Clustering]:
        return cluster(states, [K], method="kmeans", seed=0)

    def quality(*_: object) -> str:
        return f"states are {states.nbytes / 2**20:.0f} MB; {_beside_dense(states)}"

    return [Work(name="kmeans-x, peer kmeans", ours=ours, peer=peer, quality=quality)]


def wander(sequences: int, steps: int, hidden: int) -> Float[np.ndarray, "P H"]:
    """States of an untrained recurrent network on random symbols: h' = tanh(U h + w_a)."""
    rng = np.random.default_rng(0)
    recurrent = np.linalg.qr(rng.standard_normal((hidden, hidden)))[0].astype(np.float32)
    symbols = rng.standard_normal((8, hidden)).astype(np.float32)
    states = np.zeros((sequences, steps, hidden), np.float32)
    state = np.zeros((sequences, hidden), np.float32)
    for step in range(steps):
        state = np.tanh(0.8 * state @ recurrent + symbols[rng.integers(0, 8, sequences)])
        states[:, step] = state
    return states.reshape(-1, hidden)


def _beside_dense(states: Float[np.ndarray, "P H"]) -> str:
    """The inertia of the sparse form beside that of scikit-learn on the dense matrix, on the first ten sequences."""
    count = 10
    sequence, step = np.repeat(np.arange(count), STEPS), np.tile(np.arange(1, STEPS + 1), count)
    some = states[: count * STEPS]
    positions = Positions.of(sequence, step, WEIGHT)
    rows = seed_points(some, positions, K, 0)
    sparse = lloyd_x(some, positions, rows)
    dense = np.concatenate([some.astype(np.float64), np.eye(count)[sequence] * (WEIGHT * step)[:, None]], axis=1)
    reference = KMeans(K, init=dense[rows], n_init=1, max_iter=300, tol=1e-4).fit(dense)
    return f"inertia / dense scikit-learn's on 2,000 states: {sparse.inertia / reference.inertia_:.9f}"
