"""Networks that predict numbers, and their automata."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from lisor.clustering.clustering import cluster
from lisor.clustering.features import predictive
from lisor.data.dataset import Dataset, Split
from lisor.data.series import build
from lisor.errors import AutomatonError, ConfigError, DataError
from lisor.evaluation.evaluation import evaluate
from lisor.evaluation.numbers import naive, r2
from lisor.extraction import extraction
from lisor.extraction.extract import extract
from lisor.extraction.view import View
from lisor.networks import hidden_states
from lisor.networks.trained import TrainedModel
from lisor.networks.training import train
from lisor.registry import METHODS, rules_of
from lisor.sequences import Sequences
from lisor.settings.experiment import Experiment
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings
from tests.data.test_forecasts import HOW

RULES = ["majority", "dynamics", "dithered", "intervals", "closed-loop"]


@pytest.fixture(scope="module")
def waves() -> Dataset:
    """A series of two values that change places every five steps, forecast a step ahead."""
    steps = np.arange(900)
    series = np.where(steps // 5 % 2, 130.0, 70.0)[:, None]
    series += np.random.default_rng(0).normal(0, 2, series.shape)
    table = pd.DataFrame({"series": pd.Series([series], dtype=object)})
    how = HOW | {"symbol_count": 6}
    return build(table, target="number", horizon=1, sequence_length=45, **how)


@pytest.fixture(scope="module")
def model(waves: Dataset) -> TrainedModel:
    """A network that counts to five."""
    settings = TrainingSettings(max_epochs=60, patience=15, batch_size=8)
    (network,) = train(
        waves, cell="gru", models=ModelsSettings(hidden_size=12), settings=settings, trials=[0]
    )
    return network


@pytest.fixture(scope="module")
def view(waves: Dataset, model: TrainedModel) -> View:
    points = hidden_states.collect(model, waves.splits["validation"].sequences)
    (clustering,) = cluster(points, [20], method="kmeans", seed=0)
    return View(network=model, points=points, clustering=clustering, unseen="stay")


# Data


def test_a_dataset_of_numbers_comes_back_from_its_file(waves, tmp_path):
    waves.write(tmp_path)
    again = Dataset.read(tmp_path)
    assert (again.target, again.classes) == ("number", waves.classes)
    for name, split in waves.splits.items():
        np.testing.assert_array_equal(again.splits[name].labels, split.labels)


@pytest.mark.parametrize("labels", [np.zeros((3, 2)), np.full((3, 1), np.nan)])
def test_numbers_that_do_not_fit_their_names_are_refused(labels):
    split = Split(sequences=Sequences.from_lists([[0, 1, 0]]), labels=labels, target="number")
    with pytest.raises(DataError, match="1 finite number"):
        Dataset(alphabet=("a", "b"), classes=("rain",), splits={"train": split})


def test_there_is_a_row_of_numbers_for_each_position():
    with pytest.raises(DataError, match="3 steps need as many labels"):
        Split(sequences=Sequences.from_lists([[0, 1, 0]]), labels=np.zeros((2, 1)), target="number")


# Networks


def test_a_network_learns_to_forecast_in_the_units_of_the_series(waves, model):
    test = waves.splits["test"]
    predicted = model.predict(test.sequences)
    assert r2(test.labels, predicted) > 0.85
    assert 60 < predicted.min() < 80 < 120 < predicted.max() < 140
    assert model.history["validation_r2"][model.best_epoch] > 0.85
    assert "validation_accuracy" not in model.history


def test_a_network_of_numbers_comes_back_from_its_files(waves, model, tmp_path):
    model.write(tmp_path)
    words = waves.splits["test"].sequences
    np.testing.assert_array_equal(TrainedModel.read(tmp_path).predict(words), model.predict(words))


def test_the_numbers_are_read_out_at_the_states(waves, model):
    words = waves.splits["test"].sequences
    points = hidden_states.collect(model, words)
    order = np.lexsort([points.step, points.sequence])
    np.testing.assert_allclose(
        model.probabilities(points.state[order]), model.predict(words), rtol=1e-5
    )
    np.testing.assert_array_equal(points.numbers[order], words.numbers)


def test_predictions_of_numbers_come_back_from_a_dump(waves, model, tmp_path):
    hidden_states.dump(model, waves, tmp_path)
    known = hidden_states.HiddenStates(folder=tmp_path).predictions()["test"]
    np.testing.assert_array_equal(known.labels, waves.splits["test"].labels)
    np.testing.assert_array_equal(known.probabilities, known.predictions)


# Automata


def test_states_are_compared_by_the_numbers_after_probes_in_deviations(waves, model, view):
    points = view.points
    method = METHODS["predictive"]("predictive")
    features = method.features(points, model).points
    assert features.shape == (len(points.step), predictive.PROBES)
    np.testing.assert_allclose(features[:, 0].std(), 1, rtol=1e-4)
    probes = predictive._probes(points.in_order(), predictive.PROBES)
    read = probes.select(np.ones(len(points.step), int))
    assert read.numbers is not None
    after = model.predict_from(points.parts(), read)
    deviation = model.probabilities(points.state).std()
    np.testing.assert_allclose(features[:, 1], after[:, 0] / deviation, rtol=1e-4)
    (clustering,) = cluster(points, [20], method="predictive", network=model, seed=0)
    (made,) = extract(replace(view, clustering=clustering), ["dynamics"])
    test = waves.splits["test"]
    numbers = made.automaton.numbers_at(test.sequences, made.automaton.trace(test.sequences))
    assert r2_score(model.predict(test.sequences), numbers) > 0.9


@pytest.mark.parametrize("rule", RULES)
def test_an_automaton_forecasts_as_its_network_does(waves, model, view, rule):
    (made,) = extract(view, [rule])
    test = waves.splits["test"]
    predictions = {"test": hidden_states.predictions_on(model, test)}
    (row,) = evaluate([made], {"test": test}, predictions)
    assert row.accuracy is None
    assert row.fidelity is None
    assert row.r2_network > (0.9 if rule == "closed-loop" else 0.2)
    network = predictions["test"].probabilities
    assert row.rnn_r2 == pytest.approx(r2_score(test.labels, network))
    numbers = made.automaton.numbers_at(test.sequences, made.automaton.trace(test.sequences))
    assert row.r2 == pytest.approx(r2_score(test.labels, numbers))
    assert row.r2_network == pytest.approx(r2_score(network, numbers))


@pytest.mark.parametrize("rule", RULES)
def test_a_transition_has_the_mean_of_the_numbers_where_the_automaton_goes(view, rule):
    (made,) = extract(view, [rule])
    automaton, points = made.automaton, view.points
    symbols = automaton.alphabet.quantizer.symbols(points.numbers)
    numbers = view.network.probabilities(points.state)
    visits: dict[tuple[int, int], list[float]] = {}
    after = automaton.start
    for row, (step, symbol) in enumerate(zip(points.step, symbols, strict=True)):
        state = automaton.start if step == 1 else after
        visits.setdefault((int(state), int(symbol)), []).append(float(numbers[row, 0]))
        after = automaton.transitions[state, symbol]
    for (state, symbol), seen in visits.items():
        assert automaton.values[state, symbol, 0] == pytest.approx(np.mean(seen), rel=1e-5)


def test_automata_of_numbers_come_back_from_their_file(view, tmp_path):
    made = extract(view, RULES)
    extraction.write(made, tmp_path)
    again = list(extraction.read(tmp_path))
    assert [one.automaton for one in again] == [one.automaton for one in made]
    assert len({one.automaton.alphabet.symbols for one in again}) == 2


def test_rules_that_ask_for_classes_are_refused(view):
    assert rules_of("number", reads_numbers=True) == RULES
    with pytest.raises(AutomatonError, match="and predicts numbers; use one of majority, dynamics"):
        extract(view, ["refined"])
    with pytest.raises(AutomatonError, match="use one of"):
        extract(view, ["weighted"])


# Settings and measures


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"rules": ["weighted", "dynamics"]}, "must be some of majority, dynamics"),
        ({"unseen": "reject"}, "must be stay"),
        ({"baselines": ["lstar"]}, "baselines must be empty"),
    ],
)
def test_settings_that_ask_for_classes_are_refused(section, says):
    forecast = {"series": "aeon:KDD-TSAD_135", "target": "number", "horizon": 2}
    with pytest.raises(ConfigError, match=says):
        Experiment(name="forecast", datasets=[forecast], extraction=section)


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=2, max_size=20))
def test_r2_is_that_of_a_plain_sum(pairs):
    true, predicted = (np.array(column, float)[:, None] for column in zip(*pairs, strict=True))
    spread = np.square(true - true.mean()).sum()
    if spread:
        expected = 1 - np.square(true - predicted).sum() / spread
        assert r2(true, predicted) == pytest.approx(expected)


def test_r2_of_one_position_is_not_known():
    assert np.isnan(r2(np.ones((1, 1)), np.ones((1, 1))))


def test_the_simple_forecast_is_the_last_value(waves):
    name, numbers = naive(waves)
    assert name == "The last value, once more"
    test = waves.splits["test"]
    first = test.sequences.lengths[0]
    np.testing.assert_allclose(numbers[1:first], test.labels[: first - 1], rtol=1e-5)
