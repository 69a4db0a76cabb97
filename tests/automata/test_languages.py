import re
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.automata.automaton import Automaton
from lisor.automata.drawing import to_dot
from lisor.automata.formats.jflap import to_jflap
from lisor.automata.languages import CLASSES, LANGUAGES, Language, find
from lisor.errors import AutomatonError, LanguageError, SchemaError
from lisor.sequences import Sequences
from tests.data.conftest import words_up_to


def no_odd_run_of_0_after_an_odd_run_of_1(word: str) -> bool:
    runs = [(sign, len(list(run)) % 2 == 1) for sign, run in groupby(word)]
    return not any(
        odd and sign == "1" and ("0", True) in runs[i + 1 :] for i, (sign, odd) in enumerate(runs)
    )


MEMBERS = {
    "000": lambda word: "000" in word,
    "0110": lambda word: word == "0110",
    "tomita-1": lambda word: "0" not in word,
    "tomita-2": lambda word: word == "10" * (len(word) // 2),
    "tomita-3": no_odd_run_of_0_after_an_odd_run_of_1,
    "tomita-4": lambda word: "000" not in word,
    "tomita-5": lambda word: word.count("0") % 2 == word.count("1") % 2 == 0,
    "tomita-6": lambda word: (word.count("0") - word.count("1")) % 3 == 0,
    "tomita-7": lambda word: word.count("10") <= 1,
}
ENDS_IN_1 = Automaton(
    alphabet=("0", "1"), classes=CLASSES, transitions=np.array([[0, 1], [0, 1]]), outputs=[0, 1]
)


def accepted(language: Language, words: list[str]) -> list[bool]:
    codes = Sequences.from_lists(map(language.automaton.encode, words))
    return (language.automaton.classify(codes) == 1).tolist()


@pytest.fixture
def file(tmp_path: Path):
    """A file of that name and content, as `find` is told of it."""

    def write(name: str, content: str | bytes) -> str:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return f"automaton:{tmp_path / name}"

    return write


# Those that have a name


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_automaton_accepts_the_words_of_the_language(name):
    words = words_up_to(10)
    assert accepted(LANGUAGES[name], words) == [MEMBERS[name](word) for word in words]


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("tomita-1", "1*"),
        ("tomita-2", "(10)*"),
        ("tomita-4", "1*((0|00)11*)*(0|00)?"),
        ("tomita-7", "0*1*0*1*"),
    ],
)
def test_the_automaton_accepts_what_the_expression_of_the_language_matches(name, expression):
    words = words_up_to(10)
    assert accepted(LANGUAGES[name], words) == [
        bool(re.fullmatch(expression, word)) for word in words
    ]


@pytest.mark.parametrize(("number", "states"), list(enumerate([2, 3, 5, 4, 4, 3, 5], start=1)))
def test_the_languages_of_tomita_are_given_by_automata_as_small_as_can_be(number, states):
    automaton = LANGUAGES[f"tomita-{number}"].automaton
    assert automaton.n_states == automaton.minimized().n_states == states


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_language_equals_its_own_minimal_automaton_and_no_other_language(name):
    for other, language in LANGUAGES.items():
        assert LANGUAGES[name].equals(language.automaton.minimized()) == (name == other)


def test_a_language_of_one_length_is_judged_on_that_length_alone():
    loops_after_0110 = Automaton(
        alphabet=("0", "1"),
        classes=CLASSES,
        transitions=np.array([[1, 5], [5, 2], [5, 3], [4, 5], [4, 4], [5, 5]]),
        outputs=np.array([0, 0, 0, 0, 1, 0]),
    )
    assert loops_after_0110.accepts("01101")
    assert LANGUAGES["0110"].equals(loops_after_0110)


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_language_is_found_by_its_name(name):
    assert find(name) is LANGUAGES[name]


@pytest.mark.parametrize(
    "name", ["", "001", "tomita-8", "Tomita-1", "regex", "(0|1)*", "file.json"]
)
def test_a_name_that_no_language_has_is_refused_with_those_that_some_have(name):
    with pytest.raises(
        LanguageError,
        match=rf"one of 000, 0110, tomita-1.* or automaton:…, got '{re.escape(name)}'",
    ):
        find(name)


# Those given by an expression


def test_a_language_is_found_by_an_expression_over_an_alphabet():
    language = find("regex:(a|b|c)*ab", "abc")
    assert language.automaton.alphabet == ("a", "b", "c")
    assert accepted(language, ["ab", "cab", "", "abc"]) == [True, True, False, False]
    assert find("regex:(0|1)*000(0|1)*").equals(LANGUAGES["000"].automaton)


