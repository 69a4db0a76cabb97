from collections import namedtuple
from typing import ClassVar

import numpy as np
import pytest
import torch

import lisor
from lisor.automata.languages import LANGUAGES
from lisor.clustering.clustering import cluster
from lisor.errors import ModelError
from lisor.networks import hidden_states
from lisor.networks.external import stepped
from lisor.networks.external.adapt import adapt
from lisor.sequences import Sequences
from tests.conftest import random_network
from tests.extracting import extract
from tests.networks.external.test_module import SEQUENCES, WORDS


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
    "form",
    [
        lambda h, c: (h, c),
        namedtuple("State", "h c"),
        lambda h, c: {"h": h, "c": c},
        lambda h, c: [h, c],
    ],
)
def test_a_state_of_any_form_is_laid_flat_and_rebuilt(form):
    machine = Machine(form)
    network = adapt(machine, "01")
    assert network.sizes == (8,)
    words = Sequences.join([SEQUENCES, Sequences.from_lists([[]])])
    np.testing.assert_allclose(network.predict(words), machine.model.predict(words), atol=1e-5)


def test_a_hand_written_cell_becomes_an_exact_automaton():
    automaton = lisor.extract(Counter(), ["", *WORDS])
    assert LANGUAGES["000"].equals(automaton)
    assert automaton.n_states == 4


class Counted(Machine):
    """Counts the steps and scores that are asked for."""

    asked = 0

    def step(self, state, symbol):
        self.asked += 1
        return super().step(state, symbol)

    def scores(self, state):
        self.asked += 1
        return super().scores(state)


def test_a_step_that_was_taken_is_remembered(monkeypatch):
    machine = Counted(lambda h, c: (h, c))
    network = adapt(machine, "01")
    predictions, asked = network.predict(SEQUENCES), machine.asked
    np.testing.assert_array_equal(network.predict(SEQUENCES), predictions)
    assert machine.asked == asked
    monkeypatch.setattr(stepped, "MAX_REMEMBERED", 0)
    np.testing.assert_array_equal(network.predict(SEQUENCES), predictions)
    assert machine.asked > asked


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
        (Written(), "do not say all"),
    ],
)
def test_what_remembers_outside_its_state_is_refused(machine, reason):
    with pytest.raises(ModelError, match=reason):
        adapt(machine, "01")


def test_a_network_with_another_alphabet_is_refused():
    with pytest.raises(ModelError, match="expected the network's 2 symbols"):
        adapt(random_network(), "ab")


# States that are no numbers of floating point


class Table:
    """Accepts an odd number of 1s; its states are keys of a table."""

    table: ClassVar = {0: [0, 1], 1: [1, 0]}
    start, accepting = 0, 1

    def initial_state(self):
        return self.start

    def step(self, state, symbol):
        return self.table[state][symbol]

    def is_accepting(self, state):
        return state == self.accepting


class Named(Table):
    table: ClassVar = {"even": ["even", "odd"], "odd": ["odd", "even"]}
    start, accepting = "even", "odd"


class Nothing(Table):
    table: ClassVar = {None: [None, "odd"], "odd": ["odd", None]}
    start, accepting = None, "odd"


class Pairs(Table):
    """A tuple of a name and a whole number."""

    table: ClassVar = {
        ("even", 0): [("even", 0), ("odd", 1)],
        ("odd", 1): [("odd", 1), ("even", 0)],
    }
    start, accepting = ("even", 0), ("odd", 1)


class Tensors(Table):
    start, accepting = torch.tensor(0), 1

    def step(self, state, symbol):
        return torch.tensor(self.table[int(state)][symbol])


class NumpyNumber(Table):
    start = np.int64(0)


class Lists(Table):
    """Hands out the same list each time, which it writes into."""

    def initial_state(self):
        return [0]

    def step(self, state, symbol):
        state = [*state]
        state[0] ^= symbol
        return state

    def is_accepting(self, state):
        return state == [1]


ODD = pytest.mark.parametrize(
    "machine", [Table(), Named(), Nothing(), Pairs(), Tensors(), NumpyNumber(), Lists()]
)


@ODD
def test_finitely_many_states_of_any_kind_are_numbered(machine):
    network = adapt(machine, "01")
    odd = [word.count("1") % 2 for word in WORDS]
    np.testing.assert_array_equal(network.predict(SEQUENCES).argmax(axis=1), odd)
    automaton = lisor.extract(machine, WORDS)
    assert automaton.n_states == 2
    np.testing.assert_array_equal(automaton.classify(SEQUENCES), odd)


@ODD
def test_numbered_states_are_clustered_and_followed_as_any_others_are(machine):
    network = adapt(machine, "01")
    points = hidden_states.collect(network, SEQUENCES)
    assert (points.state.shape[1],) == network.sizes == (2,)
    (block,) = cluster(points, [2], method="kmeans", seed=0)
    machine = extract(network, points, block, rule="dynamics").automaton
    np.testing.assert_array_equal(
        machine.classify(SEQUENCES), [word.count("1") % 2 for word in WORDS]
    )


