import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.errors import DataError
from lisor.explain.steps import check_position, differentiable, read_raw, read_steps
from lisor.networks.external.stepped import SteppedNetwork
from lisor.networks.trained import TrainedModel
from lisor.quantizer import Quantizer
from lisor.registry import network_names
from lisor.sequences import Sequences
from lisor.targets.positions import Positions
from lisor.tokenizer import TOKENIZER
from tests.conftest import random_network
from tests.explain.conftest import Counter, machine, with_target
from tests.strategies import automata


def reader_of_text() -> TrainedModel:
    model = random_network(symbols=3)
    return TrainedModel(
        architecture=model.architecture,
        weights=model.weights,
        alphabet=Alphabet(symbols=("<unk>", "good", "bad"), unknown=0, tokenizer=TOKENIZER),
        classes=model.classes,
        seed=0,
        history={},
        best_epoch=0,
    )


@pytest.mark.parametrize("cell", tuple(network_names()))
@settings(max_examples=15)
@given(
    automata(alphabet=("0", "1", "2"), classes=2),
    st.lists(st.integers(0, 2), min_size=1, max_size=6),
)
def test_steps_are_those_of_every_prefix(cell: str, automaton: Automaton, word: list[int]) -> None:
    model = random_network(cell, symbols=3)
    found = read_steps(
        model, model.differentiable(), automaton, Sequences.from_lists([word]), label=1
    )
    prefixes = Sequences.from_lists([word[:length] for length in range(len(word) + 1)])
    probabilities = model.predict(prefixes)
    np.testing.assert_allclose(found.network_values, probabilities[:, found.explained], atol=1e-5)
    assert list(found.predictions) == probabilities.argmax(axis=1).tolist()
    assert list(found.states) == automaton.run(prefixes).tolist()
    assert list(found.outputs) == automaton.classify(prefixes).tolist()
    assert found.explained == int(np.argmax(probabilities[-1]))
    assert (found.read, found.method) == (len(word), "integrated-gradients")
    assert found.symbols == tuple(model.alphabet[symbol] for symbol in word)
    assert len(found.attributions) == len(word)
    assert (found.attention is not None) == (
        cell.startswith("attention-") and cell != "attention-recurrent"
    )
    assert (found.looks is not None) == (cell == "attention-recurrent")
    if found.attention is not None:
        assert sum(found.attention) == pytest.approx(1, abs=1e-5)


