import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.errors import DataError, DataWarning, SchemaError
from lisor.fsa import clustering
from lisor.fsa.clustering import Clustering, Decisions, Metric, cluster, count_distinct, member_means


@pytest.fixture(scope="module")
def states() -> np.ndarray:
    return np.tanh(np.random.default_rng(0).normal(size=(400, 4))).astype(np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def decisions(count: int, classes: int = 2, weight: float = 1.0) -> Decisions:
    """What a network might answer at so many states."""
    logits = np.random.default_rng(classes).normal(size=(count, classes))
    return Decisions(probabilities=softmax(logits), weight=weight)


def metric(size: int = 4, width: int = 4, cell_state: np.ndarray | None = None) -> Metric:
    matrix = np.random.default_rng(width).normal(size=(size, width)).astype(np.float32)
    return Metric(matrix=matrix, cell_state=cell_state)


def fit(states: np.ndarray, ks) -> list[Clustering]:
    return cluster(states, ks, method="kmeans", seed=0)


def assert_equal(one: Clustering, two: Clustering) -> None:
    assert (one.method, one.k, one.inertia) == (two.method, two.k, two.inertia)
    np.testing.assert_array_equal(one.centers, two.centers)
    np.testing.assert_array_equal(one.labels, two.labels)
    assert (one.metric is None) == (two.metric is None)
    if one.metric is not None:
        np.testing.assert_array_equal(one.metric, two.metric)


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


# Methods that also look at what the network answers


@given(st.integers(2, 4), st.integers(1, 6), st.floats(0.1, 4), st.integers(0, 99))
def test_beside_a_state_stands_its_answer_with_the_variance_of_the_weight(classes, hidden, weight, seed):
    rng = np.random.default_rng(seed)
    states, logits = rng.normal(1, 3, size=(30, hidden)).astype(np.float32), rng.normal(size=(30, classes))
    points = Decisions(probabilities=softmax(logits), weight=weight).beside(states)
    np.testing.assert_allclose(points[:, :hidden] * np.std(states), states, rtol=1e-5)
    answers = points[:, hidden:]
    assert answers.var(axis=0).sum() == pytest.approx(hidden * weight**2)
    plain = np.tanh((logits[:, 1:] - logits[:, :1]) / 2) if classes == 2 else 2 * softmax(logits) - 1
    assert answers.shape == plain.shape
    scale = answers[0, 0] / plain[0, 0]
    assert scale > 0
    np.testing.assert_allclose(answers, plain * scale, atol=1e-4 * scale)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("weight", [0, 1])
def test_answers_that_are_all_alike_tell_no_states_apart(states, classes, weight):
    probabilities = np.tile(softmax(np.array([[0.1, 0.3, -1]])[:, :classes]), (len(states), 1))
    points = Decisions(probabilities=probabilities, weight=weight).beside(states)
    np.testing.assert_allclose(points[:, :4], states / states.std(dtype=np.float64))
    assert not points[:, 4:].any()


def test_states_that_are_all_alike_are_told_apart_by_their_answers():
    answers = decisions(9)
    points = answers.beside(np.full((9, 4), 0.5, np.float32))
    assert np.isfinite(points).all()
    assert points.var(axis=0).sum() == pytest.approx(4)


def test_a_metric_moves_states_and_for_an_lstm_its_cell_states_with_them(states):
    plain = metric(4, 3)
    np.testing.assert_allclose(plain.apply(states), [state @ plain.matrix for state in states], atol=1e-5)
    c = np.random.default_rng(1).normal(size=states.shape).astype(np.float32)
    whole = metric(8, 3, c)
    expected = states @ whole.matrix[:4] + c @ whole.matrix[4:]
    np.testing.assert_allclose(whole.apply(states), expected, atol=1e-5)


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(0, 99))
def test_the_mean_of_the_members_is_that_of_a_plain_loop_and_zero_where_there_are_none(labels, seed):
    points = np.random.default_rng(seed).normal(size=(len(labels), 3)).astype(np.float32)
    means = member_means(points, np.array(labels, np.int32), 5)
    assert (means.shape, means.dtype) == ((5, 3), np.float32)
    for k in range(5):
        members = [point for point, label in zip(points, labels, strict=True) if label == k]
        np.testing.assert_allclose(means[k], np.mean(members, axis=0) if members else np.zeros(3), atol=1e-6)


