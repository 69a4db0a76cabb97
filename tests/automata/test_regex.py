import re
import subprocess
import sys
from contextlib import suppress

import pytest
from automata.fa.dfa import DFA
from automata.fa.nfa import NFA
from hypothesis import given
from hypothesis import strategies as st

from lisor.automata.regex import MAX_REPEATS, MAX_STATES, SHOWN, compile_regex
from lisor.errors import LanguageError
from lisor.sequences import Sequences
from tests.automata.test_automaton import as_dfa
from tests.data.conftest import words_up_to

AB = ("a", "b")
REPETITIONS = ("*", "+", "?", "{1}", "{2}", "{0,1}", "{1,2}", "{0,}", "{2,}")


def longer(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(REPETITIONS)).map(lambda pair: f"({pair[0]}){pair[1]}"),
    )


# What this dialect, Python's and automata-lib's have in common: there `a{0}` holds "a", so it is
# left out.
expressions = st.recursive(
    st.sampled_from(["a", "b", "[ab]", "[^a]", "[a-b]", "()"]), longer, max_leaves=8
)


def accepted(expression: str, alphabet: str = "01", longest: int = 6) -> list[str]:
    """The short words of an expression, the shortest first."""
    automaton, words = compile_regex(expression, tuple(alphabet)), words_up_to(longest, alphabet)
    codes = Sequences.from_lists(map(automaton.encode, words))
    return [word for word, answer in zip(words, automaton.classify(codes), strict=True) if answer]


# Which words it holds


@given(expressions)
def test_an_expression_holds_the_words_that_python_matches(expression):
    pattern = re.compile(expression)
    assert accepted(expression, "ab", 4) == [
        word for word in words_up_to(4, "ab") if pattern.fullmatch(word)
    ]


@given(expressions)
def test_an_expression_holds_the_words_that_automata_lib_finds_in_it(expression):
    bounded = re.sub(r"\{(\d)\}", r"{\1,\1}", expression)
    expected = DFA.from_nfa(NFA.from_regex(bounded, input_symbols=set(AB)))
    automaton = compile_regex(expression, AB)
    assert as_dfa(automaton) == expected
    assert automaton.n_states == len(expected.minify().to_complete().states)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("()", [""]),
        ("()|0", ["", "0"]),
        ("(()|0)(10)*", ["", "0", "10", "010", "1010", "01010", "101010"]),
        ("0{0}", [""]),
        ("(01){0}1", ["1"]),
        ("0{3}", ["000"]),
        ("(01){2}", ["0101"]),
        ("0{2,3}", ["00", "000"]),
        ("0{5,}", ["00000", "000000"]),
        ("[01]", ["0", "1"]),
        ("[0-1]1", ["01", "11"]),
        ("[^0]", ["1"]),
        ("[^01]", []),
        ("1[^01]*", ["1"]),
        ("\\0\\1", ["01"]),
        ("0|1|01", ["0", "1", "01"]),
        (
            "0|1{2}",
            ["0", "11"],
        ),  # a repetition binds more tightly than what stands beside it, and that than |
        ("01?", ["0", "01"]),
        (
            "0+?",
            ["", "0", "00", "000", "0000", "00000", "000000"],
        ),  # not lazy: a repetition of a repetition
    ],
)
def test_the_dialect_is_as_documented(expression, words):
    assert accepted(expression) == words


@pytest.mark.parametrize(
    ("expression", "alphabet", "words"),
    [
        (r"\*\|", "*|", ["*|"]),
        ("[*|]", "*|", ["*", "|"]),
        (r"\\", "\\a", ["\\"]),
        (r"[\]a]", "a]", ["a", "]"]),
        (r"[\^]", "^a", ["^"]),
        (r"[^\^]", "^a", ["a"]),
        ("[a-c]", "abcd", ["a", "b", "c"]),
        ("[^a-c]", "abcd", ["d"]),
        ("[a-bd]", "abcd", ["a", "b", "d"]),
        ("éa", "aé", ["éa"]),
        (" ", " a", [" "]),
    ],
)
def test_a_backslash_makes_a_symbol_of_any_sign(expression, alphabet, words):
    assert accepted(expression, alphabet, 2) == words


def test_the_automaton_is_the_smallest_and_answers_in_words():
    automaton = compile_regex("(0|1)*000(0|1)*|[01]*000[01]*", ("0", "1"))
    assert automaton.n_states == 4
    assert automaton.classes == ("reject", "accept")
    assert automaton.alphabet == ("0", "1")


def test_the_same_expression_gives_the_same_table():
    for _ in range(3):
        assert compile_regex("(0|11|10(00)*)*1?", ("0", "1")) == compile_regex(
            "(0|11|10(00)*)*1?", ("0", "1")
        )


# Mistakes


