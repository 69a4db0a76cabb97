"""Networks and automata that predict the next symbol."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lisor
from lisor.automata.automaton import Automaton
from lisor.automata.distributions import Distributions
from lisor.automata.pdfa import complete, make_pdfa
from lisor.clustering.clustering import cluster
from lisor.data import symbols
from lisor.data.dataset import Dataset
from lisor.errors import AutomatonError, ConfigError, DataError, DataWarning
from lisor.evaluation import baselines, choice
from lisor.evaluation.evaluation import evaluate
from lisor.extraction import extraction
from lisor.extraction.extract import extract
from lisor.extraction.extraction import Extraction
from lisor.extraction.view import View
from lisor.networks import hidden_states
from lisor.networks.hidden_states import Predictions
from lisor.networks.trained import TrainedModel
from lisor.registry import METHODS, RULES, rules_of
from lisor.sequences import Sequences
from lisor.settings.experiment import Experiment
from lisor.settings.symbols import SymbolsSettings
from lisor.targets.next import END, is_after
from lisor.targets.positions import Positions
from tests.conftest import train_quickly
from tests.strategies import ragged_sequences

FITTING = tuple(rules_of("next", reads_numbers=False))


@pytest.fixture
def words(members: Dataset) -> Dataset:
    return members


@pytest.fixture
def model(language_model: TrainedModel) -> TrainedModel:
    return language_model


# Data


def test_words_are_members_of_the_language_and_their_labels_what_follows(words):
    assert words.classes == ("a", "b", "c", END)
    assert words.language is None
    for split in words.splits.values():
        labels = iter(split.labels.tolist())
        for word in split.sequences:
            text = "".join("abc"[symbol] for symbol in word)
            assert text.replace("ab", "").replace("c", "") == ""
            assert len(word) <= 16
            assert [next(labels) for _ in range(len(word) + 1)] == [*word.tolist(), 3]
        assert next(labels, None) is None


def test_a_language_whose_words_are_all_longer_is_refused():
    with pytest.raises(DataError, match=r"raise dataset.max_length"):
        lisor.words("regex:a{12}", alphabet="ab", target="next", max_length=5)


def test_every_prefix_is_a_position():
    positions = Positions.of(Sequences.from_lists([[0, 1], [], [1]]), "next")
    assert positions.counts.tolist() == [3, 1, 2]
    assert positions.sequence.tolist() == [0, 0, 0, 1, 2, 2]
    assert positions.read.tolist() == [0, 1, 2, 0, 0, 1]


def test_a_dataset_comes_back_from_its_file(words, tmp_path):
    words.write(tmp_path)
    again = Dataset.read(tmp_path)
    assert (again.target, again.classes) == ("next", words.classes)
    for name, split in words.splits.items():
        assert again.splits[name].labels.tolist() == split.labels.tolist()


def table_of(texts: list[str], **columns: list) -> pd.DataFrame:
    return pd.DataFrame({"symbols": [list(text) for text in texts]} | columns)


def build(table: pd.DataFrame, **settings) -> Dataset:
    made = SymbolsSettings(symbols="some.csv", target="next", **settings)
    return symbols.build(
        table,
        order=made.order,
        classes=made.classes,
        sizes=made.sizes,
        held_out=made.held_out,
        seed=made.seed,
        target=made.target,
        min_count=made.min_count,
    )


def test_a_file_of_sequences_needs_no_labels():
    dataset = build(table_of(["ab", "ba", "aab", "b", "", "abab"] * 10))
    assert dataset.classes == ("a", "b", END)
    with pytest.warns(DataWarning, match="'label' is not read"):
        labelled = build(table_of(["ab", "ba", "aab", "b", "", "abab"] * 10, label=["x"] * 60))
    assert labelled.classes == dataset.classes


def test_a_symbol_with_the_name_of_the_end_is_refused():
    table = pd.DataFrame({"symbols": [["a", END], [END, "a"]] * 10})
    with pytest.raises(DataError, match=f"other than {END}"):
        build(table)


def test_more_probabilities_than_fit_into_memory_are_refused():
    word = Sequences.from_lists([[0] * 1000])
    with pytest.raises(DataError, match=r"1,001 positions of 1,000,001 each; raise dataset"):
        Dataset.of_next(map(str, range(1_000_000)), {"train": word})


# Networks


def test_predictions_are_distributions_after_every_prefix(model, words):
    test = words.splits["test"]
    probabilities = model.predict(test.sequences)
    assert probabilities.shape == (test.positions.count, 4)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    state, first = model.initial_state(), next(word for word in test.sequences if len(word) > 2)
    row = test.sequences.select(np.flatnonzero([len(word) > 2 for word in test.sequences])[:1])
    for step, symbol in enumerate([*first.tolist(), None]):
        np.testing.assert_allclose(
            model.probabilities(state[0][0].numpy())[0], model.predict(row)[step], atol=1e-5
        )
        if symbol is not None:
            state = model.step(state, symbol)


def test_short_sequences_do_not_count_more_than_long_ones():
    """Batches hold sequences of like length: with a mean a batch, the end after no symbol would
    count as much as all that happens in the long ones."""
    rng = np.random.default_rng(0)
    lists = [[] if rng.random() < 0.3 else rng.integers(2, size=30).tolist() for _ in range(600)]
    parts = {name: Sequences.from_lists(lists) for name in ("train", "validation", "selection")}
    data = Dataset.of_next(("0", "1"), {**parts, "test": parts["train"]})
    model = train_quickly(data, hidden_size=6)
    share = float(np.mean([not word for word in lists]))
    ended = model.predict(Sequences.from_lists([[]]))[0, -1]
    assert ended == pytest.approx(share, abs=0.06)


# Automata


def extractions_of(model: TrainedModel, words: Dataset, method: str, k: int) -> list[Extraction]:
    points = hidden_states.collect(model, words.splits["validation"].sequences)
    (found,) = cluster(points, [k], method=method, network=model, seed=0)
    view = View(network=model, points=points, clustering=found, unseen="stay")
    return extract(view, FITTING)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_and_fitting_rule_reads_distributions(model, words, method, tmp_path):
    found = extractions_of(model, words, method, 5)
    assert [one.rule for one in found] == list(FITTING)
    splits = {name: words.splits[name] for name in ("selection", "test")}
    predictions = {
        name: hidden_states.predictions_on(model, split) for name, split in splits.items()
    }
    rows = evaluate(found, splits, predictions)
    for row in rows:
        assert row.perplexity >= 1
        assert 0 <= row.total_variation <= 1
        assert row.divergence >= row.total_variation**2 * 2 - 1e-9
    extraction.write(found, tmp_path)
    for one, again in zip(found, extraction.read(tmp_path), strict=True):
        test = words.splits["test"].sequences
        own, read = (Distributions.of(each.automaton, test) for each in (one, again))
        assert own.total_variation(read).max() == 0
        assert one.seen.tolist() == again.seen.tolist()


@pytest.mark.parametrize("k", [2, 3, 9])
def test_a_state_predicts_what_the_network_does_on_average_where_the_automaton_goes(
    model, words, k
):
    fitted = words.splits["validation"].sequences
    fitted = fitted.select(np.flatnonzero(fitted.lengths))
    expected = model.predict(fitted)
    for one in extractions_of(model, words, "kmeans", k):
        if isinstance(one.automaton, Automaton):
            states = one.automaton.prefix_states(fitted, one.automaton.trace(fitted))
            for state in np.unique(states).tolist():
                mean = expected[states == state].mean(axis=0)
                np.testing.assert_allclose(one.automaton.distributions[state], mean, atol=1e-5)


def test_figures_are_those_of_their_definitions(model, words):
    (one, *_) = extractions_of(model, words, "decision-aware", 4)
    split = words.splits["test"]
    predictions = hidden_states.predictions_on(model, split)
    (row,) = evaluate([one], {"test": split}, {"test": predictions})
    automaton, at = one.deterministic, 0
    logs, apart = [], []
    for word in split.sequences:
        state = automaton.start
        for symbol in [*word.tolist(), 3]:
            shares = automaton.probabilities[state]
            logs.append(np.log(shares[symbol]))
            apart.append(np.abs(shares - predictions.probabilities[at]).sum() / 2)
            state = automaton.transitions[state, symbol] if symbol < 3 else state
            at += 1
    assert row.perplexity == pytest.approx(np.exp(-np.mean(logs)))
    assert row.total_variation == pytest.approx(np.mean(apart))


def test_the_automaton_of_a_language_model_has_the_states_of_its_language(model, words):
    automaton = lisor.extract(model, words)
    assert automaton.n_states == 2
    after_a = automaton.transitions[automaton.start, 0]
    assert automaton.probabilities[after_a, 1] > 0.99
    assert automaton.transitions[after_a, 1] == automaton.start
    assert automaton.transitions[automaton.start, 2] == automaton.start
    drawn = lisor.extract(model, words)
    assert drawn == automaton


def test_rules_that_compare_classes_say_so(model, words):
    points = hidden_states.collect(model, words.splits["validation"].sequences)
    (found,) = cluster(points, [3], method="kmeans", network=model, seed=0)
    view = View(network=model, points=points, clustering=found)
    for rule in sorted(set(RULES) - set(FITTING)):
        with pytest.raises(AutomatonError, match=f"the rule {rule!r} is not for gru"):
            extract(view, [rule])
    with pytest.raises(AutomatonError, match="no distributions over the next symbol"):
        extract(view, ["majority"])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_the_smallest_automaton_within_the_tolerance_is_chosen(nats):
    table = pd.DataFrame(
        [
            ("kmeans", "majority", k, name, 0.5, k, True, value)
            for k, value in enumerate(nats, 2)
            for name in ("selection", "test")
        ],
        columns=[
            "method", "rule", "k", "test_set", "fidelity", "n_states", "deterministic",
            "divergence",
        ],
    ).assign(r2_network=None)  # fmt: skip
    tolerance = choice.default_tolerance(("a", END), "next")
    chosen = choice.choose(table, tolerance=tolerance)
    (k,) = chosen.loc[chosen["selected"], "k"]
    allowed = min(nats) + tolerance + 1e-9
    assert k - 2 == next(at for at, value in enumerate(nats) if value <= allowed)


def test_alergia_learns_a_pdfa_from_sequences(model, words):
    pytest.importorskip("aalpy")
    train, test = words.splits["train"].sequences, words.splits["test"]
    learned = baselines.learn(model, train, method="alergia", seed=0, budget=0)
    assert learned.unfinished is None
    own = Distributions.of(learned.automaton, test.sequences)
    network = Distributions.rows(model.predict(test.sequences))
    assert own.total_variation(network).mean() < 0.1


# Settings


def study(**settings) -> dict:
    return {"datasets": [{"language": "000", "target": "next"}]} | settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"extraction": {"rules": ["refined"]}}, "the others are for classes"),
        ({"extraction": {"unseen": "reject"}}, "must be stay"),
        ({"extraction": {"baselines": ["kv"]}}, "some of alergia"),
    ],
)
def test_settings_that_language_models_have_no_use_for_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Experiment(**study(**settings))


def test_alergia_is_for_language_models():
    with pytest.raises(ConfigError, match="some of lstar"):
        Experiment(datasets=[{"language": "000"}], extraction={"baselines": ["alergia"]})


def test_classes_of_a_language_model_are_its_symbols():
    with pytest.raises(ConfigError, match=r"dataset.classes are the symbols and the end"):
        SymbolsSettings(symbols="some.csv", target="next", classes=("a", "b"))


def test_the_json_of_its_automaton_says_what_it_predicts(model, words):
    about = json.loads(lisor.extract(model, words).to_json())
    assert about["target"] == "next"
    assert np.array(about["probabilities"]).shape == (2, 4)


# Translations


@given(ragged_sequences())
def test_prefixes_after_a_separator_are_those_that_have_read_it(sequences):
    expected = [0 in word[:read].tolist() for word in sequences for read in range(len(word) + 1)]
    assert is_after(sequences, 0).tolist() == expected


@given(st.integers(0, 1000))
def test_an_exact_match_is_what_greedy_decoding_gives(seed):
    rng = np.random.default_rng(seed)
    table = rng.integers(4, size=(4, 3))
    automaton = make_pdfa("ab⇒", table, rng.dirichlet(np.ones(4), size=4))
    pairs = [
        (rng.integers(2, size=rng.integers(4)), rng.integers(2, size=rng.integers(3)))
        for _ in range(20)
    ]
    words = Sequences.from_lists([[*source, 2, *target] for source, target in pairs])
    data = Dataset.of_next("ab⇒", {"test": words})
    shares = rng.dirichlet(np.ones(4), size=len(data.splits["test"].labels))
    predictions = Predictions(
        labels=data.splits["test"].labels,
        predictions=data.splits["test"].labels,
        probabilities=shares.astype(np.float32),
    )
    seen = np.ones(table.shape, bool)
    read = Extraction(method="m", rule="r", k=3, automaton=automaton, seen=seen)
    (row,) = evaluate([read], data.splits, {"test": predictions}, separator=2)
    prefixes = Sequences.from_lists([[*source, 2] for source, _ in pairs])
    drawn, ended = complete(automaton, prefixes, max_length=9)
    right = [
        ended[at] and drawn[at].tolist() == target.tolist() for at, (_, target) in enumerate(pairs)
    ]
    assert row.exact_match == np.mean(right)
    assert row.rnn_exact_match == 1
    (other,) = evaluate([read], data.splits, {"test": predictions})
    assert other.exact_match is other.rnn_exact_match is None
