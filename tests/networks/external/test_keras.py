"""Keras models on torch are read as they are."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

import lisor
from lisor.automata.languages import LANGUAGES
from lisor.errors import ModelError
from lisor.networks.external.adapt import adapt
from lisor.sequences import Sequences

models = pytest.importorskip(
    "tests.networks.external.keras_models", reason="pip install 'lisor[dev]'"
)

WORDS = ["".join(word) for length in range(1, 8) for word in product("01", repeat=length)]

QUICK = "Embedding, LSTM, Dense"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == QUICK else pytest.mark.slow)
        for name in models.TRAINED
    ],
)
def test_it_is_read_unchanged_and_exactly(name: str) -> None:
    automaton = lisor.extract(models.TRAINED[name](), WORDS)
    assert automaton.n_states == 4
    target = "step" if name == "TimeDistributed" else "class"
    meant = replace(LANGUAGES["000"].automaton, target=target)
    assert automaton.distinguishing_word(meant) is None


@pytest.mark.slow
def test_a_padding_symbol_that_is_masked_changes_no_state() -> None:
    automaton = lisor.extract(models.MASKED(), WORDS, alphabet=["pad", "0", "1"])
    assert automaton.n_states == 4
    np.testing.assert_array_equal(automaton.transitions[:, 0], np.arange(4))
    assert all(automaton.accepts(word) == ("000" in word) for word in WORDS)


@pytest.mark.parametrize("build", [models.embedding_and_lstm, models.stacked, models.masked])
def test_what_is_stepped_gives_the_models_own_answers(build) -> None:
    model = build()
    symbols = 3 if build is models.masked else 2
    network = adapt(model, "p01"[-symbols:])
    words = np.random.default_rng(0).integers(symbols, size=(20, 30))
    with torch.no_grad():
        own = model(torch.from_numpy(words)).numpy()
    begin = tuple(np.repeat(part, 20, axis=0) for part in network.initial)
    after = network.predict_from(begin, Sequences.from_lists(words.tolist()))
    np.testing.assert_allclose(after[:, -own.shape[1] :], own, atol=1e-5)


def test_a_model_that_reads_backwards_too_is_refused_in_one_line() -> None:
    with pytest.raises(ModelError, match="its bidirectional layer looks at what is still to come"):
        adapt(models.bidirectional(), "01")


def test_a_model_keeps_its_weights() -> None:
    model = models.stacked()
    before = [weight.value.clone() for weight in model.weights]
    adapt(model, "01")
    assert all(map(torch.equal, before, (weight.value for weight in model.weights)))
