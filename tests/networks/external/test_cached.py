"""Models of transformers are stepped by their cache."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

import lisor
from lisor.automata.languages import LANGUAGES
from lisor.errors import ModelError
from lisor.networks.external.adapt import adapt
from lisor.networks.external.cached import Cached, find_cached
from lisor.sequences import Sequences

WORDS = ["".join(word) for length in range(1, 8) for word in product("01", repeat=length)]


# Without transformers: a module that keeps what such models keep


@dataclass
class Output:
    logits: torch.Tensor
    past_key_values: object


class Held:
    """A cache: a tensor of states, how many symbols were read, and what is no state."""

    def __init__(self, states: torch.Tensor) -> None:
        self.layers, self.read, self.kind = [{"states": states}], 0, nn.GRU
        self.itself = self


class Generating(nn.Module):
    """A GRU that takes a cache and writes into it; the output is its state's and the last
    symbol's."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.cell = nn.Embedding(3, 4), nn.GRUCell(4, 6)
        self.head = nn.Linear(10, 3)

    def forward(self, input_ids, past_key_values=None, use_cache=None):
        read = self.embedding(input_ids)
        cache = past_key_values or Held(read.new_zeros(len(read), 6))
        outputs = []
        for vector in read.unbind(1):
            held = cache.layers[0]["states"]
            cache.read += 1
            cache.layers[0]["states"] = self.cell(vector, held)
            outputs.append(self.head(torch.cat([cache.layers[0]["states"], vector], dim=1)))
        return Output(torch.stack(outputs, 1), self.returned(cache) if use_cache else None)

    def returned(self, cache):
        return cache


class Forgetful(Generating):
    def returned(self, cache):
        return None


class Growing(Generating):
    """Holds every state beside the last one."""

    def returned(self, cache):
        cache.all = torch.cat([getattr(cache, "all", cache.layers[0]["states"][:, :0]),
                               cache.layers[0]["states"]], dim=1)  # fmt: skip
        return cache


class Mixing(Generating):
    """Mixes the words of a batch where it reads one symbol with a cache."""

    def returned(self, cache):
        if cache.read > 1:
            cache.layers[0]["states"] = cache.layers[0]["states"].flip(0)
        return cache


def words_of(symbols: int, count: int = 20, length: int = 30) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(symbols, size=(count, length)))


def stepped(network, words: torch.Tensor) -> np.ndarray:
    """The probabilities after words, by the states alone."""
    begin = tuple(np.repeat(part, len(words), axis=0) for part in network.initial)
    return network.predict_from(begin, Sequences.from_lists(words.tolist()))


@pytest.mark.parametrize("kind", [Generating, Mixing, Forgetful])
def test_what_is_stepped_gives_the_modules_own_answers(kind):
    module = kind()
    network, words = adapt(module, "012"), words_of(3)
    with torch.no_grad():
        own = module(words).logits[:, -1].softmax(1)
    np.testing.assert_allclose(stepped(network, words), own, atol=1e-5)
    assert network.target == "step"
    assert not module._forward_hooks
    assert not module._forward_pre_hooks


def test_the_state_is_what_the_cache_holds_and_the_output():
    network = adapt(nn.Sequential(Generating()), "012")
    assert find_cached(nn.Linear(1, 1)) is None
    assert network.sizes == (6 + 3 + 1,)


def test_a_cache_that_grows_is_refused():
    module = Growing()
    with pytest.raises(ModelError, match="the past_key_values of its Growing grows with every"):
        Cached(lambda words: module(words).logits[:, -1], 3, module, "past_key_values")


# With it


@pytest.fixture(scope="module")
def models():
    return pytest.importorskip(
        "tests.networks.external.transformers_models", reason="pip install 'lisor[transformers]'"
    )


@pytest.mark.parametrize(
    "name", ["mamba", "mamba2", "falcon_mamba", "xlstm", "rwkv", "mean_of_mamba"]
)
def test_a_model_of_transformers_is_stepped_as_it_reads_whole_words(models, name):
    torch.manual_seed(0)
    module, words = getattr(models, name)().eval(), words_of(2)
    with torch.no_grad():
        own = module(words).softmax(1)
    network = adapt(module, "01")
    np.testing.assert_allclose(stepped(network, words), own, atol=1e-4)
    predicted = network.predict(Sequences.from_lists(words.tolist()))
    np.testing.assert_allclose(predicted, own, atol=1e-6)


def test_a_model_of_the_next_symbol_scores_it_after_each(models):
    torch.manual_seed(0)
    module, words = models.mamba_for_language().eval(), words_of(2)
    network = adapt(module, "01")
    assert network.target == "step"
    with torch.no_grad():
        own = module(words).logits[:, -1].softmax(1)
    np.testing.assert_allclose(stepped(network, words), own, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gpt2", "its GPT2Model grows with every symbol, for attention to earlier ones"),
        ("recurrent_gemma", "its RecurrentGemmaModel returns no cache to go on from"),
    ],
)
def test_a_model_with_attention_is_refused_in_one_line(models, name, reason):
    with pytest.raises(ModelError, match=reason) as refused:
        adapt(getattr(models, name)().eval(), "01")
    assert "\n" not in str(refused.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Mamba", "Mamba-2", "FalconMamba", "RWKV"])
def test_a_trained_model_of_transformers_is_read_exactly(models, name):
    module = models.TRAINED[name]()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    automaton = lisor.extract(module, WORDS)
    assert automaton.n_states == 4
    assert automaton.distinguishing_word(LANGUAGES["000"].automaton) is None
    assert all(torch.equal(module.state_dict()[key], value) for key, value in before.items())


@pytest.mark.slow
def test_a_trained_xlstm_is_read_as_it_answers(models):
    module = models.TRAINED["xLSTM"]()
    automaton = lisor.extract(module, WORDS)
    with torch.no_grad():
        own = [int(module(torch.tensor([[*map(int, word)]])).argmax()) for word in WORDS]
    assert [int(automaton.accepts(word)) for word in WORDS] == own
