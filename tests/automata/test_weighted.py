import zipfile
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.alphabet import Alphabet
from lisor.automata import weighted
from lisor.automata.weighted import WeightedAutomaton
from lisor.errors import AutomatonError, SchemaError
from lisor.sequences import Sequences
from tests.strategies import automata, ragged_sequences, weighted_automata


def distribution(automaton: WeightedAutomaton, state: int, symbol: int) -> np.ndarray:
    """The probability of each next state of one (state, symbol)."""
    counts = np.zeros(automaton.n_states)
    for q, a, r, n in zip(
        automaton.source, automaton.symbol, automaton.target, automaton.count, strict=True
    ):
        if (q, a) == (state, symbol):
            counts[r] += n
    if counts.sum() == 0:
        counts[automaton.fallback[state, symbol]] = 1
    return counts / counts.sum()


def propagate(automaton: WeightedAutomaton, word: list[int]) -> np.ndarray:
    """P(class) after one word, carried on symbol by symbol and state by state."""
    carried = np.eye(automaton.n_states)[automaton.start]
    for symbol in word:
        carried = sum(
            carried[q] * distribution(automaton, q, symbol) for q in range(automaton.n_states)
        )
    return carried @ automaton.class_probabilities


@given(weighted_automata(symbols=2), ragged_sequences())
def test_probabilities_are_those_of_a_plain_loop_and_sum_to_one(automaton, sequences):
    probabilities = automaton.probabilities(sequences)
    assert probabilities.shape == (len(sequences), len(automaton.classes))
    for row, word in zip(probabilities, sequences, strict=True):
        np.testing.assert_allclose(row, propagate(automaton, word.tolist()), atol=1e-5)
        assert row.sum() == pytest.approx(1, abs=1e-5)


@given(automata(alphabet=("0", "1")), ragged_sequences(), st.data())
def test_where_nothing_is_uncertain_it_answers_as_the_deterministic_automaton(
    automaton, sequences, data
):
    pairs = [(q, a) for q in range(automaton.n_states) for a in range(2)]
    counts = data.draw(st.lists(st.integers(0, 9), min_size=len(pairs), max_size=len(pairs)))
    occurred = [
        (q, a, automaton.transitions[q, a], n) for (q, a), n in zip(pairs, counts, strict=True) if n
    ]
    source, symbol, target, count = np.array(occurred, np.int64).reshape(-1, 4).T
    elsewhere = np.zeros_like(automaton.transitions)
    never = np.array(counts).reshape(elsewhere.shape) == 0
    certain = WeightedAutomaton(
        alphabet=automaton.alphabet,
        classes=automaton.classes,
        fallback=np.where(
            never, automaton.transitions, elsewhere
        ),  # not looked at where something occurred
        source=source,
        symbol=symbol,
        target=target,
        count=count,
        class_probabilities=np.eye(len(automaton.classes), dtype=np.float32)[automaton.outputs],
        start=automaton.start,
    )
    assert certain.classify(sequences).tolist() == automaton.classify(sequences).tolist()
    assert set(np.unique(certain.probabilities(sequences))) <= {0, 1}


COIN: dict[str, Any] = {
    "alphabet": ("0", "1"),
    "classes": ("reject", "accept"),
    "fallback": np.array([[0, 1], [1, 1]]),
    "source": np.array([0, 0]),
    "symbol": np.array([0, 0]),
    "target": np.array([0, 1]),
    "count": np.array([3, 1]),
    "class_probabilities": np.array([[1, 0], [0.2, 0.8]], np.float32),
}
"""On 0, state 0 stays three times of four and else goes to state 1, which nothing leaves and which
mostly accepts."""


@pytest.mark.parametrize(
    ("word", "accepting"),
    [([], 0), ([0], 0.2), ([0, 0], 0.35), ([1], 0.8), ([0, 1], 0.8), ([0, 0, 0], 0.4625)],
)
def test_an_example_worked_by_hand(word, accepting):
    """After n times 0 the state is still 0 with probability (3/4)ⁿ."""
    (probabilities,) = WeightedAutomaton(**COIN).probabilities(Sequences.from_lists([word]))
    np.testing.assert_allclose(probabilities, [1 - accepting, accepting], rtol=1e-6)


@given(weighted_automata(), st.integers(0, 4))
def test_the_empty_sequence_is_answered_from_the_start(automaton, count):
    probabilities = automaton.probabilities(Sequences.from_lists([[]] * count))
    assert probabilities.shape == (count, len(automaton.classes))
    assert (probabilities == automaton.class_probabilities[automaton.start]).all()


def test_a_tie_goes_to_the_class_of_the_lower_index():
    even = WeightedAutomaton(
        **COIN | {"class_probabilities": np.array([[0.5, 0.5], [0.5, 0.5]], np.float32)}
    )
    assert even.classify(Sequences.from_lists([[], [0], [1, 0]])).tolist() == [0, 0, 0]


@given(weighted_automata(symbols=2), ragged_sequences())
def test_each_sequence_is_answered_as_if_it_were_alone(automaton, sequences):
    for row, expected in enumerate(automaton.probabilities(sequences)):
        (alone,) = automaton.probabilities(sequences.select(np.array([row])))
        np.testing.assert_allclose(alone, expected, atol=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"alphabet": ("0",)},
        {"classes": ("reject", "accept", "other")},
        {"fallback": np.array([[0, 1]])},
        {"fallback": np.array([[0], [1]])},
        {"class_probabilities": np.ones((3, 2), np.float32)},
    ],
)
def test_tables_of_the_wrong_shape_are_refused(wrong):
    with pytest.raises(AutomatonError, match="expected tables of"):
        WeightedAutomaton(**COIN | wrong)


# What is written


def read_back(automaton: WeightedAutomaton, path) -> WeightedAutomaton:
    automaton.write(path)
    return WeightedAutomaton.read(path)


@given(automaton=weighted_automata())
def test_a_weighted_automaton_is_read_as_it_was_written(tmp_path_factory, automaton):
    read = read_back(automaton, tmp_path_factory.getbasetemp() / "weighted.npz")
    for field in fields(WeightedAutomaton):
        one, two = getattr(read, field.name), getattr(automaton, field.name)
        np.testing.assert_array_equal(one, two)
        assert type(one) is type(two)


def test_the_file_holds_no_pickled_objects(tmp_path):
    WeightedAutomaton(**COIN).write(tmp_path / "weighted.npz")
    with np.load(tmp_path / "weighted.npz", allow_pickle=False) as file:
        assert {file[name].dtype.kind for name in file.files} <= set("iufU")
    assert all(
        name.endswith(".npy") for name in zipfile.ZipFile(tmp_path / "weighted.npz").namelist()
    )


def test_the_same_automaton_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        WeightedAutomaton(**COIN).write(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_another_schema_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(weighted, "SCHEMA", 99)
    WeightedAutomaton(**COIN).write(tmp_path / "weighted.npz")
    monkeypatch.undo()
    with pytest.raises(SchemaError, match=f"schema {weighted.SCHEMA}, got 99"):
        WeightedAutomaton.read(tmp_path / "weighted.npz")


def test_an_unknown_symbol_and_a_tokenizer_are_kept(tmp_path):
    text = Alphabet(symbols=tuple(COIN["alphabet"]), unknown=0, tokenizer="words")
    automaton = replace(WeightedAutomaton(**COIN), alphabet=text)
    read = read_back(automaton, tmp_path / "weighted.npz")
    assert read.alphabet == text
