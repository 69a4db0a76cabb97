import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs

from lisor.clustering.clustering import cluster
from lisor.clustering.shrinking import cheapest_merger, top
from tests.clustering.states import points_of


@given(st.integers(1, 300), st.integers(1, 300))
def test_a_k_is_reached_from_the_next_power_of_two_that_there_are_points_for(
    k: int, distinct: int
) -> None:
    first = top(k, distinct)
    assert first == distinct or (first & (first - 1) == 0 and k <= first < 2 * k)
    assert first <= distinct


@given(st.integers(0, 9999), st.integers(2, 8))
def test_the_cheapest_merger_adds_least_to_the_inertia(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(k), rng.integers(0, k, 30)])
    points = rng.normal(size=(len(labels), 3))

    def inertia(labels: np.ndarray) -> float:
        groups = [points[labels == label] for label in np.unique(labels)]
        return sum(np.square(group - group.mean(axis=0)).sum() for group in groups)

    centers = np.array([points[labels == label].mean(axis=0) for label in range(k)])
    into, gone, squared = cheapest_merger(np.bincount(labels).astype(float), centers @ centers.T)
    costs = {
        (i, j): inertia(np.where(labels == j, i, labels)) - inertia(labels)
        for j in range(k)
        for i in range(j)
    }
    assert costs[into, gone] == pytest.approx(min(costs.values()))
    assert squared == pytest.approx(np.square(centers[into] - centers[gone]).sum())


def test_a_cluster_without_points_is_the_first_to_go() -> None:
    centers = np.array([[0.0], [1.0], [5.0]])
    assert cheapest_merger(np.array([3.0, 2.0, 0.0]), centers @ centers.T)[:2] == (1, 2)


def test_a_grid_is_no_worse_than_a_start_of_its_own_for_each_k() -> None:
    """Over some clouds and every k; scikit-learn begins each k anew."""
    ratios = []
    for seed in range(6):
        points = make_blobs(1000, n_features=4, centers=12, cluster_std=1.5, random_state=seed)[
            0
        ].astype(np.float32)
        for found in cluster(points_of(points), range(2, 17), method="kmeans", seed=20 + seed):
            ratios.append(
                found.inertia / KMeans(found.k, n_init=1, random_state=seed).fit(points).inertia_
            )
    assert np.mean(ratios) < 1
    assert max(ratios) < 1.03


@pytest.mark.parametrize("method", ["kmeans", "kmeans-x"])
@given(
    st.integers(0, 9999), st.sets(st.integers(2, 20), min_size=1, max_size=4), st.integers(2, 20)
)
def test_what_is_found_for_a_k_depends_on_no_other(
    method: str, seed: int, others: set[int], k: int
) -> None:
    rng = np.random.default_rng(seed)
    points = points_of(rng.normal(size=(60, 2)).astype(np.float32), steps=6)

    def find(ks: set[int], threads: int) -> dict[int, tuple[bytes, bytes, float]]:
        found = cluster(points, sorted(ks), method=method, weight=0.1, seed=seed, threads=threads)
        return {
            each.k: (each.centers.tobytes(), each.labels.tobytes(), each.inertia) for each in found
        }

    assert find(others | {k}, 2)[k] == find({k}, 1)[k]
