import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.blocks import InMemory
from lisor.clustering import clustering
from lisor.clustering.clustering import Clustering, cluster, member_means
from lisor.clustering.features.decision_aware import as_columns, with_columns
from lisor.clustering.kmeans import count_distinct, kmeans
from lisor.errors import DataError, DataWarning, ModelError, SchemaError
from lisor.networks import hidden_states
from lisor.networks.hidden_states import HiddenStates
from lisor.networks.network import Network
from lisor.registry import METHODS
from tests.clustering.states import points_of
from tests.clustering.toys import random_matrix, registered
from tests.conftest import random_network


@pytest.fixture(scope="module")
def states() -> np.ndarray:
    return np.tanh(np.random.default_rng(0).normal(size=(400, 4))).astype(np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


class Predicting:
    """A network of which only the class probabilities at hidden states are known."""

    name, target = "one trained elsewhere", "class"

    def __init__(self, probabilities: np.ndarray) -> None:
        self._probabilities = probabilities

    def probabilities(self, hidden: np.ndarray) -> np.ndarray:
        return self._probabilities


def predicting(count: int, classes: int = 2) -> Predicting:
    return Predicting(softmax(np.random.default_rng(classes).normal(size=(count, classes))))


def fit(states: np.ndarray, ks) -> list[Clustering]:
    return cluster(points_of(states), ks, method="kmeans", seed=0)


def assert_equal(one: Clustering, two: Clustering) -> None:
    assert (one.method, one.k, one.inertia) == (two.method, two.k, two.inertia)
    np.testing.assert_array_equal(one.centers, two.centers)
    np.testing.assert_array_equal(one.labels, two.labels)
    for name in ("metric", "medoids", "feature_centers"):
        first, second = getattr(one, name), getattr(two, name)
        assert (first is None) == (second is None)
        if first is not None:
            np.testing.assert_array_equal(first, second)


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
    with pytest.warns(
        DataWarning, match="ends at 5, the number of distinct hidden states; 8 was asked for"
    ):
        results = fit(states, range(2, 9))
    assert [result.k for result in results] == [2, 3, 4, 5]
    assert results[-1].inertia < 1e-9


@pytest.mark.parametrize(
    "states", [np.zeros((0, 4), np.float32), np.ones((9, 4), np.float32)], ids=["none", "one"]
)
def test_fewer_distinct_states_than_the_smallest_k_leave_no_clustering(states):
    assert fit(states, [2, 3]) == []


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 12), st.floats(-4e-6, 4e-6)
)
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


# Methods that see other points


@given(st.integers(2, 4), st.integers(1, 6), st.floats(0.1, 4), st.integers(0, 99))
def test_beside_a_state_stands_its_prediction_with_the_variance_of_the_weight(
    classes, hidden, weight, seed
):
    rng = np.random.default_rng(seed)
    states, logits = (
        rng.normal(1, 3, size=(30, hidden)).astype(np.float32),
        rng.normal(size=(30, classes)),
    )
    points = with_columns(states, as_columns(softmax(logits), "class"), weight)
    np.testing.assert_allclose(points[:, :hidden] * np.std(states), states, rtol=1e-5)
    columns = points[:, hidden:]
    assert columns.var(axis=0).sum() == pytest.approx(hidden * weight**2)
    plain = (
        np.tanh((logits[:, 1:] - logits[:, :1]) / 2) if classes == 2 else 2 * softmax(logits) - 1
    )
    assert columns.shape == plain.shape
    scale = columns[0, 0] / plain[0, 0]
    assert scale > 0
    np.testing.assert_allclose(columns, plain * scale, atol=1e-4 * scale)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("weight", [0, 1])
def test_predictions_that_are_all_alike_tell_no_states_apart(states, classes, weight):
    probabilities = np.tile(softmax(np.array([[0.1, 0.3, -1]])[:, :classes]), (len(states), 1))
    points = with_columns(states, as_columns(probabilities, "class"), weight)
    np.testing.assert_allclose(points[:, :4], states / states.std(dtype=np.float64))
    assert not points[:, 4:].any()


