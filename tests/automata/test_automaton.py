import json
from dataclasses import FrozenInstanceError, replace
from itertools import product

import numpy as np
import pytest
from automata.fa.dfa import DFA
from hypothesis import given
from hypothesis import strategies as st

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.errors import AutomatonError, DataError, SchemaError
from lisor.quantizer import Quantizer
from lisor.sequences import Sequences
from tests.strategies import automata, ragged_sequences

BINARY = ("0", "1")


def binary(**fields) -> Automaton:
    """Words over 0 and 1 that end in 1."""
    usual = {
        "alphabet": BINARY,
        "classes": ("no", "yes"),
        "transitions": [[0, 1], [0, 1]],
        "outputs": [0, 1],
    }
    return Automaton(**{**usual, **fields})


def as_dfa(automaton: Automaton) -> DFA:
    """The same two-class automaton as automata-lib has it."""
    return DFA(
        states=set(range(automaton.n_states)),
        input_symbols=set(automaton.alphabet),
        transitions={
            state: dict(zip(automaton.alphabet, row, strict=True))
            for state, row in enumerate(automaton.transitions.tolist())
        },
        initial_state=automaton.start,
        final_states=set(np.flatnonzero(automaton.outputs == 1).tolist()),
    )


def final_state(automaton: Automaton, word: list[int]) -> int:
    state = automaton.start
    for symbol in word:
        state = int(automaton.transitions[state, symbol])
    return state


two_classes = automata(alphabet=BINARY, classes=2)


# Running


@given(automata(alphabet=("a", "b", "c")), ragged_sequences(symbols=3))
def test_running_equals_stepping_symbol_by_symbol(automaton, sequences):
    expected = [final_state(automaton, word.tolist()) for word in sequences]
    assert automaton.run(sequences).tolist() == expected
    assert automaton.classify(sequences).tolist() == [
        automaton.outputs[state] for state in expected
    ]


@given(automata(alphabet=("a", "b", "c")), ragged_sequences(symbols=3), st.integers(2, 4))
def test_threads_change_nothing(automaton, sequences, threads):
    assert automaton.run(sequences, threads=threads).tolist() == automaton.run(sequences).tolist()


@given(automata(alphabet=("a", "b", "c")), ragged_sequences(symbols=3))
def test_a_trace_holds_the_state_after_each_symbol(automaton, sequences):
    expected = [
        final_state(automaton, word[: i + 1]) for word in sequences for i in range(len(word))
    ]
    trace = automaton.trace(sequences)
    assert trace.tolist() == expected
    assert automaton.final_states(sequences, trace).tolist() == automaton.run(sequences).tolist()


@given(two_classes, st.text(alphabet="01"))
def test_a_word_is_accepted_as_automata_lib_accepts_it(automaton, word):
    assert automaton.accepts(word) == as_dfa(automaton).accepts_input(word)


def test_only_class_one_accepts_among_many():
    automaton = binary(
        classes=("no", "yes", "maybe"), transitions=[[1, 2], [1, 1], [2, 2]], outputs=[0, 1, 2]
    )
    assert [automaton.accepts(word) for word in ("", "0", "1")] == [False, True, False]


def test_symbols_outside_the_alphabet_are_refused():
    with pytest.raises(AutomatonError, match="expected symbols below 2, got 2"):
        binary().run(Sequences.from_lists([[0], [1, 2]]))


def test_a_word_is_encoded_by_the_places_of_its_symbols():
    assert binary().encode("0110") == [0, 1, 1, 0]
    assert binary(alphabet=("not", "bad")).encode(["bad", "not"]) == [1, 0]


def test_unknown_symbols_are_read_as_the_one_that_stands_for_them():
    alphabet = Alphabet(symbols=("<unk>", "bad"), unknown=0)
    assert binary(alphabet=alphabet).encode(["bad", "film"]) == [1, 0]


def test_unknown_symbols_are_refused_where_nothing_stands_for_them():
    with pytest.raises(DataError, match=r"alphabet .*, got '2'$"):
        binary().encode("012")


# The same language in fewer states


@given(automata(), st.data())
def test_minimizing_keeps_every_answer(automaton, data):
    words = data.draw(ragged_sequences(symbols=len(automaton.alphabet)))
    minimal = automaton.minimized()
    assert minimal.classify(words).tolist() == automaton.classify(words).tolist()
    for name in ("alphabet", "classes"):
        assert getattr(minimal, name) == getattr(automaton, name)


@given(two_classes)
def test_a_minimized_automaton_has_as_many_states_as_automata_lib_needs(automaton):
    assert automaton.minimized().n_states == len(as_dfa(automaton).minify().states)


