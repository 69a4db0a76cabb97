"""Networks and automata that answer after each symbol."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lisor
from lisor.automata.languages import LANGUAGES
from lisor.clustering.clustering import cluster
from lisor.data import symbols
from lisor.data.dataset import Dataset
from lisor.errors import DataError, DataWarning
from lisor.evaluation import baselines, references
from lisor.evaluation.evaluation import evaluate
from lisor.extraction import extraction
from lisor.extraction.extract import extract_grid
from lisor.extraction.limits import SearchLimits
from lisor.extraction.probes import Probes
from lisor.networks import hidden_states
from lisor.networks.trained import TrainedModel
from lisor.registry import METHODS, rules_of
from lisor.sequences import Sequences
from tests.conftest import train_quickly
from tests.strategies import automata, ragged_sequences


@pytest.fixture(scope="module")
def steps() -> Dataset:
    """Words over 0 and 1, each prefix labelled by whether it contains 000."""
    return lisor.words("000", max_length=12, target="step")


@pytest.fixture(scope="module")
def tagger(steps: Dataset) -> TrainedModel:
    """A network that says so after each symbol."""
    return train_quickly(steps)


# Data


def test_each_prefix_of_a_word_has_the_label_that_it_has_as_a_word(steps):
    language = LANGUAGES["000"].automaton
    for split in steps.splits.values():
        labels = iter(split.labels.tolist())
        for word in split.sequences:
            read = [str(symbol) for symbol in word]
            for end in range(1, len(read) + 1):
                assert next(labels) == language.accepts(read[:end])
        assert next(labels, None) is None


def test_a_dataset_of_steps_comes_back_from_its_file(steps, tmp_path):
    steps.write(tmp_path)
    read = Dataset.read(tmp_path)
    assert read.target == "step"
    for name, split in steps.splits.items():
        assert read.splits[name].labels.tolist() == split.labels.tolist()


def tagged(**columns: list[object]) -> pd.DataFrame:
    usual = {"symbols": [["a", "b"], ["b"], ["a", "a", "c"], ["b", "a"]] * 5}
    return pd.DataFrame(
        usual | {"labels": [list("XY"), ["Y"], list("XXX"), list("YX")] * 5} | columns
    )


def build(table: pd.DataFrame, **settings: object) -> Dataset:
    usual: dict[str, object] = {
        "order": None, "classes": None, "sizes": {}, "held_out": 0.3, "seed": 0
    }  # fmt: skip
    return symbols.build(table, **(usual | settings))


def test_a_column_of_labels_makes_a_tagger(tmp_path):
    tagged(
        symbols=["a b", "b", "a a c", "b a"] * 5, labels=["X Y", "Y", "X X X", "Y X"] * 5
    ).to_csv(tmp_path / "tagged.csv", index=False)
    for table in (tagged(), symbols.read_table(tmp_path / "tagged.csv")):
        dataset = build(table)
        assert (dataset.target, dataset.classes) == ("step", ("X", "Y"))
        for split in dataset.splits.values():
            expected = [dataset.alphabet[symbol] == "b" for symbol in split.sequences.symbols]
            assert split.labels.tolist() == expected


def test_labels_that_do_not_fit_the_symbols_are_refused():
    with pytest.raises(DataError, match=r"found 1 labels for 2 symbols in row 1$"):
        build(tagged(labels=[["X"], ["Y"], list("XXX"), list("YX")] * 5))


def test_two_columns_of_labels_need_a_word_which_one_counts():
    table = tagged(label=["X", "Y", "X", "Y"] * 5)
    with pytest.raises(DataError, match=r"both columns 'label' and 'labels'"):
        build(table)
    with pytest.warns(DataWarning, match="'labels' is not read"):
        assert build(table, target="class").target == "class"
    with pytest.warns(DataWarning, match="'label' is not read"):
        assert build(table, target="step").target == "step"


def test_a_target_without_its_column_is_refused():
    with pytest.raises(DataError, match="expected a column 'label' beside 'symbols'"):
        build(tagged(), target="class")


def test_rare_symbols_are_unknown_ones_and_said():
    with pytest.warns(DataWarning, match="1 of 3 symbols occur less than 5 times in training"):
        dataset = build(tagged(symbols=[["a", "b"], ["b"], ["a", "a", "a"], ["b", "a"]] * 4
            + [["a", "b"], ["b"], ["a", "a", "c"], ["b", "a"]]), min_count=5)  # fmt: skip
    assert (dataset.alphabet.symbols, dataset.alphabet.unknown) == (("<unk>", "a", "b"), 0)


def test_what_needs_no_network_is_counted_on_training_alone():
    dataset = build(tagged())
    assert references.by_last_symbol(dataset) == 1.0
    usual, share = references.most_frequent(dataset)
    test = dataset.splits["test"].labels
    assert share == (test == dataset.classes.index(usual)).mean()


# Networks and automata


def test_a_tagger_is_read_exactly(tagger, steps):
    automaton = lisor.extract(tagger, steps)
    assert automaton.target == "step"
    assert LANGUAGES["000"].equals(automaton)
    assert automaton.n_states == 4


def test_a_network_answers_each_prefix_as_it_steps(tagger, steps):
    words = steps.splits["test"].sequences.select(np.arange(20))
    answers = iter(tagger.predict(words))
    for word in words:
        state = tagger.initial_state()
        for symbol in word.tolist():
            state = tagger.step(state, symbol)
            np.testing.assert_allclose(
                next(answers), tagger.probabilities(state[0][0].numpy())[0], atol=1e-5
            )


@pytest.mark.parametrize("method", METHODS)
def test_every_method_and_rule_reads_a_tagger(method, tagger, steps, tmp_path):
    points = hidden_states.collect(tagger, steps.splits["validation"].sequences)
    clusterings = cluster(points, [6], method=method, network=tagger, seed=0)
    limits = SearchLimits(most_states=20, steps=3_000_000)
    rules = rules_of(tagger.target, reads_numbers=False)
    found = list(
        extract_grid(tagger, points, clusterings, rules, limits=limits, probes=Probes.of(steps))
    )
    extraction.write(found, tmp_path)
    splits = {name: steps.splits[name] for name in ("selection", "test")}
    answers = {name: hidden_states.predictions_on(tagger, split) for name, split in splits.items()}
    rows = evaluate(extraction.read(tmp_path), splits, answers, steps.language)
    assert [row.rule for row in rows[::2]] == rules
    for row, one in zip(rows[1::2], found, strict=True):
        split = splits["test"]
        assert (row.target, row.n) == ("step", len(split.labels))
        predictions = one.automaton.classify(split.sequences)
        assert row.accuracy == pytest.approx((predictions == split.labels).mean())
        assert row.fidelity == pytest.approx((predictions == answers["test"].predictions).mean())
    refined = next(row for row in rows if row.rule == "refined")
    assert (refined.exact, refined.fidelity) == (True, 1.0)


def test_a_tagger_with_attention_is_read_by_the_rule_of_the_paper(steps):
    network = lisor.train(steps, cell="attention-gru", hidden_size=6)
    points = hidden_states.collect(network, steps.splits["validation"].sequences)
    clusterings = cluster(points, [8], method="kmeans", seed=0)
    (found,) = extract_grid(network, points, clusterings, ["majority"], limits=SearchLimits())
    assert found.automaton.target == "step"


@pytest.mark.parametrize("method", ["lstar", "kv", "rpni"])
def test_other_learners_read_a_tagger(method, tagger, steps):
    pytest.importorskip("aalpy")
    words = steps.splits["validation"].sequences
    learned = baselines.learn(tagger, words, method=method, seed=0, budget=200_000)
    assert learned.automaton is not None
    assert learned.automaton.target == "step"
    answers = tagger.predict(words).argmax(axis=1)
    assert (learned.automaton.classify(words) == answers).mean() > 0.99


# The empty word, which is no position


@given(automata(classes=3), st.data())
def test_the_smallest_automaton_may_answer_the_empty_word_as_it_likes(automaton, data):
    machine = replace(automaton, target="step")
    smallest = machine.minimized()
    words = data.draw(ragged_sequences(symbols=len(machine.alphabet)))
    assert smallest.classify(words).tolist() == machine.classify(words).tolist()
    assert smallest.n_states <= automaton.minimized().n_states
    outputs = np.tile(machine.outputs, (3, 1))
    outputs[:, machine.start] = range(3)
    if not (machine.transitions[machine.reachable()] == machine.start).any():
        least = min(replace(automaton, outputs=row).minimized().n_states for row in outputs)
        assert smallest.n_states == least


@given(
    automata(alphabet=("0", "1"), classes=2, max_states=4),
    automata(alphabet=("0", "1"), classes=2, max_states=4),
)
def test_a_word_that_tells_steps_apart_is_a_shortest_one_but_never_empty(one, other):
    one, other = (replace(machine, target="step") for machine in (one, other))
    word = one.distinguishing_word(other)
    longest = one.n_states * other.n_states if word is None else len(word) - 1
    words = [word for n in range(1, min(longest, 8) + 1) for word in product(range(2), repeat=n)]
    shorter = Sequences.from_lists(words)
    assert (one.classify(shorter) == other.classify(shorter)).all()
    if word is not None:
        both = Sequences.from_lists([one.encode(word)])
        assert one.classify(both)[-1] != other.classify(both)[-1]
