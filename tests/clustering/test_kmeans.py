from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from threadpoolctl import threadpool_limits

from lisor.blocks import InMemory
from lisor.clustering import iterations, kernels, kmeans, kmeans_torch
from lisor.clustering.iterations import SharedIterations
from lisor.clustering.kmeans import collapse, lloyd, seed_centers
from lisor.clustering.shrinking import STARTS
from lisor.randomness import stream_seed

distinct_points = arrays(
    np.float32,
    st.tuples(st.integers(2, 25), st.integers(1, 4)),
    elements=st.integers(-99, 99).map(lambda n: n / 100),
).filter(lambda points: len(np.unique(points, axis=0)) == len(points))


@pytest.fixture
def blobs() -> np.ndarray:
    return make_blobs(300, n_features=3, centers=6, cluster_std=2, random_state=0)[0].astype(
        np.float32
    )


@given(distinct_points, st.data())
def test_the_first_seeds_for_a_larger_k_are_the_draw_for_a_smaller_one(points, data):
    large = data.draw(st.integers(1, len(points)))
    small = data.draw(st.integers(1, large))
    seed = data.draw(st.integers(0, 3))
    assert np.array_equal(
        seed_centers(points, large, seed)[:small], seed_centers(points, small, seed)
    )


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


# More points than a sample holds


@pytest.fixture
def many() -> np.ndarray:
    return make_blobs(3000, n_features=5, centers=7, cluster_std=2, random_state=1)[0].astype(
        np.float32
    )


@dataclass
class Parts:
    """Points that are read in parts of some size."""

    points: np.ndarray
    size: int

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (
            self.points[first : first + self.size]
            for first in range(0, len(self.points), self.size)
        )


CPU = torch.device("cpu")


def grid(
    points,
    ks=(2, 5, 9),
    *,
    weights=None,
    threads=1,
    drawn=200,
    most=kmeans.MAX_SHARED_ITERATIONS,
    piece=128,
    device=None,
):
    """k-means that begins with a sample of `drawn` points."""
    blocks = InMemory(points) if isinstance(points, np.ndarray) else points
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in (
            (kmeans, "SAMPLE", drawn),
            (kmeans, "MAX_SHARED_ITERATIONS", most),
            (iterations, "PIECE", piece),
        ):
            patch.setattr(module, name, value)
        return kmeans.kmeans(blocks, ks, seed=0, weights=weights, threads=threads, device=device)


def same_bytes(one, two) -> bool:
    return all(
        (a.centers.tobytes(), a.labels.tobytes(), a.inertia)
        == (b.centers.tobytes(), b.labels.tobytes(), b.inertia)
        for a, b in zip(one, two, strict=True)
    )


def test_few_points_are_clustered_whole_by_the_best_of_the_starts(blobs):
    with threadpool_limits(1):
        starts = [
            lloyd(blobs, seed_centers(blobs, 8, stream_seed(0, "kmeans", draw)))
            for draw in range(STARTS)
        ]
    assert same_bytes(grid(blobs, [8], drawn=300), [min(starts, key=lambda start: start.inertia)])


@given(distinct_points, st.booleans(), st.data())
def test_points_that_are_there_twice_count_twice(points, weighted, data):
    rows = np.array(data.draw(st.lists(st.integers(0, len(points) - 1), min_size=1, max_size=60)))
    weights = np.random.default_rng(0).uniform(0.1, 3, len(rows)) if weighted else None
    own, own_weights, places = collapse(points[rows], weights)
    np.testing.assert_array_equal(own[places], points[rows])
    counted = np.ones(len(own)) if own_weights is None else own_weights
    assert counted.sum() == pytest.approx(len(rows) if weights is None else weights.sum())
    if len(set(rows)) <= 0.8 * len(rows):
        assert len(own) == len(set(rows))


def test_repeated_points_are_clustered_as_their_centers_and_inertia_say(blobs):
    points = np.repeat(blobs, np.random.default_rng(0).integers(1, 9, len(blobs)), axis=0)
    for result in grid(points, [4, 7], drawn=len(points)):
        distances = np.square(points[:, None].astype(np.float64) - result.centers).sum(axis=2)
        np.testing.assert_array_equal(result.labels, distances.argmin(axis=1))
        assert result.inertia == pytest.approx(distances.min(axis=1).sum(), rel=1e-5)
        means = [
            points[result.labels == center].mean(axis=0) for center in range(len(result.centers))
        ]
        np.testing.assert_allclose(result.centers, means, atol=0.1)


def test_a_sample_holds_different_points_in_their_order(many):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kmeans, "SAMPLE", 500)
        points, rows = kmeans.sample(Parts(many, 77), 3)
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(points, many[rows])
    assert len(rows) == 500


def test_of_many_each_point_belongs_to_the_nearest_center(many):
    for result in grid(many):
        distances = np.square(many[:, None].astype(np.float64) - result.centers).sum(axis=2)
        np.testing.assert_allclose(
            distances[np.arange(len(many)), result.labels], distances.min(axis=1), rtol=1e-4
        )
        assert result.inertia == pytest.approx(distances.min(axis=1).sum(), rel=1e-5)
        assert len(result.centers) == result.labels.max() + 1


@pytest.mark.parametrize("weighted", [False, True])
def test_with_iterations_enough_centers_are_the_means_of_their_points(many, weighted):
    weights = np.random.default_rng(0).uniform(0.1, 3, len(many)) if weighted else None
    for result in grid(many, weights=weights, most=300):
        members = [result.labels == center for center in range(len(result.centers))]
        means = [
            np.average(many[own], axis=0, weights=None if weights is None else weights[own])
            for own in members
        ]
        np.testing.assert_allclose(result.centers, means, atol=0.1)
        own = np.square(many - result.centers[result.labels]).sum(axis=1, dtype=np.float64)
        assert result.inertia == pytest.approx(
            (own if weights is None else own * weights).sum(), rel=1e-5
        )


