"""External networks whose outputs are no classes: the next symbol, and numbers."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

import lisor
from lisor.automata.distributions import Distributions
from lisor.errors import ModelError
from lisor.networks.external.adapt import adapt
from lisor.networks.external.reading import Meaning
from lisor.sequences import Sequences
from lisor.targets.next import END

BEGIN, LAST = "<s>", "</s>"

rng = np.random.default_rng(0)
TEXTS = ["".join(rng.choice(["ab", "c"], rng.geometric(0.3) - 1)) for _ in range(600)]
WORDS = ["".join(word) for length in range(1, 8) for word in product("01", repeat=length)]


class CharacterModel(nn.Module):
    """Scores of the next character after each, as tutorials write it; or after the last alone."""

    def __init__(self, symbols: int, scores: int, *, last: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, 8)
        self.layer = nn.GRU(8, 16, batch_first=True)
        self.linear = nn.Linear(16, scores)
        self.last = last

    def forward(self, characters):
        states = self.layer(self.embedding(characters))[0]
        return self.linear(states[:, -1] if self.last else states)


class Sum(nn.Module):
    """A number after each symbol, or after the last one: how many of the last two were 1."""

    def __init__(self, *, last: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(2, 4)
        self.layer = nn.GRU(4, 12, batch_first=True)
        self.linear = nn.Linear(12, 1)
        self.last = last

    def forward(self, symbols):
        numbers = self.linear(self.layer(self.embedding(symbols))[0])
        return numbers[:, -1] if self.last else numbers


def fit(module: nn.Module, loss, steps: int = 300) -> nn.Module:
    """The module, after so many steps on what a loss returns."""
    optimizer = torch.optim.Adam(module.parameters(), 0.02)
    for step in range(steps):
        optimizer.zero_grad()
        loss(module, torch.Generator().manual_seed(step)).backward()
        optimizer.step()
    return module.eval()


def character_model(alphabet: list[str], end: str | None) -> nn.Module:
    """One that has read the texts, each after the symbol that begins it."""
    torch.manual_seed(0)
    stop = len(alphabet) if end is None else alphabet.index(end)
    numbers = [[alphabet.index(c) for c in text] for text in TEXTS]
    longest = max(map(len, numbers))
    read = torch.tensor([[0, *one, *[0] * (longest - len(one))] for one in numbers])
    meant = torch.tensor([[*one, stop, *[-100] * (longest - len(one))] for one in numbers])

    def loss(module, generator):
        rows = torch.randint(len(read), (64,), generator=generator)
        return nn.functional.cross_entropy(module(read[rows]).flatten(0, 1), meant[rows].flatten())

    return fit(CharacterModel(len(alphabet), len(alphabet) + (end is None)), loss)


@pytest.mark.parametrize(
    ("alphabet", "end"),
    [
        ([BEGIN, "a", "b", "c"], None),
        ([BEGIN, "a", "b", "c", LAST], LAST),
        ([".", "a", "b", "c"], "."),
    ],
    ids=["the end is one score more", "a symbol ends sequences", "one symbol begins and ends"],
)
def test_a_character_model_is_read_as_a_probabilistic_automaton(alphabet, end):
    module = character_model(alphabet, end)
    options = {"target": "next", "begin": alphabet[0], "end": end}
    automaton = lisor.extract(module, TEXTS, alphabet=alphabet, most_states=12, **options)
    assert automaton.target == "next"
    assert automaton.classes == (*alphabet, END)
    assert automaton.n_states == 2
    network = adapt(module, alphabet, meaning=Meaning(**options))
    words = Sequences.from_lists([[alphabet.index(c) for c in text] for text in TEXTS])
    predicted = Distributions.rows(network.predict(words))
    assert predicted.total_variation(Distributions.of(automaton, words)).max() < 0.1
    after = automaton.run(Sequences.from_lists([[alphabet.index("a")]]))
    assert alphabet[automaton.distributions[after[0]].argmax()] == "b"


def test_predictions_are_those_of_the_module_after_the_symbol_that_begins():
    alphabet = [BEGIN, "a", "b", "c"]
    module = character_model(alphabet, None)
    network = adapt(module, alphabet, meaning=Meaning(target="next", begin=BEGIN))
    with torch.no_grad():
        expected = module(torch.tensor([[0, 1, 2, 3]]))[0].softmax(-1)
    np.testing.assert_allclose(
        network.predict(Sequences.from_lists([[1, 2, 3]])), expected, atol=1e-5
    )


def test_one_that_scores_the_next_symbol_at_the_end_alone_is_read_after_each_prefix():
    torch.manual_seed(0)
    each, last = CharacterModel(3, 4), CharacterModel(3, 4, last=True)
    last.load_state_dict(each.state_dict())
    words = Sequences.from_lists([[], [0], [1, 2, 0], [2, 2]])
    own, other = (
        adapt(module, "abc", meaning=Meaning(target="next")).predict(words)
        for module in (each, last)
    )
    assert own.shape == (10, 4)
    np.testing.assert_allclose(own, other, atol=1e-5)


class Machine:
    """(ab|c)* by its states and the scores of what comes next."""

    def initial_state(self):
        return "between"

    def step(self, state, symbol):
        return "after a" if symbol == 0 else "between"

    def scores(self, state):
        return [0, 1, 0, 0] if state == "after a" else [0.25, 0, 0.25, 0.5]


def test_an_object_with_scores_of_the_next_symbol_is_one_already():
    automaton = lisor.extract(Machine(), TEXTS, alphabet="abc", target="next")
    assert automaton.n_states == 2
    np.testing.assert_allclose(automaton.distributions[automaton.start], [0.25, 0, 0.25, 0.5])


@pytest.mark.parametrize("last", [False, True], ids=["each symbol", "the last symbol"])
def test_numbers_are_read_off_as_they_are(last):
    torch.manual_seed(0)

    def loss(module, generator):
        words = torch.randint(2, (64, 8), generator=generator)
        both = words + nn.functional.pad(words, (1, 0))[:, :-1]
        numbers = module(words).squeeze(-1)
        return nn.functional.mse_loss(numbers, 10.0 * (both[:, -1] if last else both))

    module = fit(Sum(last=last), loss)
    target = "regression" if last else "number"
    automaton = lisor.extract(module, WORDS, target=target)
    assert automaton.target == target
    assert automaton.classes == ("number",)
    assert automaton.minimized().n_states <= 4
    words = Sequences.from_lists([[0, 1, 1, 1, 0, 1], [1, 1, 0, 0, 0]])
    numbers = automaton.numbers_at(words, automaton.trace(words))[:, 0]
    expected = [10, 0] if last else [0, 10, 20, 20, 10, 10, 10, 20, 10, 0, 0]
    np.testing.assert_allclose(numbers, expected, atol=1.0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"target": "next"}, "expected 5 scores of the next symbol, .*, got 4; if one of"),
        ({"target": "next", "end": "x"}, "among the symbols of the alphabet"),
        ({"end": "a"}, "expected the target next"),
        ({"target": "regression"}, "expected outputs after each sequence"),
        ({"target": "numbers"}, "expected one of the targets"),
    ],
)
def test_outputs_that_do_not_fit_what_they_are_to_be_read_as_are_refused(options, says):
    with pytest.raises(ModelError, match=says):
        lisor.extract(CharacterModel(4, 4).eval(), TEXTS, alphabet=[".", "a", "b", "c"], **options)


def test_a_function_names_classes_alone():
    with pytest.raises(ModelError, match="not for the target 'next'"):
        lisor.extract(lambda word: True, TEXTS, target="next")
