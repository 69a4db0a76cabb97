"""Sequences completed by networks: the most likely symbol again and again."""

import pytest

import lisor
from lisor.data.dataset import Dataset
from lisor.errors import DataError, DataWarning, ModelError
from lisor.networks.completion import complete
from lisor.networks.trained import TrainedModel
from lisor.sequences import Sequences
from tests.conftest import random_network, train_quickly


@pytest.fixture(scope="module")
def words() -> Dataset:
    """Words of a(bc)*d, which end for certain after d."""
    return lisor.words("regex:a(bc)*d", alphabet="abcd", target="next", max_length=10)


@pytest.fixture(scope="module")
def model(words: Dataset) -> TrainedModel:
    return train_quickly(words)


def test_each_symbol_is_the_most_likely_after_those_before_it(model):
    prefixes = Sequences.from_lists([[], [0], [0, 1], [0, 1, 2, 1], [0, 3]])
    drawn, ended = complete(model, prefixes, max_length=6)
    for row, (prefix, symbols) in enumerate(zip(prefixes, drawn, strict=True)):
        word = prefix.tolist()
        for symbol in symbols:
            after = model.predict(Sequences.from_lists([word]))[-1]
            assert after.argmax() == symbol
            word.append(int(symbol))
        if ended[row]:
            assert model.predict(Sequences.from_lists([word]))[-1].argmax() == 4
        else:
            assert len(symbols) == 6


def test_no_sequence_is_completed_where_there_is_none(model):
    drawn, ended = complete(model, Sequences.from_lists([]))
    assert len(drawn) == len(ended) == 0


def test_a_classifier_completes_nothing():
    with pytest.raises(ModelError, match="predicts the next symbol, got one of the target 'class'"):
        complete(random_network(), Sequences.from_lists([[0]]))


def test_network_and_automaton_complete_a_text_alike(model, words):
    automaton = lisor.extract(model, words)
    for prefix in ("ab", "abc", "abcb"):
        assert lisor.complete(model, prefix) == lisor.complete(automaton, prefix)
    assert lisor.complete(model, "ab").startswith("c")


def test_what_has_not_ended_is_cut_with_a_warning(model):
    with pytest.warns(DataWarning, match="not ended after 1 symbols"):
        assert lisor.complete(model, "a", max_length=1) in ("b", "d")


def test_only_automata_and_networks_complete():
    with pytest.raises(DataError, match="expected an automaton or a network"):
        lisor.complete("model", "ab")
