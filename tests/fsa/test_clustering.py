import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.errors import DataWarning, SchemaError
from lisor.fsa import clustering
from lisor.fsa.clustering import Clustering, cluster, count_distinct


@pytest.fixture(scope="module")
def states() -> np.ndarray:
    return np.tanh(np.random.default_rng(0).normal(size=(400, 4))).astype(np.float32)


def fit(states: np.ndarray, ks) -> list[Clustering]:
    return cluster(states, ks, method="kmeans", seed=0)


def assert_equal(one: Clustering, two: Clustering) -> None:
    assert (one.method, one.k, one.inertia) == (two.method, two.k, two.inertia)
    np.testing.assert_array_equal(one.centers, two.centers)
    np.testing.assert_array_equal(one.labels, two.labels)


@pytest.mark.parametrize("ks", [[5], [2, 5], range(2, 12), [9, 5, 3]])
def test_centers_for_a_k_do_not_depend_on_the_others_asked_for(states, ks):
    (alone,) = fit(states, [5])
    assert_equal(next(result for result in fit(states, ks) if result.k == 5), alone)


def test_there_is_a_clustering_for_each_k_in_the_order_asked_for(states):
    results = fit(states, [7, 2, 4])
    assert [(result.method, result.k, result.centers.shape) for result in results] == [
        ("kmeans", k, (k, 4)) for k in (7, 2, 4)
    ]
    for result in results:
        assert set(result.labels) == set(range(result.k))


def test_more_clusters_are_closer_to_their_points(states):
    inertias = [result.inertia for result in fit(states, [2, 8, 32, 128])]
    assert inertias == sorted(inertias, reverse=True)


def test_the_grid_ends_at_the_number_of_distinct_states():
    states = np.repeat(np.eye(5, dtype=np.float32), 9, axis=0)
    with pytest.warns(DataWarning, match="ends at 5, the number of distinct hidden states; 8 was asked for"):
        results = fit(states, range(2, 9))
    assert [result.k for result in results] == [2, 3, 4, 5]
    assert results[-1].inertia < 1e-9


@pytest.mark.parametrize("states", [np.zeros((0, 4), np.float32), np.ones((9, 4), np.float32)], ids=["none", "one"])
def test_fewer_distinct_states_than_the_smallest_k_leave_no_clustering(states):
    assert fit(states, [2, 3]) == []


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 12), st.floats(-4e-6, 4e-6))
def test_states_are_counted_up_to_a_limit_and_rounding_apart(values, limit, noise):
    states = np.array(values, np.float32)[:, None] / 10
    states[::2] += np.float32(noise)
    assert count_distinct(states, limit) == min(len(set(values)), limit)


@settings(max_examples=50)
@given(st.floats(1e-7, 1e-4), st.integers(0, 20))
def test_states_that_nearly_coincide_raise_no_other_warning(distance, steps):
    near = 0.12345 + distance * np.arange(4)[:, None] + steps * 1e-6
    states = np.concatenate([near, near + 1, -near]).astype(np.float32)
    ks = range(2, count_distinct(states, 12) + 1)
    assert [result.k for result in fit(states, ks)] == list(ks)


def test_clusterings_are_read_as_they_were_written(states, tmp_path):
    written = fit(states, [2, 7])
    clustering.write(written, tmp_path)
    for one, two in zip(clustering.read(tmp_path), written, strict=True):
        assert_equal(one, two)
        assert one.centers.dtype == np.float32


WANTED = {
    "one": [("kmeans", 7)],
    "both methods": {("kmeans-x", 2), ("kmeans", 2)},
    "one that is not there": [("kmeans-x", 7), ("kmeans", 9)],
    "none": [],
}


@pytest.mark.parametrize("wanted", WANTED.values(), ids=WANTED)
def test_of_many_clusterings_those_that_are_wanted_are_read(states, tmp_path, wanted):
    written = [replace(one, method=method) for method in ("kmeans", "kmeans-x") for one in fit(states, [2, 7])]
    clustering.write(written, tmp_path)
    expected = [one for one in written if (one.method, one.k) in wanted]
    for one, two in zip(clustering.read(tmp_path, wanted), expected, strict=True):
        assert_equal(one, two)


def test_no_clustering_is_read_as_none(tmp_path):
    clustering.write([], tmp_path)
    assert list(clustering.read(tmp_path)) == []


def test_the_same_states_give_the_same_bytes(states, tmp_path):
    files = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        clustering.write(fit(states, range(2, 20)), folder)
        files.append((folder / "clusterings.parquet").read_bytes())
    assert files[0] == files[1]


def test_another_schema_is_refused(states, tmp_path):
    clustering.write(fit(states, [2]), tmp_path)
    path = tmp_path / "clusterings.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata({"lisor": json.dumps({"schema": 99})}), path)
    with pytest.raises(SchemaError, match="schema 1, got 99"):
        list(clustering.read(tmp_path))