def looking(states: np.ndarray) -> dict[str, dict]:
    """What each method needs besides the states, for two and three classes and for an LSTM, and how it is called."""
    c = np.random.default_rng(1).normal(size=states.shape).astype(np.float32)
    return {
        "two classes": {"method": "decision-aware", "decisions": decisions(len(states), weight=0.7)},
        "three classes": {"method": "decision-aware", "decisions": decisions(len(states), 3)},
        "metric": {"method": "sensitivity", "metric": metric()},
        "narrow metric": {"method": "sensitivity", "metric": metric(4, 2)},
        "metric of an LSTM": {"method": "sensitivity", "metric": metric(8, 8, c)},
    }


LOOKING = list(looking(np.zeros((1, 4))))


@pytest.mark.parametrize("how", LOOKING)
@pytest.mark.parametrize("k", [2, 7])
def test_clusters_are_those_of_kmeans_where_states_are_compared(states, how, k):
    needs = looking(states)[how]
    (result,) = cluster(states, [k], seed=3, **needs)
    points = needs["decisions"].beside(states) if "decisions" in needs else needs["metric"].apply(states)
    (reference,) = cluster(points, [k], method="kmeans", seed=3)
    assert result.labels.tolist() == reference.labels.tolist()
    assert result.inertia == pytest.approx(reference.inertia)
    assert (result.method, result.k) == (needs["method"], k)


@pytest.mark.parametrize("how", LOOKING)
def test_centers_are_the_means_of_hidden_states(states, how):
    for result in cluster(states, [2, 7], seed=0, **looking(states)[how]):
        expected = [states[result.labels == label].mean(axis=0) for label in range(result.k)]
        np.testing.assert_allclose(result.centers, expected, atol=1e-5)


@pytest.mark.parametrize("how", LOOKING)
def test_whatever_they_look_at_centers_do_not_depend_on_the_other_k(states, how):
    needs = looking(states)[how]
    (alone,) = cluster(states, [5], seed=0, **needs)
    assert_equal(cluster(states, [9, 5, 2], seed=0, **needs)[1], alone)


@pytest.mark.parametrize("how", LOOKING)
def test_only_a_clustering_by_a_metric_remembers_it(states, how):
    needs = looking(states)[how]
    (result,) = cluster(states, [3], seed=0, **needs)
    assert result.metric is (needs["metric"].matrix if "metric" in needs else None)


def test_where_the_metric_changes_nothing_sensitivity_is_kmeans(states):
    found = cluster(states, [2, 7], method="sensitivity", seed=0, metric=Metric(matrix=np.eye(4, dtype=np.float32)))
    for one, two in zip(found, fit(states, [2, 7]), strict=True):
        assert one.labels.tolist() == two.labels.tolist()
        np.testing.assert_allclose(one.centers, two.centers, atol=1e-6)


def test_a_heavy_decision_parts_states_by_their_answers(states):
    answers = (states[:, 0] * states[:, 1] > 0).astype(np.float32)
    certain = Decisions(probabilities=np.column_stack([1 - answers, answers]), weight=100)
    (result,) = cluster(states, [2], method="decision-aware", seed=0, decisions=certain)
    assert len(set(zip(result.labels.tolist(), answers.tolist(), strict=True))) == 2


@pytest.mark.parametrize(
    ("method", "says"), [("kmeans-x", "positions"), ("decision-aware", "answers"), ("sensitivity", "metric")]
)
def test_a_method_without_what_it_looks_at_is_refused(states, method, says):
    with pytest.raises(DataError, match=f"{method} needs the .*{says}"):
        cluster(states, [2], method=method, seed=0)


# What is written


def test_clusterings_are_read_as_they_were_written(states, tmp_path):
    written = fit(states, [2, 7])
    clustering.write(written, tmp_path)
    for one, two in zip(clustering.read(tmp_path), written, strict=True):
        assert_equal(one, two)
        assert one.centers.dtype == np.float32


def test_each_clustering_is_read_with_its_metric_or_without(states, tmp_path):
    written = [found for needs in looking(states).values() for found in cluster(states, [2, 5], seed=0, **needs)]
    written += fit(states, [3])
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
    with pytest.raises(SchemaError, match=f"schema {clustering.SCHEMA}, got 99"):
        list(clustering.read(tmp_path))
