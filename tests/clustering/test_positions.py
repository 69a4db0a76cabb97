import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from lisor.clustering.kmeans import kmeans
from lisor.clustering.positions import (
    PositionedStates,
    PositionsSolver,
    StepPositions,
    seed_points,
)
from lisor.clustering.shrinking import KMeansResult
from lisor.errors import DataError

WEIGHTS = st.sampled_from([0.0, 0.01, 0.1, 1.0])


def random_points(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hidden states in a few clouds, the sequence of each and its step there."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 15, rng.integers(2, 40))
    sequence = np.repeat(rng.permutation(len(lengths)), lengths)
    step = np.concatenate([np.arange(1, length + 1) for length in lengths])
    clouds = rng.integers(0, 4, len(step))[:, None]
    return (
        (rng.normal(size=(len(step), rng.integers(1, 12))) + clouds).astype(np.float32),
        sequence,
        step,
    )


def densely(
    points: np.ndarray, sequence: np.ndarray, step: np.ndarray, weight: float
) -> np.ndarray:
    places = np.zeros((len(step), sequence.max() + 1))
    places[np.arange(len(step)), sequence] = weight * step
    return np.hstack([points.astype(np.float64), places])


def cluster_from(points: PositionedStates, rows: np.ndarray) -> KMeansResult:
    """The clusters that iterations from these points end with."""
    solver = PositionsSolver(points, [rows])
    return solver.result(solver.start(len(rows), 0))


@given(st.integers(0, 10_000), st.integers(2, 12), WEIGHTS)
def test_the_sparse_form_equals_scikit_learn_on_the_dense_matrix(
    seed: int, k: int, weight: float
) -> None:
    points, sequence, step = random_points(seed)
    placed = PositionedStates(hidden=points, positions=StepPositions.of(sequence, step, weight))
    rows = seed_points(placed, min(k, len(points)), seed)
    dense = densely(points, sequence, step, weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than clusters
        reference = KMeans(len(rows), init=dense[rows], n_init=1, max_iter=300, tol=1e-4).fit(dense)
    found = cluster_from(placed, rows)
    np.testing.assert_array_equal(found.labels, reference.labels_)
    np.testing.assert_allclose(found.inertia, reference.inertia_, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        found.centers, reference.cluster_centers_[:, : points.shape[1]], atol=1e-5
    )


@given(st.integers(0, 10_000), st.integers(2, 10), st.integers(2, 10), WEIGHTS)
def test_the_first_seeds_are_the_draw_for_a_smaller_k(
    seed: int, few: int, many: int, weight: float
) -> None:
    points, sequence, step = random_points(seed)
    placed = PositionedStates(hidden=points, positions=StepPositions.of(sequence, step, weight))
    few, many = sorted((few, many))
    drawn = seed_points(placed, many, seed)
    np.testing.assert_array_equal(seed_points(placed, few, seed), drawn[:few])


@given(st.integers(0, 10_000), st.integers(3, 12), WEIGHTS)
def test_after_a_merger_it_goes_on_as_scikit_learn_does(seed: int, k: int, weight: float) -> None:
    points, sequence, step = random_points(seed)
    placed = PositionedStates(hidden=points, positions=StepPositions.of(sequence, step, weight))
    k = min(k, len(points))
    solver = PositionsSolver(placed, [seed_points(placed, k, seed)])
    dense = densely(points, sequence, step, weight)
    found = solver.start(k, 0)
    for fewer in range(k - 1, 1, -1):
        labels = found.centers.merged(placed)[0].members
        centers = np.array([dense[labels == label].mean(axis=0) for label in range(fewer)])
        found = solver.merge(found)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            reference = KMeans(fewer, init=centers, n_init=1, max_iter=300, tol=1e-4).fit(dense)
        np.testing.assert_array_equal(found.labels.nearest, reference.labels_)
        np.testing.assert_allclose(found.inertia, reference.inertia_, rtol=1e-9, atol=1e-9)


def test_an_empty_cluster_takes_a_far_point_as_scikit_learn_does() -> None:
    points = np.array([[0.0], [0.0], [0.1], [0.2], [9.0]], np.float32)
    sequence, step = np.zeros(5, int), np.arange(1, 6)
    placed = PositionedStates(hidden=points, positions=StepPositions.of(sequence, step, 0.0))
    rows = np.array([0, 1, 2])  # two equal centers: the second stays without points
    dense = densely(points, sequence, step, 0.0)
    reference = KMeans(3, init=dense[rows], n_init=1).fit(dense)
    assert cluster_from(placed, rows).labels.tolist() == reference.labels_.tolist()


def test_memory_does_not_grow_with_points_times_sequences() -> None:
    N, T, H = 4000, 10, 8
    sequence, step = np.repeat(np.arange(N), T), np.tile(np.arange(1, T + 1), N)
    points = np.random.default_rng(0).normal(size=(N * T, H)).astype(np.float32)
    tracemalloc.start()
    placed = PositionedStates(hidden=points, positions=StepPositions.of(sequence, step, 0.1))
    cluster_from(placed, seed_points(placed, 6, 0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6  # the dense matrix would take N·T·N·8 bytes, 1.28 GB


def test_points_with_positions_take_no_weights() -> None:
    positions = StepPositions.of(np.zeros(3, int), np.arange(1, 4), 0.1)
    points = PositionedStates(hidden=np.eye(3, dtype=np.float32), positions=positions)
    with pytest.raises(DataError, match="expected no weights of hidden states with positions"):
        kmeans(points, [2], seed=0, weights=np.ones(3))