@pytest.mark.parametrize("expression", ["(0|1)*", "[01]*", "(0*1*)*", "()|[01]+"])
def test_a_language_that_holds_every_word_is_refused(expression):
    with pytest.raises(LanguageError, match=r"holds every word: there is nothing to learn"):
        find(f"regex:{expression}")


@pytest.mark.parametrize("expression", ["[^01]", "0[^01]1", "[^01]+"])
def test_a_language_that_holds_no_word_is_refused(expression):
    with pytest.raises(LanguageError, match=r"holds no word: there is nothing to learn"):
        find(f"regex:{expression}")


def test_an_expression_over_signs_that_the_alphabet_lacks_is_refused():
    with pytest.raises(LanguageError, match="'a' is not in the alphabet '01'"):
        find("regex:(a|b)*")


names = st.sampled_from(
    [
        "regex:",
        "automaton:",
        "tomita-",
        "0",
        "1",
        "(",
        ")",
        "|",
        "*",
        "{2,",
        "}",
        "[",
        "/",
        "\0",
        "é",
    ]
)


@given(st.lists(names).map("".join) | st.text(), st.text(max_size=3) | st.just("01"))
def test_whatever_it_is_called_a_language_is_found_or_refused(name, alphabet):
    try:
        language = find(name, alphabet)
    except (LanguageError, AutomatonError, SchemaError):
        return
    assert language.automaton.classes == CLASSES


# Those given in a file


@pytest.mark.parametrize("name", ["one.json", "one.txt", "one"])
def test_a_language_is_found_in_a_file_of_json(file, name):
    assert find(file(name, ENDS_IN_1.to_json())).automaton == ENDS_IN_1


@pytest.mark.parametrize("name", ["one.dot", "ONE.DOT"])
def test_a_language_is_found_in_a_drawing(file, name):
    assert find(file(name, to_dot(ENDS_IN_1))).automaton == ENDS_IN_1


def test_a_language_is_found_in_a_file_of_jflap(file):
    assert find(file("one.jff", to_jflap(ENDS_IN_1))).automaton == ENDS_IN_1


def test_the_alphabet_of_a_file_is_its_own(file):
    words = replace(ENDS_IN_1, alphabet=("not", "bad"))
    assert find(file("one.json", words.to_json()), "01").automaton.alphabet == ("not", "bad")


@pytest.mark.parametrize("name", ["absent.json", "absent.dot", ".", ""])
def test_a_file_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(
        LanguageError, match=rf"the automaton {re.escape(str(tmp_path / name))} cannot be read"
    ):
        find(f"automaton:{tmp_path / name}")


@pytest.mark.parametrize("name", ["a\0b.json", "\ud800.json", "x" * 5000, ""])
def test_a_name_that_no_file_can_have_is_refused(name):
    with pytest.raises(LanguageError, match="cannot be read"):
        find(f"automaton:{name}")


def test_a_file_that_is_no_text_is_refused(file):
    with pytest.raises(LanguageError, match="cannot be read"):
        find(file("one.json", b"\xff\xfe"))


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("one.json", "", AutomatonError),
        ("one.json", "digraph {}", AutomatonError),
        ("one.json", '{"schema": 1}', AutomatonError),
        ("one.json", '{"schema": 99}', SchemaError),
        ("one.dot", "", AutomatonError),
        ("one.dot", '{"schema": 1}', AutomatonError),
        ("one.dot", "digraph {}", AutomatonError),
    ],
)
def test_a_file_that_holds_no_automaton_is_refused(file, name, content, error):
    with pytest.raises(error):
        find(file(name, content))


def test_an_automaton_of_three_classes_is_no_language(file):
    automaton = Automaton(
        alphabet=("0", "1"),
        classes=("a", "b", "c"),
        transitions=np.array([[0, 1], [0, 1]]),
        outputs=np.array([0, 1]),
    )
    with pytest.raises(LanguageError, match=r"two classes of words, automaton:.* has 3"):
        find(file("three.json", automaton.to_json()))


@pytest.mark.parametrize(("output", "words"), [(1, "every word"), (0, "no word")])
def test_states_that_no_word_reaches_do_not_make_a_language(file, output, words):
    automaton = Automaton(
        alphabet=("0", "1"),
        classes=CLASSES,
        transitions=np.array([[0, 0], [0, 1]]),
        outputs=[output, 1 - output],
    )
    with pytest.raises(LanguageError, match=f"holds {words}"):
        find(file("one.json", automaton.to_json()))
