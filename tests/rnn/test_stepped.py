from collections import namedtuple

import numpy as np
import pytest
import torch

import lisor
from lisor.data.languages import LANGUAGES
from lisor.data.sequences import Sequences
from lisor.errors import ModelError
from lisor.rnn.adapters import adapt
from tests.conftest import random_network
from tests.rnn.test_modules import SEQUENCES, WORDS


class Counter:
    """Counts zeros in a row, and remembers whether there were three: "000", written by hand."""

    def initial_state(self):
        return 0.0, [0.0]

    def step(self, state, symbol):
        zeros = 0.0 if symbol else state[0] + 1
        return zeros, [max(state[1][0], float(zeros > 2.5))]

    def is_accepting(self, state):
        return state[1][0] > 0.5


class Machine:
    """A network of ours, known by three methods alone."""

    def __init__(self, form) -> None:
        self.model, self.form = random_network("lstm", classes=3), form

    def initial_state(self):
        return self.form(*self.model.initial_state())

    def step(self, state, symbol):
        parts = state.values() if isinstance(state, dict) else state
        return self.form(*self.model.step(tuple(parts), symbol))

    def scores(self, state):
        hidden = state["h"] if isinstance(state, dict) else state[0]
        return self.model.network.read_out(hidden)[0, 0]


@pytest.mark.parametrize(
    "form", [lambda h, c: (h, c), namedtuple("State", "h c"), lambda h, c: {"h": h, "c": c}, lambda h, c: [h, c]]
)
def test_a_state_of_any_form_is_laid_flat_and_rebuilt(form):
    machine = Machine(form)
    network = adapt(machine, "01")
    assert network.state_size == 8
    words = Sequences.join([SEQUENCES, Sequences.from_lists([[]])])
    np.testing.assert_allclose(network.predict(words), machine.model.predict(words), atol=1e-5)


def test_a_hand_written_cell_becomes_an_exact_automaton():
    automaton = lisor.extract(Counter(), ["", *WORDS])
    assert LANGUAGES["000"].equals(automaton)
    assert automaton.n_states == 4


class Tally(Counter):
    """Remembers outside its state how much it has read."""

    read = 0

    def step(self, state, symbol):
        self.read += 1
        return float(self.read % 7), state[1]


class Stack:
    def initial_state(self):
        return np.zeros(1)

    def step(self, state, symbol):
        return np.append(state, symbol)

    def scores(self, state):
        return state.sum()


class Named(Counter):
    def initial_state(self):
        return "start"


class Written(Counter):
    """Writes into the state that it is given, also into the initial one."""

    start = torch.zeros(2)

    def initial_state(self):
        return self.start

    def step(self, state, symbol):
        return state.add_(1 + symbol)

    def is_accepting(self, state):
        return state[0] > 9


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        (Tally(), "do not say all"),
        (Stack(), "a state that grows"),
        (Named(), "got str"),
        (Written(), "do not say all"),
    ],
)
def test_what_remembers_outside_its_state_is_refused(machine, reason):
    with pytest.raises(ModelError, match=reason):
        adapt(machine, "01")


def test_a_network_with_another_alphabet_is_refused():
    with pytest.raises(ModelError, match="expected the network's 2 symbols"):
        adapt(random_network(), "ab")
