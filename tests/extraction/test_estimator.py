import pickle
from copy import deepcopy

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils import estimator_checks

import lisor
from lisor import AutomatonExtractor
from lisor.clustering import clustering
from lisor.data.dataset import Dataset
from lisor.errors import DataError
from lisor.networks import hidden_states
from lisor.networks.trained import TrainedModel
from tests.conftest import random_network
from tests.extracting import extract


@pytest.fixture(scope="module")
def points(network: TrainedModel, words: Dataset) -> hidden_states.Points:
    return hidden_states.collect(network, words.splits["validation"].sequences)


@pytest.fixture(scope="module")
def flat(network, points):
    """States, symbols, lengths and outputs, of the sequences that are not empty."""
    lengths = np.bincount(points.sequence)
    lengths = lengths[lengths > 0]
    order = np.argsort(points.sequence, kind="stable")
    sequences = np.split(points.symbol[order], np.cumsum(lengths)[:-1])
    answers = network.predict(lisor.extraction.estimator._words(sequences, None)).argmax(axis=1)
    return points.state[order], points.symbol[order], lengths, answers


@pytest.fixture(scope="module")
def rows(flat):
    """The same as X and y: an array for each sequence."""
    states, symbols, lengths, answers = flat
    return np.split(np.column_stack([symbols, states]), np.cumsum(lengths)[:-1]), answers


def test_both_forms_of_fit_find_the_same_automaton(flat, rows):
    one, other = AutomatonExtractor(k=6).fit(*flat), AutomatonExtractor(k=6).fit(*rows)
    np.testing.assert_array_equal(one.automaton_.transitions, other.automaton_.transitions)
    np.testing.assert_array_equal(one.automaton_.outputs, other.automaton_.outputs)
    np.testing.assert_array_equal(one.predict(flat[1], flat[2]), other.predict(rows[0]))
    assert one.score(flat[1], flat[3], lengths=flat[2]) == other.score(*rows) > 0.9


@pytest.mark.parametrize("rule", ["majority", "dynamics", "dithered"])
def test_with_a_network_it_is_the_automaton_of_extract(network, points, rule):
    states, lengths = points.state, np.bincount(points.sequence)
    found = AutomatonExtractor(k=5, rule=rule, network=network)
    order = np.argsort(points.sequence, kind="stable")
    found.fit(states[order], points.symbol[order], lengths, np.zeros(len(lengths)))
    sorted_points = hidden_states.Points(
        **{name: getattr(points, name)[order] for name in ("sequence", "step", "symbol", "state")}
    )
    (block,) = clustering.cluster(sorted_points, [5], method="kmeans", seed=0)
    expected = extract(network, sorted_points, block, rule=rule).automaton
    np.testing.assert_array_equal(found.automaton_.transitions, expected.transitions)
    np.testing.assert_array_equal(found.automaton_.outputs, expected.outputs)


def test_by_the_rule_refined_it_is_exact(network, words: Dataset, flat):
    automaton = AutomatonExtractor(rule="refined", network=network).fit(*flat).automaton_
    assert words.language is not None
    assert words.language.equals(automaton)


@pytest.mark.parametrize(
    "check",
    [
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimators_unfitted",
        "check_get_params_invariance",
        "check_mixin_order",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_set_params",
        "check_valid_tag_types",
    ],
)
def test_it_passes_those_of_scikit_learns_checks_that_ask_for_no_table(check):
    getattr(estimator_checks, check)("AutomatonExtractor", AutomatonExtractor())


def test_what_scikit_learn_checks_of_tables_holds_for_sequences(rows):
    X, y = rows
    given = deepcopy(X)
    for array in given:
        array.setflags(write=False)
    estimator = AutomatonExtractor(k=6)
    before = vars(estimator).copy()
    assert estimator.fit(given, y) is estimator
    assert {name: vars(estimator)[name] for name in before} == before
    assert {name for name in vars(estimator) if name not in before} == {
        "automaton_",
        "clustering_",
        "classes_",
    }
    answers = estimator.predict(X)
    assert (
        AutomatonExtractor(k=6).fit(X, y).automaton_
        == estimator.automaton_
        == estimator.fit(X, y).automaton_
    )
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(estimator)).predict(X), answers)  # noqa: S301
    np.testing.assert_array_equal(estimator.predict(X[::-1]), answers[::-1])
    np.testing.assert_array_equal(
        np.concatenate([estimator.predict([row]) for row in X[:20]]), answers[:20]
    )
    (alone,) = set(AutomatonExtractor(k=6).fit(X, np.zeros(len(X), int)).predict(X))
    assert alone == 0


