"""The modules of `catalogue` are what they say, and are read as they are."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

import lisor
from lisor.automata.languages import LANGUAGES
from lisor.automata.regex import compile_regex
from lisor.networks.external.adapt import adapt
from lisor.sequences import Sequences
from tests.networks.external.catalogue import MODULES, MORE, contains_000, has_odd_ones, train

WORDS = ["".join(word) for length in range(1, 8) for word in product("01", repeat=length)]

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.ao.quantization:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning"),
    pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning"),
]


@pytest.mark.parametrize("name", MODULES)
def test_its_owner_calls_it_before_and_after_training(name: str) -> None:
    torch.manual_seed(0)
    one = MODULES[name]
    module, words = one.build(), torch.randint(2, (5, 7))
    steps = {"class": (), "number": (), "step": (7,), "next": (8,)}[one.target]
    outputs = {"class": 2, "step": 2, "next": 3, "number": 1}[one.target]
    trained = one.call(module, words)
    assert trained.shape[:-1] == (5, *steps)
    assert trained.shape[-1] in (outputs, 1)
    assert trained.requires_grad
    with torch.no_grad():
        answers = one.call(one.after(module), words)
        assert answers.shape == trained.shape
        torch.testing.assert_close(answers, one.call(one.after(module), words))


QUICK = {"one symbol at a time", "tagger, time first", "LSTMCells in a loop", "attention pooling",
         "start and end symbols", "jit-scripted"}  # fmt: skip

READ = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name, one in MODULES.items()
    if one.target != "next"
]


@pytest.mark.parametrize("name", READ)
def test_it_is_read_unchanged_and_exactly(name: str) -> None:
    module = train(MODULES[name])
    before = {key: value.clone() for key, value in module.state_dict().items() if _is_plain(value)}
    automaton = lisor.extract(module, WORDS)
    assert automaton.n_states == 4
    assert automaton.target == ("step" if MODULES[name].target == "step" else "class")
    meant = replace(LANGUAGES["000"].automaton, target=automaton.target)
    assert automaton.distinguishing_word(meant) is None
    assert all(torch.equal(module.state_dict()[key], value) for key, value in before.items())


@pytest.mark.slow
def test_attention_is_read_exactly_where_all_symbols_count() -> None:
    module = train(MODULES["attention pooling"], has_odd_ones, 1500)
    meant = compile_regex("(0*10*1)*0*10*", ("0", "1"))
    assert lisor.extract(module, WORDS).distinguishing_word(meant) is None


@pytest.mark.parametrize("name", MORE)
def test_what_is_kept_of_all_steps_gives_its_own_answers(name: str) -> None:
    torch.manual_seed(0)
    module = MORE[name].build().eval()
    words = torch.from_numpy(np.random.default_rng(0).integers(2, size=(20, 40)))
    with torch.no_grad():
        own = module(words).softmax(dim=1)
    network = adapt(module, "01")
    begin = tuple(np.repeat(part, 20, axis=0) for part in network.initial)
    after = network.predict_from(begin, Sequences.from_lists(words.tolist()))
    np.testing.assert_allclose(after, own, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_what_is_kept_of_all_steps_is_read_exactly(name: str) -> None:
    module = train(MORE[name])
    automaton = lisor.extract(module, WORDS)
    words = [torch.tensor([[int(symbol) for symbol in word]]) for word in WORDS]
    with torch.no_grad():
        own = [int(module(word).argmax()) for word in words]
    assert [int(automaton.accepts(word)) for word in WORDS] == own
    # The one that is not divided by the number of steps does not learn all words.
    is_learned = own == [int(contains_000(word)[0, -1]) for word in words]
    assert is_learned == (name != "logsumexp")
    if is_learned:
        assert LANGUAGES["000"].equals(automaton)


def _is_plain(value: object) -> bool:
    return isinstance(value, torch.Tensor) and not value.is_quantized