@pytest.mark.parametrize(
    ("expression", "position", "problem"),
    [
        ("", 1, "expected a symbol or a group; the empty word is written ()"),
        ("0|", 3, "expected a symbol or a group"),
        ("|0", 1, "expected a symbol or a group"),
        ("(0|)", 4, "expected a symbol or a group"),
        ("0)1", 2, "a parenthesis closes here that none has opened"),
        ("1(0", 2, "this parenthesis is never closed"),
        ("((0)", 1, "this parenthesis is never closed"),
        ("1[01", 2, "this bracket is never closed"),
        ("0[]", 2, "a class needs at least one symbol"),
        ("[^]", 1, "a class needs at least one symbol"),
        ("[1-0]", 1, "a class needs at least one symbol"),
        ("[0-", 4, "expected a symbol, but the expression ends"),
        ("[0-]", 4, "']' is not in the alphabet '01'; a backslash before it"),
        ("0|*", 3, "there is nothing before '*' that it could apply to"),
        ("+0", 1, "there is nothing before '+'"),
        ("(?0)", 2, "there is nothing before '?'"),
        ("{2}", 1, "there is nothing before '{'"),
        ("0]", 2, "there is nothing before ']'"),
        ("0{", 3, "expected a number"),
        ("0{,2}", 3, "expected a number"),
        ("0{1,a}", 5, "expected a number"),
        ("0{1", 4, "expected {m}, {m,} or {m,n}"),
        ("0{1;2}", 4, "expected {m}, {m,} or {m,n}"),
        ("0{2,1}", 3, "the bounds are the wrong way round: 2 > 1"),
        (f"0{{{MAX_REPEATS + 1}}}", 3, f"the bounds must be at most {MAX_REPEATS}"),
        (f"0{{0,{MAX_REPEATS + 1}}}", 3, f"the bounds must be at most {MAX_REPEATS}"),
        ("0{" + "9" * 5000 + "}", 3, f"the bounds must be at most {MAX_REPEATS}"),
        ("01\\", 4, "expected a symbol, but the expression ends"),
        ("012", 3, "'2' is not in the alphabet '01'"),
        ("0.1", 2, "'.' is not in the alphabet"),
        ("[02]", 3, "'2' is not in the alphabet"),
        ("[0-2]", 4, "'2' is not in the alphabet"),
        ("[0*]", 3, "'*' is not in the alphabet '01'; a backslash before it"),
        ("\\*", 2, "'*' is not in the alphabet '01': "),
    ],
)
def test_a_mistake_is_shown_at_its_place(expression, position, problem):
    after = expression[position - 1 :]
    shown = f"{expression[: position - 1]} ⟨here⟩ {after[:SHOWN]}".strip() + "…" * (
        len(after) > SHOWN
    )
    with pytest.raises(
        LanguageError, match=rf"^the regular expression is wrong at character {position}: "
    ) as raised:
        compile_regex(expression, ("0", "1"))
    assert problem in str(raised.value)
    assert str(raised.value).endswith(shown)


@given(st.text(max_size=12) | st.text(alphabet="01|*+?{},()[]^-\\ 2٣", max_size=12))
def test_any_text_is_an_expression_or_is_refused(text):
    try:
        automaton = compile_regex(text, ("0", "1"))
    except LanguageError:
        return
    assert automaton == automaton.minimized()


@given(expressions, st.integers(0, 40), st.text(alphabet="ab|*+?{},()[]^-\\1", max_size=2))
def test_no_change_to_an_expression_crashes_the_reader(expression, place, replacement):
    text = expression[:place] + replacement + expression[place + 1 :]
    with suppress(LanguageError):
        compile_regex(text, AB)


# Expressions that are too large


def test_an_automaton_of_too_many_states_is_refused():
    with pytest.raises(LanguageError, match=f"has more than {MAX_STATES:,} states"):
        compile_regex("(0{97})*|(0{89})*|(0{83})*", ("0", "1"))


def test_an_expression_nested_too_deeply_is_refused():
    with pytest.raises(LanguageError, match=r"'\(\(\(.*\)\)\)' is nested too deeply"):
        compile_regex("(" * 9999 + "0" + ")" * 9999, ("0", "1"))


@pytest.mark.parametrize(
    "expression",
    [
        "'0' * 20_000",
        "'0' * 300_000",
        "'0' + '+' * 30",
        "'(0|1)*0(0|1){200}'",
        "'0' + '*+' * 30",
        "'0' + '{1,2}' * 30",
        "'((0{200}){200}){200}'",
        "'((0|10){0,100}|(1|01){0,100}){0,100}'",
    ],
)
def test_any_expression_is_compiled_or_refused_soon(expression):
    code = (
        "from lisor.automata.regex import compile_regex\nfrom lisor.errors import LanguageError\n"
        f"try: compile_regex({expression}, ('0', '1'))\nexcept LanguageError: pass"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)