def test_a_text_is_cut_as_in_training_and_unknown_words_keep_their_names() -> None:
    model = reader_of_text()
    names, sequence = read_raw(model.alphabet, "Good, BAD wobbegong!")
    known = [name for name, code in zip(names, sequence.symbols, strict=True) if code]
    assert known == ["good", "bad"]
    assert "wobbegong" in names
    automaton = Automaton(
        alphabet=model.alphabet,
        classes=model.classes,
        transitions=np.zeros((1, 3), int),
        outputs=np.zeros(1, int),
    )
    found = read_steps(model, None, automaton, sequence, names=names)
    assert found.method == "removal"
    assert dict(zip(found.symbols, found.known, strict=True))["wobbegong"] is False
    assert found.symbols == tuple(names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected a sequence, got an empty one"),
        ("   ", "got an empty one"),
        ("wobbegong xyzzy", "knows none of the words \\(wobbegong, xyzzy\\)"),
    ],
)
def test_a_text_without_a_word_that_is_known_is_refused(text: str, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        read_raw(reader_of_text().alphabet, text)


def test_a_word_is_one_of_letters_and_a_foreign_letter_is_refused() -> None:
    model = random_network()
    names, sequence = read_raw(model.alphabet, "0110")
    assert (names, sequence.symbols.tolist()) == (["0", "1", "1", "0"], [0, 1, 1, 0])
    with pytest.raises(DataError, match=r"expected symbols of the alphabet \('0', '1'\), got '2'"):
        read_raw(model.alphabet, "0120")


def test_a_series_is_read_as_the_quantizer_reads_it_with_its_numbers() -> None:
    quantizer = Quantizer(
        window=2, means=[0.0], deviations=[1.0], prototypes=[[0.0, 0.0], [1.0, 1.0]]
    )
    alphabet = Alphabet(symbols=quantizer.names, quantizer=quantizer)
    names, sequence = read_raw(alphabet, "[0, 0.1, 0.9, 1.2]")
    assert names == [*quantizer.names]
    assert sequence.symbols.tolist() == [0, 1]
    assert sequence.numbers is not None


@pytest.mark.parametrize("target", ["step", "next", "number"])
@pytest.mark.parametrize("cell", ["gru", "attention-lstm", "attention-recurrent"])
def test_one_position_is_explained_as_the_sequence_up_to_it(cell: str, target: str) -> None:
    model = with_target(random_network(cell, symbols=3, classes=4), target)
    automaton = machine(model)
    word = Sequences.from_lists([[0, 2, 1, 1, 0]])
    within = read_steps(model, model.differentiable(), automaton, word, read=3)
    alone = read_steps(model, model.differentiable(), automaton, Sequences.from_lists([[0, 2, 1]]))
    assert within.read == 3
    np.testing.assert_allclose(within.attributions, alone.attributions, atol=1e-5)
    assert (within.explained, within.attention) == (alone.explained, alone.attention)
    np.testing.assert_allclose(within.network_values[:4], alone.network_values, atol=1e-6)
    assert len(within.network_values) == len(within.states) == 6
    assert (within.automaton_values is not None) == (target != "step")


@pytest.mark.parametrize(
    ("target", "read", "expected"),
    [
        ("class", 2, "one prediction for a sequence"),
        ("step", 0, "from 1 to 4, got 0"),
        ("next", 5, "from 1 to 4, got 5"),
    ],
)
def test_a_position_that_is_none_is_refused(target: str, read: int, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        check_position(target, 4, read)
    assert check_position(target, 4, None) == check_position(target, 4, 4) == 4


def test_a_network_without_gradients_says_why_and_is_explained_by_removal() -> None:
    counter = SteppedNetwork(Counter(), ("0", "1"))
    through, sentence = differentiable(counter)
    assert through is None
    assert "Counter is no torch module" in sentence
    automaton = counter.automaton
    assert automaton is not None
    found = read_steps(counter, None, automaton, Sequences.from_lists([[1, 0, 0, 0, 1]]))
    assert found.method == "removal"
    assert [value > 0 for value in found.attributions] == [False, True, True, True, False]


@pytest.mark.parametrize("target", ["number", "regression"])
def test_steps_of_numbers_are_those_of_the_network_and_of_its_automaton(target: str) -> None:
    model = with_target(random_network(symbols=3, classes=2), target)
    automaton = machine(model)
    word = Sequences.from_lists([[0, 2, 1, 1, 0]])
    found = read_steps(
        model, model.differentiable(), automaton, word, label=(4.0, 7.0), explained=1
    )
    prefixes = Sequences.from_lists([word[0][:length].tolist() for length in range(1, 6)])
    ends = Positions.of(prefixes, target).offsets[1:] - 1
    expected = model.predict(prefixes)[ends, 1]
    np.testing.assert_allclose(found.network_values[1:], expected, atol=1e-5)
    assert found.automaton_values is not None
    numbers = automaton.numbers_at(prefixes, automaton.trace(prefixes))[ends, 1]
    assert found.automaton_values == (None, *numbers.tolist())
    assert (found.explained, found.label) == (1, 7.0)
    assert (found.outputs, found.predictions) == ((), ())
    vectors = sum(found.attributions)
    through = model.differentiable()
    read = torch.from_numpy(word.padded())[None]
    zero = through.scores(read, torch.zeros_like(through.vectors(read)))[0, 1]
    assert vectors == pytest.approx(found.value - float(zero), abs=0.01 * abs(vectors) + 1e-4)


@pytest.mark.parametrize("target", ["class", "step", "next"])
def test_another_class_than_the_most_likely_one_is_explained_where_it_is_asked_for(
    target: str,
) -> None:
    model = with_target(random_network(symbols=3, classes=4), target)
    word = Sequences.from_lists([[0, 2, 1, 1, 0]])
    through = model.differentiable()
    likely = read_steps(model, through, machine(model), word)
    other = read_steps(model, None, machine(model), word, explained=(likely.explained + 1) % 4)
    assert other.explained != likely.explained
    assert other.predictions == likely.predictions
    assert other.value < likely.value
    assert other.attributions != likely.attributions