def test_states_that_are_all_alike_are_told_apart_by_their_predictions():
    hidden = np.full((9, 4), 0.5, np.float32)
    columns = as_columns(predicting(9).probabilities(hidden), "class")
    points = with_columns(hidden, columns, 1.0)
    assert np.isfinite(points).all()
    assert points.var(axis=0).sum() == pytest.approx(4)


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(0, 99))
def test_the_mean_of_the_members_is_that_of_a_plain_loop_and_zero_where_there_are_none(
    labels, seed
):
    points = np.random.default_rng(seed).normal(size=(len(labels), 3)).astype(np.float32)
    means = member_means(points, np.array(labels, np.int32), 5)
    assert (means.shape, means.dtype) == ((5, 3), np.float32)
    for k in range(5):
        members = [point for point, label in zip(points, labels, strict=True) if label == k]
        np.testing.assert_allclose(
            means[k], np.mean(members, axis=0) if members else np.zeros(3), atol=1e-6
        )


@pytest.fixture(scope="module", autouse=True)
def toys():
    """The methods of `tests.clustering.toys` in the registry."""
    with registered():
        yield


WAYS = {
    "two classes": {"method": "decision-aware", "weight": 0.7},
    "three classes": {"method": "decision-aware", "classes": 3},
    "no network": {"method": "signs"},
    "predictions alone": {"method": "predicted", "classes": 3},
    "matrix": {"method": "projected", "weight": 4},
    "narrow matrix": {"method": "projected", "weight": 2},
    "matrix of an LSTM": {"method": "projected", "weight": 8, "has_cell_state": True},
}


def group(
    states: np.ndarray,
    ks,
    *,
    method: str,
    weight: float = 1.0,
    classes: int = 2,
    has_cell_state: bool = False,
    seed: int = 0,
) -> list[Clustering]:
    """Clusterings by one of the `WAYS`."""
    c = np.random.default_rng(1).normal(size=states.shape).astype(np.float32)
    points = points_of(states, c if has_cell_state else None)
    network = predicting(len(states), classes)
    return cluster(points, ks, method=method, weight=weight, network=network, seed=seed)


def seen(
    states: np.ndarray,
    *,
    method: str,
    weight: float = 1.0,
    classes: int = 2,
    has_cell_state: bool = False,
):
    """The features of one of the `WAYS`."""
    c = np.random.default_rng(1).normal(size=states.shape).astype(np.float32)
    points = points_of(states, c if has_cell_state else None)
    return METHODS[method](method, weight).features(points, predicting(len(states), classes))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("k", [2, 7])
def test_clusters_are_those_of_kmeans_on_what_the_method_sees(states, way, k):
    (result,) = group(states, [k], seed=3, **WAYS[way])
    features = seen(states, **WAYS[way])
    (reference,) = kmeans(InMemory(features.points), [k], weights=features.weights, seed=3)
    assert result.labels.tolist() == reference.labels.tolist()
    assert result.inertia == pytest.approx(reference.inertia)
    assert (result.method, result.k) == (WAYS[way]["method"], k)


