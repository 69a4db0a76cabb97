import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.automata.automaton import Automaton
from lisor.automata.formats.python_code import to_python
from tests.automata.formats.conftest import ODD_NAMES, large_automaton, many_words
from tests.strategies import automata, odd_alphabets, ragged_sequences


def module(automaton: Automaton) -> dict:
    """The names of the module, made without anything of ours."""
    names: dict = {}
    exec(compile(to_python(automaton), "automaton.py", "exec"), names)
    return names


@given(
    odd_alphabets.flatmap(lambda alphabet: automata(alphabet=alphabet)),
    st.permutations(ODD_NAMES),
    st.data(),
)
def test_the_module_answers_as_the_automaton_does(automaton, names, data):
    automaton = replace(automaton, classes=tuple(names[: len(automaton.classes)]))
    made = module(automaton)
    assert to_python(automaton).isascii()
    assert (tuple(made["ALPHABET"]), tuple(made["CLASSES"])) == (
        automaton.alphabet,
        automaton.classes,
    )
    assert (made["START"], made["UNKNOWN"]) == (automaton.start, automaton.alphabet.unknown)
    assert made["TOKENIZER"] == automaton.alphabet.tokenizer
    sequences = data.draw(ragged_sequences(symbols=len(automaton.alphabet)))
    assert [made["run"](word.tolist()) for word in sequences] == automaton.run(sequences).tolist()
    assert [made["classify"](word.tolist()) for word in sequences] == automaton.classify(
        sequences
    ).tolist()


@given(
    odd_alphabets.flatmap(lambda alphabet: automata(alphabet=alphabet)),
    st.lists(st.text(max_size=2), max_size=4),
)
def test_symbols_are_numbered_as_the_automaton_numbers_them(automaton, foreign):
    encode = module(automaton)["encode"]
    assert encode(automaton.alphabet) == automaton.encode(automaton.alphabet)
    if automaton.alphabet.unknown is not None:
        assert encode(foreign) == automaton.encode(foreign)


@pytest.mark.parametrize("number", [-1, 2])
def test_a_number_that_no_symbol_has_is_an_index_error(number):
    ends_in_1 = Automaton(
        alphabet=("0", "1"), classes=("n", "y"), transitions=[[0, 1], [0, 1]], outputs=[0, 1]
    )
    with pytest.raises(IndexError):
        module(ends_in_1)["classify"]([number])


def test_a_symbol_that_the_alphabet_lacks_is_a_key_error():
    ends_in_1 = Automaton(
        alphabet=("0", "1"), classes=("n", "y"), transitions=[[0, 1], [0, 1]], outputs=[0, 1]
    )
    with pytest.raises(KeyError):
        module(ends_in_1)["encode"]("012")


def test_ten_thousand_words_are_classified_alike_by_python_alone(tmp_path):
    automaton, words = large_automaton(), many_words(5)
    (tmp_path / "automaton.py").write_text(to_python(automaton), encoding="ascii")
    (tmp_path / "words.txt").write_text("\n".join(" ".join(map(str, word)) for word in words))
    program = (
        "import automaton\n"
        "for line in open('words.txt').read().split('\\n'):\n"
        "    word = list(map(int, line.split()))\n"
        "    print(automaton.run(word), automaton.classify(word))\n"
    )
    (tmp_path / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-S", "-E", "program.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert answers == list(
        zip(automaton.run(words).tolist(), automaton.classify(words).tolist(), strict=True)
    )