def test_a_clone_has_the_same_parameters_and_is_not_fitted(network, flat):
    fitted = AutomatonExtractor(method="kmeans-x", k=5, network=network, weight=0.2).fit(*flat)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "automaton_")
    assert is_classifier(copy)


def test_a_grid_search_finds_a_k(rows):
    search = GridSearchCV(
        AutomatonExtractor(), {"k": [2, 8], "method": ["kmeans", "kmeans-x"]}, cv=3
    ).fit(*rows)
    assert search.best_params_["k"] == 8
    assert search.best_score_ > 0.9
    assert isinstance(search.best_estimator_.automaton_, lisor.Automaton)
    assert cross_val_score(AutomatonExtractor(k=8), *rows, cv=3).min() > 0.8


def test_answers_may_be_any_values(rows):
    X, y = rows
    named = AutomatonExtractor().fit(X, np.array(["no", "yes"])[y])
    assert set(named.predict(X)) == {"no", "yes"}
    assert named.automaton_.classes == ("no", "yes")
    assert named.score(X, np.array(["no", "yes"])[y]) == AutomatonExtractor().fit(X, y).score(X, y)


def test_what_does_not_fit_together_is_refused(flat, rows):
    states, symbols, lengths, outputs = flat
    for arguments in [
        (states[:-1], symbols, lengths, outputs),
        (states, symbols, lengths[:-1], outputs),
        (states, symbols, lengths, outputs[:-1]),
        ([1, 2], outputs),
        (rows[0], None),
        (np.full_like(states, np.nan), symbols, lengths, outputs),
        (states, symbols, lengths, outputs + 0.5),
        (states, symbols, lengths, np.full(len(outputs), np.nan)),
        (states, symbols + 0.5, lengths, outputs),
        (states, np.full(len(symbols), np.nan), lengths, outputs),
        ([row[:, 1:] for row in rows[0]], rows[1]),
        (["ab"] * len(rows[1]), rows[1]),
    ]:
        with pytest.raises(DataError):
            AutomatonExtractor().fit(*arguments)
    for parameters in [
        {"k": 1},
        {"k": "8"},
        {"k": [2, 8]},
        {"unseen": "loop"},
        {"rule": "refine"},
        {"method": "k-means"},
        {"k": 10**6},
        {"rule": "dynamics"},
        {"method": "sensitivity"},
        {"alphabet": ["0"]},
    ]:
        with pytest.raises(DataError):
            AutomatonExtractor(**parameters).fit(*flat)


def test_the_states_of_an_lstm_are_both_its_parts(words: Dataset):
    model, sequences = random_network("lstm", seed=1), words.splits["validation"].sequences
    points = hidden_states.collect(model, sequences)
    order, lengths = np.argsort(points.sequence, kind="stable"), sequences.lengths
    whole = np.concatenate([points.state, points.cell_state], axis=1)[order]
    estimator = AutomatonExtractor(k=4, rule="dynamics", network=model)
    automaton = estimator.fit(
        whole, points.symbol[order], lengths, np.zeros(len(lengths))
    ).automaton_
    ordered = hidden_states.Points(
        **{name: array[order] for name, array in vars(points).items() if array is not None}
    )
    (block,) = clustering.cluster(ordered, [4], method="kmeans", seed=0)
    expected = extract(model, ordered, block, rule="dynamics").automaton
    np.testing.assert_array_equal(automaton.transitions, expected.transitions)
    with pytest.raises(DataError, match="4 of its cell state"):
        estimator.fit(points.state[order], points.symbol[order], lengths, np.zeros(len(lengths)))


def test_a_rule_that_does_not_exist_is_refused(network, flat):
    with pytest.raises(DataError, match=r"rule .*minority"):
        AutomatonExtractor(rule="minority", network=network).fit(*flat)
