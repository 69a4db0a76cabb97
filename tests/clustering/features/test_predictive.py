"""States are compared by what the network predicts after probes are read from them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.alphabet import Alphabet
from lisor.clustering.clustering import cluster, nearest_members, read, write
from lisor.clustering.features import predictive
from lisor.errors import DataError
from lisor.extraction.dynamics import StateComparison, center_states
from lisor.extraction.estimator import AutomatonExtractor
from lisor.networks.external.adapt import adapt
from lisor.networks.hidden_states import Points, collect
from lisor.registry import CELLS, METHODS
from lisor.sequences import Sequences
from tests.conftest import random_network
from tests.extracting import extract

METHOD = METHODS["predictive"]("predictive")


def some_words(seed: int, count: int = 30, symbols: int = 2) -> Sequences:
    rng = np.random.default_rng(seed)
    return Sequences.from_lists(
        [rng.integers(symbols, size=rng.integers(1, 12)) for _ in range(count)]
    )


def probes_of(points: Points, count: int = predictive.PROBES) -> Sequences:
    return predictive._probes(points.in_order(), count)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("classes", [2, 3])
def test_features_are_the_predictions_for_prefixes_with_probes_after_them(cell, classes):
    model, words = random_network(cell, classes=classes, seed=4), some_words(0)
    points = collect(model, words)
    features, probes = METHOD.features(points, model), probes_of(points)
    assert features.medoids
    kept = classes if classes > 2 else 1
    assert features.points.shape == (len(points.step), len(probes) * kept)
    ordered = points.in_order()
    starts = np.repeat(ordered.offsets[:-1], ordered.lengths)
    for point in range(0, len(points.step), 17):
        prefix = ordered.symbols[starts[point] : point + 1]
        whole = Sequences.from_lists([np.concatenate([prefix, probe]) for probe in probes])
        expected = (2 * model.predict(whole) - 1)[:, classes - kept :].reshape(-1)
        np.testing.assert_allclose(features.points[point], expected, atol=1e-5)


@given(seed=st.integers(0, 999), count=st.integers(1, 40), longest=st.integers(1, 9))
def test_probes_are_the_empty_one_and_different_windows_of_the_sequences(seed, count, longest):
    rng = np.random.default_rng(seed)
    words = Sequences.from_lists(
        [rng.integers(3, size=rng.integers(1, longest + 1)) for _ in range(4)]
    )
    probes = [tuple(word) for word in predictive._probes(words, count)]
    assert probes[0] == ()
    assert len(set(probes)) == len(probes) <= count
    windows = {
        tuple(word[start:end])
        for word in words
        for start in range(len(word))
        for end in range(start + 1, len(word) + 1)
    }
    assert {*probes[1:]} <= {one for one in windows if len(one) <= predictive.LONGEST}
    if count <= 3 and len(windows) > 20:
        assert len(probes) == count


def test_without_sequences_the_empty_probe_alone_is_read():
    nothing = Sequences(symbols=np.empty(0, np.int32), offsets=np.zeros(1, np.int64))
    assert [word.tolist() for word in predictive._probes(nothing, 8)] == [[]]


def test_there_are_fewer_probes_where_there_are_many_classes():
    classes = predictive.MAX_FEATURES // 3
    model = random_network("gru", classes=classes)
    features = METHOD.features(collect(model, some_words(0)), model)
    assert features.points.shape[1] == 3 * classes
    model = random_network("gru", classes=2 * predictive.MAX_FEATURES)
    features = METHOD.features(collect(model, some_words(0)), model)
    assert features.points.shape[1] == len(model.classes)


@settings(max_examples=30)
@given(seed=st.integers(0, 999), k=st.integers(1, 9))
def test_the_member_nearest_to_a_center_is_of_its_cluster_where_there_are_members(seed, k):
    rng = np.random.default_rng(seed)
    points, centers = rng.normal(size=(30, 3)), rng.normal(size=(k, 3))
    labels = rng.integers(k, size=30)
    found = nearest_members(points, labels, centers)
    for number, center in enumerate(centers):
        rows = np.flatnonzero(labels == number)
        rows = rows if len(rows) else np.arange(30)
        distances = np.square(points[rows] - center).sum(axis=1)
        assert found[number] == rows[distances.argmin()]


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_centers_are_states_that_the_network_has(cell, tmp_path):
    model = random_network(cell, seed=2)
    points = collect(model, some_words(1))
    write(cluster(points, [3, 5], method="predictive", network=model, seed=0), tmp_path)
    for clustering in read(tmp_path):
        medoids = clustering.medoids
        assert (clustering.labels[medoids] == np.arange(clustering.k)).all()
        states = center_states(model, points, clustering)
        for part, given_part in zip(states, points.parts(), strict=True):
            np.testing.assert_array_equal(part[1:], given_part[medoids])
        np.testing.assert_array_equal(clustering.centers, points.state[medoids])
        features = METHOD.features(points, model).points
        means = [features[clustering.labels == c].mean(axis=0) for c in range(clustering.k)]
        np.testing.assert_allclose(clustering.feature_centers, means, atol=1e-4)
        comparison = StateComparison.of(model, points, clustering, states)
        np.testing.assert_array_equal(comparison.centers, clustering.feature_centers)
        whole = np.concatenate(points.parts(), axis=1)
        np.testing.assert_array_equal(comparison.feature_map(whole), features)
        assert (comparison.targets([features])[0] - 1 == clustering.labels).mean() > 0.99


class Parity:
    """Even parity of ones, in numbers of which most do not matter: how often each symbol was
    read."""

    def initial_state(self) -> np.ndarray:
        return np.zeros(3)

    def step(self, state: np.ndarray, symbol: int) -> np.ndarray:
        odd, ones, zeros = state
        return np.array([odd if symbol == 0 else 1 - odd, ones + symbol, zeros + 1 - symbol])

    def is_accepting(self, state: np.ndarray) -> bool:
        return bool(state[0] == 0)


def test_numbers_that_change_no_prediction_count_for_nothing():
    network = adapt(Parity(), Alphabet.of(("0", "1")))
    points = collect(network, some_words(3))
    (clustering,) = cluster(points, [2], method="predictive", network=network, seed=0)
    assert len({*zip(points.state[:, 0].tolist(), clustering.labels.tolist(), strict=True)}) == 2
    found = extract(network, points, clustering, rule="dynamics").automaton.minimized()
    assert found.n_states == 2
    words = some_words(4)
    np.testing.assert_array_equal(found.classify(words), network.predict(words).argmax(axis=1))


def test_an_estimator_refuses_more_clusters_than_there_are_different_predictions():
    network = adapt(Parity(), Alphabet.of(("0", "1")))
    points = collect(network, some_words(3))
    lengths = points.in_order().lengths
    estimator = AutomatonExtractor(k=3, method="predictive", network=network)
    with pytest.raises(DataError, match="number of states that predictive distinguishes"):
        estimator.fit(points.state, points.symbol, lengths, np.zeros(len(lengths), int))