class Begun:
    """A torch cell that begins with None, as torch's own layers do."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.cell, self.out = torch.nn.GRU(2, 4), torch.nn.Linear(4, 1)

    def initial_state(self):
        return None

    def step(self, state, symbol):
        return self.cell(torch.eye(2)[symbol].view(1, 1, 2), state)[1]

    def scores(self, state):
        return (
            torch.tensor([0.0, -1.0])
            if state is None
            else torch.cat([torch.zeros(1), self.out(state).flatten()])
        )


def test_an_initial_state_of_none_is_handed_back_as_none():
    machine = Begun()
    network = adapt(machine, "01")
    with torch.no_grad():
        read = torch.eye(2)[torch.tensor([0, 1, 1])][:, None]
        own = torch.sigmoid(machine.out(machine.cell(read)[1])).item()
    np.testing.assert_allclose(
        network.predict(Sequences.from_lists([[0, 1, 1]]))[0, 1], own, atol=1e-5
    )
    np.testing.assert_allclose(
        network.predict(Sequences.from_lists([[]]))[0, 1], 1 / (1 + np.e), atol=1e-5
    )


class Mixed:
    """A whole number that indexes a list, a flag and a number that fades."""

    def initial_state(self):
        return {"place": 0, "flag": False, "trace": np.float64(0.0)}

    def step(self, state, symbol):
        assert type(state["place"]) is int
        assert type(state["flag"]) is bool
        place = [1, 2, 0][state["place"]] if symbol else state["place"]
        return {"place": place, "flag": place == 2, "trace": 0.5 * state["trace"] + symbol}

    def is_accepting(self, state):
        return state["flag"]


def test_whole_numbers_and_flags_beside_others_are_handed_back_as_such():
    network = adapt(Mixed(), "01")
    np.testing.assert_array_equal(
        network.predict(SEQUENCES).argmax(axis=1), [word.count("1") % 3 == 2 for word in WORDS]
    )


class Modulo(Table):
    """More states than are numbered, which are numbers all the same."""

    def step(self, state, symbol):
        return (state + symbol) % 1000

    def is_accepting(self, state):
        return state % 2 == 1


def test_too_many_whole_numbers_to_number_them_are_numbers():
    network = adapt(Modulo(), "01")
    assert network.sizes == (1,)
    assert network.automaton is None
    np.testing.assert_array_equal(
        network.predict(SEQUENCES).argmax(axis=1), [word.count("1") % 2 for word in WORDS]
    )


# What a user's own methods may do


def counter(**methods):
    """A counter some of whose methods are others."""
    return type("Mine", (Counter,), methods)()


def boom(*_):
    raise RuntimeError("boom\nand more of it " + 500 * "x")


def leave(*_):
    raise SystemExit


class Wide(Counter):
    def initial_state(self):
        return np.zeros(100_000)

    def step(self, state, symbol):
        return state

    def scores(self, state):
        return 1


class Grown(Table):
    def step(self, state, symbol):
        return f"{state}{symbol}"


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        (counter(step=boom), r"Mine.step\(state, symbol\) with the symbol \d raised RuntimeError: "
                             r"boom; it must take"),
        (counter(step=leave), r"Mine.step\(state, symbol\) with the symbol \d raised SystemExit"),
        (counter(initial_state=boom), r"Mine.initial_state\(\) raised RuntimeError: boom"),
        (counter(is_accepting=boom), r"Mine.is_accepting\(state\) raised RuntimeError: boom"),
        (counter(is_accepting=lambda *_: "no"), r"expected True or False from "
                                                r"Mine.is_accepting\(state\), got 'no'"),
        (counter(scores=lambda *_: "yes"), r"from Mine.scores\(state\), got 'yes'"),
        (counter(scores=lambda *_: ["no", "yes"]), r"from Mine.scores\(state\), got \['no', "
                                                   r"'yes'\]"),
        (counter(scores=lambda _, state: [1.0] * (1 + (state[0] > 0))), "scores in every state of "
                                                                        "Mine, got 1, 2"),
        (counter(step=lambda *_: (float("nan"), [0.0])), "expected finite numbers in the states of "
                                                         "Mine"),
        (counter(step=lambda *_: (1e40, [0.0])), "expected finite numbers in the states of Mine"),
        (counter(step=lambda *_: (0.0, [{1}]), is_accepting=lambda *_: True), "expected states of "
                                                                              "Mine as numbers"),
        (counter(step=lambda *_: (1j * np.ones(1), [0.0])), "made of real numbers, got some of "
                                                            "type complex128"),
        (Wide(), "expected states of at most 65,536 numbers from Wide, got 100,000"),
        (Grown(), "expected finitely many states of Grown that compare equal"),
        (Counter, "got Counter, a class: call it first"),
        (lambda word: word.count("b") % 2 == 1, "a function, which has no hidden states"),
    ],
)  # fmt: skip
def test_what_a_machine_of_ones_own_does_wrong_is_one_line_with_the_reason(machine, reason):
    with pytest.raises(ModelError, match=reason) as refused:
        adapt(machine, "01")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) <= 300
