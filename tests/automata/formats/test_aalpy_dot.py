import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from aalpy.automata import Dfa, DfaState, MooreMachine, MooreState
from aalpy.utils import load_automaton_from_file, save_automaton_to_file
from hypothesis import given
from hypothesis import strategies as st

from lisor.automata.automaton import Automaton
from lisor.automata.formats.aalpy_dot import to_aalpy
from lisor.automata.formats.dot import read_dot
from tests.automata.formats.conftest import ODD_NAMES, aligned
from tests.strategies import automata, odd_alphabets

named = odd_alphabets.flatmap(lambda alphabet: automata(alphabet=alphabet)).flatmap(
    lambda automaton: st.permutations(ODD_NAMES).map(
        lambda names: replace(automaton, classes=tuple(names[: len(automaton.classes)]))
    )
)


def loaded(automaton: Automaton) -> Dfa | MooreMachine:
    """The automaton as AALpy loads it from a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "automaton.dot"
        path.write_text(to_aalpy(automaton), encoding="utf-8")
        return load_automaton_from_file(path, "dfa" if len(automaton.classes) == 2 else "moore")


def saved(machine: Dfa | MooreMachine) -> str:
    """What AALpy writes of an automaton."""
    return save_automaton_to_file(machine, file_type="string")


@given(named)
def test_the_very_automaton_is_read_back(automaton):
    assert read_dot(to_aalpy(automaton)) == automaton


@given(named, st.data())
def test_aalpy_answers_as_the_automaton_does(automaton, data):
    machine = loaded(automaton)
    assert len(machine.states) == automaton.n_states
    names = list(
        machine.initial_state.transitions
    )  # in the order of the file, some of them encoded
    assert len(names) == len(automaton.alphabet)
    word = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1, max_size=8))
    output = machine.execute_sequence(machine.initial_state, [names[symbol] for symbol in word])
    states = [automaton.start]
    for symbol in word:
        states.append(int(automaton.transitions[states[-1], symbol]))
    if len(automaton.classes) == 2:
        assert output == [bool(automaton.outputs[state]) for state in states[1:]]
    else:
        classes = {}
        for name, state in zip(output, states[1:], strict=True):
            assert classes.setdefault(name, automaton.outputs[state]) == automaton.outputs[state]
        assert len(set(classes.values())) == len(classes)


def test_plain_names_are_the_same_in_aalpy():
    automaton = Automaton(
        alphabet=("not", "a:b", "+", "7"),
        classes=("x", "y", "z"),
        transitions=[[0, 1, 0, 1]] * 2,
        outputs=[0, 2],
    )
    machine = loaded(automaton)
    assert list(machine.initial_state.transitions) == ["not", "a:b", "+", 7]
    assert [state.output for state in machine.states] == ["x", "z"]


@given(automata(alphabet=("a,b", "c"), classes=2))
def test_what_aalpy_saves_of_a_finite_automaton_is_read(automaton):
    states = [
        DfaState(f"s{number}", bool(output)) for number, output in enumerate(automaton.outputs)
    ]
    for state, row in zip(states, automaton.transitions, strict=True):
        state.transitions = {
            symbol: states[target] for symbol, target in zip(automaton.alphabet, row, strict=True)
        }
    read = read_dot(saved(Dfa(states[automaton.start], states)))
    assert read.classes == ("reject", "accept")
    assert aligned(read, automaton).distinguishing_word(automaton) is None


@given(automata(alphabet=("a", "0"), classes=3))
def test_what_aalpy_saves_of_a_moore_machine_is_read(automaton):
    states = [
        MooreState(f"s{number}", automaton.classes[output])
        for number, output in enumerate(automaton.outputs)
    ]
    for state, row in zip(states, automaton.transitions, strict=True):
        state.transitions = {
            symbol: states[target] for symbol, target in zip(automaton.alphabet, row, strict=True)
        }
    read = read_dot(saved(MooreMachine(states[automaton.start], states)))
    assert aligned(read, automaton).distinguishing_word(automaton) is None


@pytest.mark.parametrize("pair", list(product(["accept", "reject"], repeat=2)))
def test_a_moore_machine_that_accepts_accepts_with_class_one(pair):
    lines = [
        f's{number} [label="s{number}|{name}", shape=record, style=rounded];'
        for number, name in enumerate(pair)
    ]
    edges = (
        's0 -> s1 [label="x"]; s1 -> s0 [label="x"]; __start0 [shape=none, label=""]; __start0 -> '
        's0 [label=""];'
    )
    automaton = read_dot(f"digraph one {{ {' '.join(lines)} {edges} }}")
    assert [automaton.accepts(word) for word in ("", "x")] == [name == "accept" for name in pair]


def test_names_of_thousands_of_digits_are_written_and_read_back():
    names = ("0", "00", "7", "9" * 5000)
    automaton = Automaton(alphabet=names, classes=("x", "y"), transitions=[[0] * 4], outputs=[0])
    assert read_dot(to_aalpy(automaton)) == automaton
