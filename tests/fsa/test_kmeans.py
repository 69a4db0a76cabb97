import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs

from lisor.fsa.kmeans import lloyd, seed_centers

distinct_points = arrays(
    np.float32,
    st.tuples(st.integers(2, 25), st.integers(1, 4)),
    elements=st.integers(-99, 99).map(lambda n: n / 100),
).filter(lambda points: len(np.unique(points, axis=0)) == len(points))


@pytest.fixture
def blobs() -> np.ndarray:
    return make_blobs(300, n_features=3, centers=6, cluster_std=2, random_state=0)[0].astype(np.float32)


@given(distinct_points, st.data())
def test_the_first_seeds_for_a_larger_k_are_the_draw_for_a_smaller_one(points, data):
    large = data.draw(st.integers(1, len(points)))
    small = data.draw(st.integers(1, large))
    seed = data.draw(st.integers(0, 3))
    assert np.array_equal(seed_centers(points, large, seed)[:small], seed_centers(points, small, seed))


@given(distinct_points, st.integers(0, 3))
def test_seeds_are_points_and_all_different(points, seed):
    seeds = seed_centers(points, len(points), seed)
    assert sorted(map(tuple, seeds)) == sorted(map(tuple, points))


def test_another_seed_draws_other_centers(blobs):
    assert not np.array_equal(seed_centers(blobs, 6, 0), seed_centers(blobs, 6, 1))


@pytest.mark.parametrize("k", [1, 2, 6, 20])
def test_lloyd_agrees_with_scikit_learn_from_the_same_centers(blobs, k):
    seeds = seed_centers(blobs, k, 0)
    result = lloyd(blobs, seeds)
    reference = KMeans(k, init=seeds, n_init=1).fit(blobs)
    np.testing.assert_array_equal(result.labels, reference.labels_)
    np.testing.assert_allclose(result.centers, reference.cluster_centers_, rtol=1e-5)
    assert result.inertia == pytest.approx(reference.inertia_, rel=1e-5)


@pytest.mark.parametrize("k", [2, 6])
def test_centers_are_means_and_each_point_belongs_to_the_nearest(blobs, k):
    result = lloyd(blobs, seed_centers(blobs, k, 0))
    distances = ((blobs[:, None] - result.centers[None]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(result.labels, distances.argmin(axis=1))
    assert result.inertia == pytest.approx(distances.min(axis=1).sum(), rel=1e-4)
    means = np.array([blobs[result.labels == cluster].mean(axis=0) for cluster in range(k)])
    np.testing.assert_allclose(result.centers, means, atol=0.2)


def test_the_same_points_and_seed_give_the_same_bytes(blobs):
    one, two = (lloyd(blobs, seed_centers(blobs, 6, 0)) for _ in range(2))
    assert one.centers.tobytes() == two.centers.tobytes()
    assert one.labels.tobytes() == two.labels.tobytes()
    assert one.inertia == two.inertia