@pytest.mark.parametrize("way", WAYS)
def test_centers_are_the_means_of_hidden_states_by_their_weights(states, way):
    weights = seen(states, **WAYS[way]).weights
    weights = np.ones(len(states)) if weights is None else weights
    for result in group(states, [2, 7], **WAYS[way]):
        expected = [
            np.average(states[members], axis=0, weights=weights[members])
            for members in (result.labels == label for label in range(result.k))
        ]
        np.testing.assert_allclose(result.centers, expected, atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_whatever_a_method_sees_centers_do_not_depend_on_the_other_k(states, way):
    (alone,) = group(states, [5], **WAYS[way])
    assert_equal(group(states, [9, 5, 2], **WAYS[way])[1], alone)


@pytest.mark.parametrize("way", WAYS)
def test_only_a_clustering_by_a_matrix_remembers_it(states, way):
    (result,) = group(states, [3], **WAYS[way])
    if WAYS[way]["method"] == "projected":
        width = WAYS[way]["weight"]
        np.testing.assert_array_equal(result.metric, random_matrix(len(result.metric), width))
    else:
        assert result.metric is None


def test_a_heavy_prediction_parts_states_by_it(states):
    accepted = (states[:, 0] * states[:, 1] > 0).astype(np.float32)
    certain = Predicting(np.column_stack([1 - accepted, accepted]))
    points = points_of(states)
    (result,) = cluster(points, [2], method="decision-aware", weight=100, network=certain, seed=0)
    assert len(set(zip(result.labels.tolist(), accepted.tolist(), strict=True))) == 2


@pytest.mark.parametrize("method", ["decision-aware", "sensitivity", "predicted"])
def test_a_method_that_needs_the_network_is_refused_without(states, method):
    assert METHODS[method].needs_network
    with pytest.raises(DataError, match=f"{method} needs the network"):
        cluster(points_of(states), [2], method=method, seed=0)


def test_a_method_of_gradients_refuses_a_network_that_has_none(states):
    network: Network = predicting(len(states))
    with pytest.raises(ModelError, match=r"sensitivity follows gradients.* use kmeans"):
        cluster(points_of(states), [2], method="sensitivity", network=network, seed=0)


def test_a_method_that_does_not_exist_is_refused(states):
    with pytest.raises(DataError, match=r"expected one of the methods kmeans, .*got 'k-means'"):
        cluster(points_of(states), [2], method="k-means", seed=0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_states_in_memory_and_on_disk_are_clustered_alike(method, cell, words, tmp_path):
    network = random_network(cell, seed=3)
    hidden_states.dump(network, words, tmp_path)
    dump = HiddenStates(folder=tmp_path)
    on_disk, in_memory = (
        cluster(states, [2, 5], method=method, weight=0.5, network=network, seed=0)
        for states in (dump, dump.read())
    )
    for one, two in zip(on_disk, in_memory, strict=True):
        assert_equal(one, two)


# What is written


def test_clusterings_are_read_as_they_were_written(states, tmp_path):
    written = fit(states, [2, 7])
    clustering.write(written, tmp_path)
    for one, two in zip(clustering.read(tmp_path), written, strict=True):
        assert_equal(one, two)
        assert one.centers.dtype == np.float32


def test_each_clustering_is_read_with_its_metric_and_medoids_or_without(states, tmp_path):
    written = [found for way in WAYS.values() for found in group(states, [2, 5], **way)]
    written += fit(states, [3])
    medoids, features = np.array([5, 1, 7]), np.ones((3, 2), np.float32)
    written += [replace(written[-1], medoids=medoids, feature_centers=features)]
    clustering.write(written, tmp_path)
    for one, two in zip(clustering.read(tmp_path), written, strict=True):
        assert_equal(one, two)


WANTED = {
    "one": [("kmeans", 7)],
    "both methods": {("kmeans-x", 2), ("kmeans", 2)},
    "one that is not there": [("kmeans-x", 7), ("kmeans", 9)],
    "none": [],
}


@pytest.mark.parametrize("wanted", WANTED.values(), ids=WANTED)
def test_of_many_clusterings_those_that_are_wanted_are_read(states, tmp_path, wanted):
    written = [
        replace(one, method=method)
        for method in ("kmeans", "kmeans-x")
        for one in fit(states, [2, 7])
    ]
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
    pq.write_table(
        pq.read_table(path).replace_schema_metadata({"lisor": json.dumps({"schema": 99})}), path
    )
    with pytest.raises(SchemaError, match=f"schema {clustering.SCHEMA}, got 99"):
        list(clustering.read(tmp_path))