@given(automata())
def test_minimizing_twice_changes_nothing_more(automaton):
    assert automaton.minimized().minimized() == automaton.minimized()


@given(automata(classes=3), st.randoms())
def test_the_minimized_automaton_does_not_depend_on_how_states_are_numbered(automaton, random):
    order = list(range(automaton.n_states))
    random.shuffle(order)
    place = np.argsort(order)
    renumbered = Automaton(
        alphabet=automaton.alphabet,
        classes=automaton.classes,
        transitions=place[automaton.transitions[order]],
        outputs=automaton.outputs[order],
        start=int(place[automaton.start]),
    )
    assert renumbered.minimized() == automaton.minimized()


@given(automata())
def test_reachable_states_are_those_that_short_words_lead_to(automaton):
    reached = {automaton.start}
    for _ in range(automaton.n_states):
        reached |= set(automaton.transitions[sorted(reached)].ravel().tolist())
    assert np.flatnonzero(automaton.reachable()).tolist() == sorted(reached)


# Telling two languages apart


@given(two_classes, two_classes)
def test_no_word_tells_apart_what_automata_lib_says_is_equal(one, other):
    assert (one.distinguishing_word(other) is None) == (as_dfa(one) == as_dfa(other))


@given(
    automata(alphabet=BINARY, classes=3, max_states=4),
    automata(alphabet=BINARY, classes=3, max_states=4),
)
def test_a_distinguishing_word_is_a_shortest_one_that_is_answered_differently(one, other):
    word = one.distinguishing_word(other)
    longest = one.n_states + other.n_states if word is None else len(word) - 1
    shorter = Sequences.from_lists(
        word for n in range(longest + 1) for word in product(range(2), repeat=n)
    )
    assert (one.classify(shorter) == other.classify(shorter)).all()
    if word is not None:
        both = Sequences.from_lists([one.encode(word)])
        assert one.classify(both) != other.classify(both)


@given(automata())
def test_no_word_tells_an_automaton_from_itself_minimized(automaton):
    assert automaton.distinguishing_word(automaton.minimized()) is None


def test_automata_over_other_alphabets_cannot_be_compared():
    with pytest.raises(AutomatonError, match="same alphabet"):
        binary().distinguishing_word(binary(alphabet=("a", "b")))


# The value itself


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"transitions": [[0, 2], [0, 1]]}, "one of the states 0 … 1"),
        ({"transitions": [[0, -1], [0, 1]]}, "one of the states 0 … 1"),
        ({"transitions": np.array([[0, 2**32], [0, 1]])}, "one of the states 0 … 1"),
        ({"transitions": [0, 1]}, "table of states by symbols"),
        ({"transitions": np.zeros((0, 2))}, "table of states by symbols"),
        ({"transitions": [[0], [1]]}, "1 columns"),
        ({"outputs": [0]}, "2 states need one output each"),
        ({"outputs": [[0, 1]]}, "2 states need one output each"),
        ({"outputs": [0, 2]}, "indices of the 2 classes"),
        ({"outputs": [0, -1]}, "indices of the 2 classes"),
        ({"start": 2}, "start must be one of the states 0 … 1, got 2"),
        ({"start": -1}, "start must be one of the states"),
    ],
)
def test_a_table_that_is_no_complete_automaton_is_refused(fields, message):
    with pytest.raises(AutomatonError, match=message):
        binary(**fields)


def test_an_automaton_cannot_be_changed():
    transitions = np.array([[0, 1], [0, 1]])
    automaton = binary(transitions=transitions)
    transitions[0, 0] = 1
    assert automaton.transitions[0, 0] == 0
    for array in (automaton.transitions, automaton.outputs):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(FrozenInstanceError):
        automaton.start = 1


def test_equal_tables_are_equal_automata():
    assert binary() == binary()
    assert hash(binary()) == hash(binary())
    assert binary() != binary(start=1)
    assert binary() != "an automaton"


# JSON


@given(automata())
def test_an_automaton_is_read_from_json_as_it_was_written(automaton):
    assert Automaton.from_json(automaton.to_json()) == automaton


def test_the_json_has_the_documented_fields():
    assert json.loads(binary().to_json()) == {
        "schema": 2,
        "alphabet": {"symbols": ["0", "1"], "unknown": None, "tokenizer": None, "quantizer": None},
        "classes": ["no", "yes"],
        "target": "class",
        "start": 0,
        "transitions": [[0, 1], [0, 1]],
        "outputs": [0, 1],
    }


