"""Mealy machines of numbers: what they predict, and what files hold of them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.automata.automaton import Automaton
from lisor.automata.drawing import to_dot, to_svg
from lisor.automata.formats.onnx_model import to_onnx
from lisor.automata.formats.python_code import to_python
from lisor.automata.formats.reading import read_automaton
from lisor.automata.formats.writing import WITHOUT_NUMBERS, export
from lisor.errors import AutomatonError
from lisor.sequences import Sequences
from tests.automata.c_program import run_c
from tests.strategies import automata, ragged_sequences

# Any number that a person would write; equal texts are equal numbers.
numbers = st.integers(-999, 999).map(lambda number: number / 8)


@st.composite
def machines(draw: st.DrawFn, target: str = "number") -> Automaton:
    """Mealy machines over two symbols with one or two numbers on each transition."""
    moore = draw(automata(alphabet=("a", "b"), classes=1))
    names = ("pressure", "flow")[: draw(st.integers(1, 2))]
    shape = (*moore.transitions.shape, len(names))
    count = math.prod(shape)
    values = draw(st.lists(numbers, min_size=count, max_size=count))
    return replace(moore, classes=names, target=target, values=np.reshape(values, shape))


def predicted(automaton: Automaton, word) -> list[list[float]]:
    """What a machine predicts after each symbol, step by step."""
    state, rows = automaton.start, []
    for symbol in word:
        rows.append(automaton.values[state, symbol].tolist())
        state = automaton.transitions[state, symbol]
    return rows


@given(automaton=machines(), words=ragged_sequences())
def test_a_machine_predicts_what_stands_on_its_transitions(automaton, words):
    rows = automaton.numbers_at(words, automaton.trace(words))
    assert rows.tolist() == [row for word in words for row in predicted(automaton, word)]


@given(automaton=machines("regression"), words=ragged_sequences())
def test_a_regression_is_what_stands_on_the_last_transition(automaton, words):
    read = words.select(np.flatnonzero(words.lengths > 0))
    rows = automaton.numbers_at(read, automaton.trace(read))
    assert rows.tolist() == [predicted(automaton, word)[-1] for word in read]


@given(automaton=machines(), words=ragged_sequences())
def test_the_minimal_machine_predicts_the_same(automaton, words):
    small = automaton.minimized()
    assert small.n_states <= automaton.n_states
    assert automaton.distinguishing_word(small) is None
    expected = automaton.numbers_at(words, automaton.trace(words))
    np.testing.assert_array_equal(small.numbers_at(words, small.trace(words)), expected)


@given(one=machines(), other=machines())
def test_a_distinguishing_word_ends_where_the_numbers_differ(one, other):
    other = replace(other, classes=one.classes, values=np.resize(
        other.values, (*other.transitions.shape, len(one.classes))
    ))  # fmt: skip
    word = one.distinguishing_word(other)
    if word is None:
        assert one.minimized().n_states == other.minimized().n_states
        return
    numbers = one.encode(word)
    first, second = predicted(one, numbers), predicted(other, numbers)
    assert first[:-1] == second[:-1]
    assert first[-1] != second[-1]


@pytest.mark.parametrize("form", ["json", "dot"])
@given(automaton=machines())
def test_a_file_holds_all_of_it(form, automaton, tmp_path_factory):
    path = tmp_path_factory.mktemp("numbers") / f"automaton.{form}"
    path.write_bytes(export(automaton, form))
    assert read_automaton(path) == automaton


def test_formats_without_room_for_numbers_say_so():
    automaton = machine()
    for form in WITHOUT_NUMBERS:
        with pytest.raises(AutomatonError, match=f"{form} has no room for numbers"):
            export(automaton, form)


def machine() -> Automaton:
    """Two states that say different numbers of the same symbols."""
    return Automaton(
        alphabet=("a", "b"),
        classes=("pressure",),
        transitions=np.array([[1, 0], [0, 1]]),
        outputs=np.zeros(2, int),
        target="number",
        values=np.array([[[1.5], [-2.0]], [[3.25], [4.0]]]),
    )


@given(automaton=machines(), words=ragged_sequences())
def test_a_python_module_gives_the_numbers(automaton, words):
    names: dict = {}
    exec(compile(to_python(automaton), "automaton.py", "exec"), names)
    for word in words:
        for end in range(1, len(word) + 1):
            expected = predicted(automaton, word[:end])[-1]
            assert names["predict"](word[:end].tolist()) == expected


def test_a_c_file_gives_the_numbers(tmp_path):
    printed = run_c(
        tmp_path,
        machine(),
        "#include <stdio.h>\n"
        "int main(void) { int word[] = {0, 0}, bad[] = {7};\n"
        'printf("%.17g %.17g %d %d", *predict(word, 1), *predict(word, 2), '
        "predict(bad, 1) == NULL, predict(word, 0) == NULL); return 0; }\n",
    )
    assert [float(text) for text in printed.split()] == [1.5, 3.25, 1, 1]


@given(automaton=machines(), words=ragged_sequences())
def test_an_onnx_model_gives_the_last_numbers(automaton, words):
    onnxruntime = pytest.importorskip("onnxruntime")
    if not len(words):
        return
    session = onnxruntime.InferenceSession(to_onnx(automaton))
    padded = words.padded(max(1, int(words.lengths.max()))).astype(np.int64)
    inputs = {"symbols": padded, "lengths": words.lengths.astype(np.int64)}
    state, values = session.run(["state", "values"], inputs)
    np.testing.assert_array_equal(state, automaton.run(words))
    nothing = [np.nan] * len(automaton.classes)
    expected = [predicted(automaton, word)[-1] if len(word) else nothing for word in words]
    np.testing.assert_array_equal(values, expected)


def test_a_drawing_shows_the_numbers_behind_an_arrow():
    dot = to_dot(machine())
    assert 'label="a → 1.5"' in dot
    assert 'label="b → \N{MINUS SIGN}2"' in dot
    assert "pressure" not in dot
    assert "→ 3.25" in to_svg(machine())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": None}, "takes values"),
        ({"values": np.zeros((2, 2, 2))}, "2 states, 2 symbols and 1 names"),
        ({"values": np.full((2, 2, 1), np.inf)}, "finite number"),
        ({"target": "step"}, "takes no values"),
    ],
)
def test_values_that_are_none_are_refused(changes, message):
    with pytest.raises(AutomatonError, match=message):
        Automaton(**(vars(machine()) | changes))


def test_a_machine_of_numbers_accepts_no_words():
    with pytest.raises(AutomatonError, match="accepts no words"):
        machine().accepts("a")


def test_an_automaton_without_numbers_predicts_none():
    moore = replace(machine(), target="step", values=None)
    words = Sequences.from_lists([[0]])
    with pytest.raises(AutomatonError, match="automaton with numbers"):
        moore.numbers_at(words, moore.trace(words))
