import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.errors import DataError
from lisor.explain.steps import encode, read_steps
from lisor.networks.trained import TrainedModel
from lisor.registry import network_names
from lisor.sequences import Sequences
from lisor.tokenizer import TOKENIZER
from tests.conftest import random_network
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
@given(
    automata(alphabet=("0", "1", "2"), classes=2),
    st.lists(st.integers(0, 2), min_size=1, max_size=6),
)
def test_steps_are_those_of_every_prefix(cell: str, automaton: Automaton, word: list[int]) -> None:
    model = random_network(cell, symbols=3)
    found = read_steps(model, automaton, word, label=1)
    prefixes = Sequences.from_lists([word[:length] for length in range(len(word) + 1)])
    np.testing.assert_allclose(found.probabilities, model.predict(prefixes), atol=1e-5)
    assert list(found.states) == automaton.run(prefixes).tolist()
    assert list(found.outputs) == automaton.classify(prefixes).tolist()
    assert found.explained == int(np.argmax(found.probabilities[-1]))
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
    names, codes = encode(model, "Good, BAD wobbegong!")
    assert [name for name, code in zip(names, codes, strict=True) if code] == ["good", "bad"]
    assert "wobbegong" in names
    automaton = Automaton(
        alphabet=model.alphabet,
        classes=model.classes,
        transitions=np.zeros((1, 3), int),
        outputs=np.zeros(1, int),
    )
    found = read_steps(model, automaton, codes, names=names)
    assert dict(zip(found.symbols, found.known, strict=True))["wobbegong"] is False
    assert found.symbols == tuple(names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected a text with at least one word, got an empty one"),
        ("   ", "got an empty one"),
        ("wobbegong xyzzy", "knows none of the words \\(wobbegong, xyzzy\\)"),
    ],
)
def test_a_text_without_a_word_that_is_known_is_refused(text: str, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        encode(reader_of_text(), text)


def test_a_word_is_one_of_letters_and_a_foreign_letter_is_refused() -> None:
    model = random_network()
    assert encode(model, "0110") == (["0", "1", "1", "0"], [0, 1, 1, 0])
    with pytest.raises(DataError, match=r"expected symbols of the alphabet \('0', '1'\), got '2'"):
        encode(model, "0120")
