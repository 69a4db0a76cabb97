"""k-means whose centers depend on the points, the seed and k alone.

Shapes: P points, H hidden units, K clusters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from sklearn.cluster import KMeans, kmeans_plusplus

LOCAL_TRIALS = 5
"""Candidates that greedy k-means++ tries for each center. Fixed, so that its choice does not look at k."""

MAX_ITERATIONS = 300
TOLERANCE = 1e-4


class KMeansResult(NamedTuple):
    """Centers, the nearest center of each point, and the summed squared distance to it."""

    centers: Float[np.ndarray, "K H"]
    labels: Int[np.ndarray, " P"]
    inertia: float


def seed_centers(
    points: Float[np.ndarray, "P H"], k: int, seed: int, weights: Float[np.ndarray, " P"] | None = None
) -> Float[np.ndarray, "K H"]:
    """`k` of the points, drawn far apart by greedy k-means++ (Arthur & Vassilvitskii, 2007).

    The first j of them are the draw for j < k, so one draw serves a whole grid of k."""
    random = np.random.RandomState(seed)
    centers, _ = kmeans_plusplus(points, k, sample_weight=weights, random_state=random, n_local_trials=LOCAL_TRIALS)
    return np.asarray(centers)


def lloyd(
    points: Float[np.ndarray, "P H"],
    centers: Float[np.ndarray, "K H"],
    weights: Float[np.ndarray, " P"] | None = None,
) -> KMeansResult:
    """k-means from given centers (Lloyd, 1982, "Least squares quantization in PCM"), by scikit-learn.

    A point counts as much as its weight, 1 unless given."""
    model = KMeans(len(centers), init=centers.astype(np.float64), n_init=1, max_iter=MAX_ITERATIONS, tol=TOLERANCE).fit(
        points.astype(np.float64), sample_weight=weights
    )
    return KMeansResult(model.cluster_centers_.astype(np.float32), model.labels_, float(model.inertia_))
