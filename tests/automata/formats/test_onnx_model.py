import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.automata.automaton import Automaton
from lisor.sequences import Sequences
from tests.automata.formats.conftest import large_automaton, many_words
from tests.strategies import automata, odd_alphabets, ragged_sequences

pytest.importorskip("onnx", reason="pip install lisor[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="pip install lisor[onnx]")

from lisor.automata.formats.onnx_model import to_onnx  # noqa: E402


def session(automaton: Automaton) -> "onnxruntime.InferenceSession":
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(to_onnx(automaton), options)


def answer(
    model: "onnxruntime.InferenceSession", words: Sequences, padding: int = 0
) -> tuple[list[int], list[int]]:
    """Classes and states of words, padded to the length of the longest."""
    symbols = np.full((len(words), max(words.lengths, default=0)), padding, np.int64)
    for row, word in zip(symbols, words, strict=True):
        row[: len(word)] = word
    classes, states = model.run(
        None, {"symbols": symbols, "lengths": words.lengths.astype(np.int64)}
    )
    return classes.tolist(), states.tolist()


@settings(max_examples=30)
@given(automata(alphabet=("a", "b", "c")), ragged_sequences(symbols=3), st.integers(-5, 5))
def test_the_model_answers_as_the_automaton_does_whatever_the_padding(automaton, words, padding):
    expected = automaton.classify(words).tolist(), automaton.run(words).tolist()
    assert answer(session(automaton), words, padding) == expected


def test_ten_thousand_words_are_classified_alike():
    automaton, words = large_automaton(), many_words(5)
    assert answer(session(automaton), words) == (
        automaton.classify(words).tolist(),
        automaton.run(words).tolist(),
    )


@given(odd_alphabets.flatmap(lambda alphabet: automata(alphabet=alphabet)))
def test_the_model_says_what_its_numbers_mean(automaton):
    about = session(automaton).get_modelmeta().custom_metadata_map
    assert {name: json.loads(value) for name, value in about.items()} == {
        "alphabet": list(automaton.alphabet),
        "classes": list(automaton.classes),
        "unknown": automaton.alphabet.unknown,
        "tokenizer": automaton.alphabet.tokenizer,
    }


@pytest.mark.parametrize("words", [[], [[]], [[], []]])
def test_no_words_and_empty_words_are_answered(words):
    model = session(large_automaton())
    assert answer(model, Sequences.from_lists(words))[1] == [299] * len(words)


@pytest.mark.parametrize("number", [-1, 5])
def test_a_number_that_no_symbol_has_is_an_error(number):
    model = session(large_automaton())
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument):
        model.run(None, {"symbols": np.array([[0, number]]), "lengths": np.array([2])})


def test_the_same_automaton_is_the_same_bytes():
    assert to_onnx(large_automaton()) == to_onnx(large_automaton())