def test_iterations_over_all_points_lower_the_inertia_and_end_near_that_of_all(many):
    inertias = [[result.inertia for result in grid(many, most=most)] for most in (0, 1, 3, 300)]
    assert inertias == sorted(inertias, reverse=True)
    seeds = [grid(many, most=0)[place].centers for place in range(3)]
    whole = [lloyd(many, own).inertia for own in seeds]
    np.testing.assert_allclose(inertias[-1], whole, rtol=1e-3)


def test_a_grid_of_many_points_does_not_depend_on_threads_or_on_the_other_k(many):
    whole = grid(many)
    assert same_bytes(grid(many, threads=3), whole)
    assert same_bytes(grid(many, [5]), whole[1:2])
    assert same_bytes(grid(many, [2, 9]), whole[::2])


def test_how_points_are_read_changes_no_bit_where_pieces_are_the_same(many):
    assert same_bytes(grid(Parts(many, 256)), grid(many))
    for one, two in zip(grid(Parts(many, 100)), grid(many), strict=True):
        np.testing.assert_allclose(one.centers, two.centers, rtol=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_points_that_are_not_looked_at_again_are_at_their_nearest_center(
    many, monkeypatch, weighted
):
    weights = np.random.default_rng(1).uniform(0.1, 3, len(many)) if weighted else None
    looked_at = []

    def in_doubt(drifts, labels, slack, rows):
        looked_at.append(kernels_in_doubt(drifts, labels, slack, rows))
        return looked_at[-1]

    kernels_in_doubt = kernels.in_doubt
    monkeypatch.setattr(kernels, "in_doubt", in_doubt)
    with ThreadPoolExecutor(1) as pool:
        found = SharedIterations(
            InMemory(many), weights, [many[:k].copy() for k in (1, 4, 12)], pool
        )
        for _ in range(8):
            looked_at.clear()
            found.assign()
            for centers, labels, sums, counts in zip(
                found.centers, found.labels, found.sums, found.counts, strict=True
            ):
                squared = np.square(many[:, None].astype(np.float64) - centers).sum(axis=2)
                np.testing.assert_allclose(
                    squared[np.arange(len(many)), labels], squared.min(axis=1), rtol=1e-4
                )
                members = (labels == np.arange(len(centers))[:, None]) * (
                    1.0 if weights is None else weights
                )
                np.testing.assert_allclose(counts, members.sum(axis=1), rtol=1e-9)
                np.testing.assert_allclose(sums, members @ many, rtol=1e-6, atol=1e-6)
            found.move()
            found.moving[:] = True
    assert sum(looked_at) < 0.5 * 3 * len(many)


@pytest.mark.parametrize("device", [None, CPU])
def test_a_center_that_loses_its_points_stays_where_it_is(device):
    points = np.repeat(np.array([[0.0], [1.0], [5.0]], np.float32), 100, axis=0)
    centers = [np.array([[0.0], [1.0], [5.0], [50.0]], np.float32)]
    with ThreadPoolExecutor(1) as pool:
        found = kmeans._iterations(InMemory(points), None, centers, pool, device)
        found.assign()
        assert not found.move()
        (result,) = found.finish()
    assert result.centers.ravel().tolist() == [0, 1, 5, 50]
    assert result.inertia == 0


# On a device of torch


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("drawn", [200, 3000])
@pytest.mark.parametrize("rows", [700, kmeans_torch.ROWS])
def test_a_device_finds_the_same_clusters(many, weighted, drawn, rows, monkeypatch):
    monkeypatch.setattr(kmeans_torch, "ROWS", rows)
    monkeypatch.setattr(kmeans_torch, "PIECE", 256)
    weights = np.random.default_rng(0).uniform(0.1, 3, len(many)) if weighted else None
    own, device = (
        grid(many, weights=weights, drawn=drawn, device=device) for device in (None, CPU)
    )
    for one, two in zip(own, device, strict=True):
        np.testing.assert_allclose(one.centers[one.labels], two.centers[two.labels], rtol=1e-5)
        assert len(one.centers) == len(two.centers)
        assert one.inertia == pytest.approx(two.inertia, rel=1e-6)
        assert (two.centers.dtype, two.labels.dtype) == (np.float32, np.int32)


def test_what_a_device_finds_is_the_same_again_and_whatever_the_grid(many):
    whole = grid(many, device=CPU)
    assert same_bytes(grid(many, device=CPU, threads=3), whole)
    assert same_bytes(grid(many, [5], device=CPU), whole[1:2])


def test_a_device_reads_points_in_parts(many):
    for one, two in zip(grid(Parts(many, 100), device=CPU), grid(many, device=CPU), strict=True):
        np.testing.assert_array_equal(one.labels, two.labels)
        np.testing.assert_allclose(one.centers, two.centers, rtol=1e-5)


@given(distinct_points, st.data())
def test_a_device_ends_where_each_point_belongs_to_the_nearest(points, data):
    k = data.draw(st.integers(1, len(points)))
    (found,) = grid(points, [k], device=CPU)
    distances = ((points[:, None].astype(np.float64) - found.centers[None]) ** 2).sum(axis=2)
    assert found.inertia == pytest.approx(distances.min(axis=1).sum(), abs=1e-5)
    np.testing.assert_allclose(
        distances[np.arange(len(points)), found.labels], distances.min(axis=1), atol=1e-5
    )
