from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.automata.automaton import Automaton
from lisor.automata.formats.c_code import to_c
from lisor.errors import AutomatonError
from lisor.sequences import Sequences
from tests.automata.c_program import run_c
from tests.automata.formats.conftest import ODD_NAMES, large_automaton, many_words
from tests.strategies import automata, odd_alphabets

# Writes all names in hexadecimal, then state and class of each word, and last what encode makes of
# each argument.
PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>

static void show(const char *text)
{
    for (; *text; text++)
        printf("%02x", (unsigned int)(unsigned char)*text);
    printf("\n");
}

int main(int count, char **given)
{
    static int numbers[64];
    int i, length;
    for (i = 0; i < SYMBOLS; i++)
        show(alphabet[i]);
    for (i = 0; i < CLASSES; i++)
        show(classes[i]);
    while (scanf("%d", &length) == 1) {
        for (i = 0; i < length; i++)
            if (scanf("%d", &numbers[i]) != 1)
                return 1;
        printf("%d %d\n", run(numbers, (size_t)length), classify(numbers, (size_t)length));
    }
    for (i = 1; i < count; i++)
        printf("%d\n", encode(given[i]));
    return 0;
}
"""


def compile_and_run(
    folder: Path, automaton: Automaton, words: Sequences, *texts: bytes
) -> list[str]:
    """The lines that PROGRAM writes."""
    given = "\n".join(" ".join(map(str, [len(word), *word])) for word in words)
    return run_c(folder, automaton, PROGRAM, given=given, arguments=texts).splitlines()


def answers(automaton: Automaton, words: Sequences) -> list[str]:
    pairs = zip(automaton.run(words).tolist(), automaton.classify(words).tolist(), strict=True)
    return [f"{state} {output}" for state, output in pairs]


def names(automaton: Automaton) -> list[str]:
    return [name.encode().hex() for name in (*automaton.alphabet, *automaton.classes)]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("states", [1, 256, 257, 66_000])
def test_ten_thousand_words_are_classified_alike_without_a_warning(tmp_path, states, classes):
    automaton, words = large_automaton(states, classes=classes), many_words(5)
    assert compile_and_run(tmp_path, automaton, words) == names(automaton) + answers(
        automaton, words
    )


without_end = odd_alphabets.filter(lambda symbols: "\0" not in "".join(symbols))


@settings(max_examples=12)
@given(
    without_end.flatmap(lambda alphabet: automata(alphabet=alphabet)), st.permutations(ODD_NAMES)
)
def test_names_come_out_as_they_went_in(tmp_path_factory, automaton, names_of_classes):
    automaton = replace(automaton, classes=tuple(names_of_classes[: len(automaton.classes)]))
    words = many_words(len(automaton.alphabet), 20)
    texts = [symbol.encode() for symbol in automaton.alphabet] + [b"no such symbol"]
    codes = [
        *range(len(automaton.alphabet)),
        -1 if automaton.alphabet.unknown is None else automaton.alphabet.unknown,
    ]
    lines = compile_and_run(tmp_path_factory.mktemp("c"), automaton, words, *texts)
    assert lines == [*names(automaton), *answers(automaton, words), *map(str, codes)]


def test_every_trigraph_and_what_a_comment_ends_with_come_out_as_they_went_in(tmp_path):
    symbols = [
        *(f"??{sign}" for sign in "=/'()!<>-"),
        "*/",
        "//",
        "\\\n",
        '"',
        "%s",
        "\x019",
        "é1",
        "日a",
    ]
    table = np.zeros((1, len(symbols)), int)
    automaton = Automaton(
        alphabet=tuple(symbols), classes=("??/", '";'), transitions=table, outputs=[1]
    )
    assert compile_and_run(tmp_path, automaton, Sequences.from_lists([[0]])) == [
        *names(automaton),
        "0 1",
    ]


def test_a_number_that_no_symbol_has_is_answered_by_minus_one(tmp_path):
    ends_in_1 = Automaton(
        alphabet=("0", "1"), classes=("n", "y"), transitions=[[0, 1], [0, 1]], outputs=[0, 1]
    )
    printed = run_c(tmp_path, ends_in_1, PROGRAM, given="1 2\n2 1 -1\n1 1\n")
    assert printed.splitlines()[4:] == ["-1 -1", "-1 -1", "1 1"]


@pytest.mark.parametrize("name", ["\0", "a\0b", "\ud800"])
def test_a_name_that_c_cannot_hold_is_refused(name):
    with pytest.raises(AutomatonError, match=r"in C, but|UTF-8"):
        to_c(Automaton(alphabet=(name,), classes=("n", "y"), transitions=[[0]], outputs=[1]))
