import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.automata.automaton import Automaton
from lisor.automata.formats.expression import MAX_CHARACTERS, MAX_STATES, to_regex
from lisor.automata.languages import LANGUAGES
from lisor.automata.regex import compile_regex
from lisor.errors import AutomatonError
from tests.data.conftest import words_up_to
from tests.strategies import automata

signs = st.sampled_from("01ab|*+?{}[]()\\^-\"' <&,éλ日😀\n\0") | st.characters(codec="utf-8")
alphabets = st.lists(signs, min_size=1, max_size=4, unique=True).map(tuple)


def counter(states: int) -> Automaton:
    """Words of a number of signs that is a multiple of `states`."""
    step = (np.arange(states) + 1) % states
    return Automaton(
        alphabet=("0", "1"),
        classes=("n", "y"),
        transitions=np.stack([step] * 2, 1),
        outputs=step == 1,
    )


@given(alphabets.flatmap(lambda alphabet: automata(alphabet=alphabet, classes=2)))
def test_an_expression_is_read_as_the_automaton_that_it_was_written_from(automaton):
    read = compile_regex(to_regex(automaton), automaton.alphabet)
    assert read.distinguishing_word(automaton) is None
    assert read.n_states == automaton.minimized().n_states


@given(automata(alphabet=("a", "b", "c"), classes=2))
def test_python_matches_the_words_that_are_accepted(automaton):
    pattern = re.compile(to_regex(automaton))
    for word in words_up_to(4, "abc"):
        assert (pattern.fullmatch(word) is not None) == automaton.accepts(word)


@given(automata(alphabet=("a", "b", "c"), classes=2))
def test_states_that_no_word_reaches_and_numbers_of_states_change_nothing(automaton):
    assert to_regex(automaton) == to_regex(automaton.minimized())


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("0110", "0110"),
        ("tomita-1", "1*"),
        ("tomita-2", "(10)*"),
        ("tomita-5", "(00|11|(01|10)(00|11)*(01|10))*"),
        ("tomita-7", "0*(1+(0+1*)?)?"),
    ],
)
def test_what_a_person_would_write_is_written(name, expression):
    assert to_regex(LANGUAGES[name].automaton) == expression


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        ("[^abcd]", "[^abcd]"),
        ("()", "()"),
        ("[a-d]", "[abcd]"),
        ("a|b|c", "[^d]"),
        ("[a-d]*", "[abcd]*"),
        ("a|b", "[ab]"),
    ],
)
def test_classes_are_as_short_as_can_be(expression, written):
    assert to_regex(compile_regex(expression, tuple("abcd"))) == written


@pytest.mark.parametrize(
    ("automaton", "says"),
    [
        (
            Automaton(alphabet=("a",), classes=("x", "y", "z"), transitions=[[0]], outputs=[2]),
            "two classes, this",
        ),
        (
            Automaton(alphabet=("ab",), classes=("x", "y"), transitions=[[0]], outputs=[1]),
            "one character each, got 'ab'",
        ),
        (
            Automaton(alphabet=("",), classes=("x", "y"), transitions=[[0]], outputs=[1]),
            "one character each, got ''",
        ),
        (
            counter(MAX_STATES + 1),
            f"up to {MAX_STATES} states, the smallest automaton has {MAX_STATES + 1}",
        ),
    ],
)
def test_what_has_no_expression_is_refused(automaton, says):
    with pytest.raises(AutomatonError, match=says):
        to_regex(automaton)


def test_an_expression_that_nobody_could_read_is_refused():
    rng = np.random.default_rng(0)
    table, outputs = rng.integers(0, 40, (40, 2)), rng.integers(0, 2, 40)
    tangled = Automaton(alphabet=("0", "1"), classes=("n", "y"), transitions=table, outputs=outputs)
    with pytest.raises(
        AutomatonError,
        match=f"up to {MAX_CHARACTERS} symbols is written, this automaton's is longer",
    ):
        to_regex(tangled)


def test_a_long_chain_of_states_has_an_expression():
    automaton = counter(MAX_STATES)
    assert compile_regex(to_regex(automaton), ("0", "1")).distinguishing_word(automaton) is None