def read_or_refuse(text: str) -> None:
    """Read JSON, whatever it holds: anything but an automaton or an error of ours is a crash."""
    try:
        automaton = Automaton.from_json(text)
    except (AutomatonError, DataError, SchemaError):
        return
    assert Automaton.from_json(automaton.to_json()) == automaton


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=9,
)
TEXT = Alphabet(symbols=("0", "1"), unknown=0, tokenizer="words")
FIELDS = json.loads(binary(alphabet=TEXT).to_json())
FIRST = FIELDS | {"schema": 1, "alphabet": ["0", "1"], "unknown": 0, "tokenizer": "words"}
"""The same automaton as the first schema had it."""


def test_a_field_that_is_there_twice_is_refused_at_any_depth():
    text = binary().to_json()
    with pytest.raises(AutomatonError, match="the field 'start' is there twice"):
        Automaton.from_json(text.replace('"start"', '"start": 1, "start"'))
    with pytest.raises(AutomatonError, match="the field 'a' is there twice"):
        Automaton.from_json(text[:-1] + ', "quantizer": {"a": 1, "a": 2}}')


def test_classes_have_different_names():
    with pytest.raises(AutomatonError, match="expected classes of different names"):
        replace(binary(), classes=("no", "no"))


@given(st.text() | json_values.map(json.dumps))
def test_no_text_crashes_the_reader(text):
    read_or_refuse(text)


@given(
    st.dictionaries(st.sampled_from(sorted(FIELDS)), json_values, min_size=1),
    st.sampled_from([None, *FIELDS]),
)
def test_no_change_to_a_field_crashes_the_reader(changes, missing):
    fields = FIELDS | changes
    read_or_refuse(json.dumps({name: value for name, value in fields.items() if name != missing}))


numbers = st.integers() | st.sampled_from([2**31, 2**63 - 1, 2**63, 2**64, -(2**31) - 1, -(2**63)])


@given(st.lists(st.lists(numbers, max_size=3), max_size=3), st.lists(numbers, max_size=3), numbers)
def test_no_number_crashes_the_reader(transitions, outputs, start):
    read_or_refuse(
        json.dumps(FIELDS | {"transitions": transitions, "outputs": outputs, "start": start})
    )


@given(st.integers(0, 200), st.text(max_size=3))
def test_no_change_to_the_text_crashes_the_reader(place, replacement):
    text = json.dumps(FIELDS)
    read_or_refuse(text[:place] + replacement + text[place + 1 :])


@pytest.mark.parametrize(
    "number", [2, 2**31, 2**32, 2**63, 2**64, -1, -(2**32), -(2**63), -(2**64)]
)
def test_a_number_of_no_state_or_class_is_refused(number):
    for field, value in (
        ("transitions", [[0, number], [0, 1]]),
        ("outputs", [0, number]),
        ("start", number),
    ):
        with pytest.raises(AutomatonError):
            Automaton.from_json(json.dumps(FIELDS | {field: value}))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"transitions": [[0, 1], [0]]}, "'transitions'"),
        ({"transitions": [[0, 1.0], [0, 1]]}, "'transitions'"),
        ({"transitions": [["0", "1"], ["0", "1"]]}, "'transitions'"),
        ({"transitions": []}, "'transitions'"),
        ({"outputs": None}, "'outputs'"),
        ({"start": True}, "'start'"),
        ({"start": None}, "'start'"),
        ({"classes": {"no": 0}}, "'classes'"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(fields, message):
    with pytest.raises(AutomatonError, match=message):
        Automaton.from_json(json.dumps(FIELDS | fields))


def test_an_automaton_of_the_first_schema_is_still_read():
    assert Automaton.from_json(json.dumps(FIRST)) == binary(alphabet=TEXT)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"unknown": 1.0}, "'unknown'"),
        ({"tokenizer": 3}, "'tokenizer'"),
        ({"alphabet": "01"}, "'symbols'"),
        ({"alphabet": [0, 1]}, "'symbols'"),
        ({"quantizer": 1}, "of a quantizer, got 1"),
    ],
)
def test_a_field_of_the_alphabet_of_the_wrong_type_is_named(fields, message):
    with pytest.raises(DataError, match=message):
        Automaton.from_json(json.dumps(FIRST | fields))


@pytest.mark.parametrize("schema", [0, 3, "1", None, [1]])
def test_another_schema_is_refused(schema):
    with pytest.raises(SchemaError, match="schema 2, got"):
        Automaton.from_json(json.dumps(FIELDS | {"schema": schema}))


def test_what_makes_symbols_of_numbers_is_kept():
    quantizer = Quantizer(window=1, means=[0], deviations=[1], prototypes=[[0], [1]])
    alphabet = Alphabet(symbols=quantizer.names, quantizer=quantizer)
    machine = replace(binary(), alphabet=alphabet)
    for kept in (machine.minimized(), Automaton.from_json(machine.to_json())):
        assert kept.alphabet == alphabet
