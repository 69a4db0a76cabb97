from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.automata.automaton import Automaton
from lisor.automata.drawing import LETTERS, render, to_dot
from lisor.automata.formats.dot import read_dot
from lisor.errors import AutomatonError, DataError, SchemaError
from tests.strategies import automata, odd_alphabets

# As AALpy 2.0 saves a deterministic automaton: the words with an odd number of 1.
AALPY = """digraph one {
s0 [label="s0"];
s1 [label="s1", shape=doublecircle];
s0 -> s0 [label="0"];
s0 -> s1 [label="1"];
s1 -> s1 [label="0"];
s1 -> s0 [label="1"];
__start0 [shape=none, label=""];
__start0 -> s0 [label=""];
}
"""

letters = st.lists(st.characters(categories=["L", "N"]), min_size=1, max_size=LETTERS, unique=True)


def graph(lines: str, *, head: str = "digraph") -> str:
    """A graph whose state a is the start."""
    return f"{head} {{ nowhere [shape=point]; nowhere -> a; {lines} }}"


# What is read


@given(letters.flatmap(lambda signs: automata(alphabet=tuple(sorted(signs)), classes=2)))
def test_a_drawing_is_read_as_the_automaton_that_was_drawn(automaton):
    read = read_dot(to_dot(automaton))
    assert read.alphabet == automaton.alphabet.symbols
    assert read.classes == ("reject", "accept")
    assert read.n_states == automaton.reachable().sum()
    assert read.distinguishing_word(automaton) is None


@given(automata(alphabet=("0", "1"), classes=2), st.data())
def test_dashed_and_red_edges_are_transitions_all_the_same(automaton, data):
    shown = st.lists(st.booleans(), min_size=2, max_size=2)
    seen = np.array(
        data.draw(st.lists(shown, min_size=automaton.n_states, max_size=automaton.n_states))
    )
    drawn = to_dot(automaton, seen, path=data.draw(st.text("01", max_size=4)))
    assert read_dot(drawn).distinguishing_word(automaton) is None


def test_a_drawing_that_is_read_can_be_drawn_again():
    once = read_dot(AALPY)
    assert read_dot(to_dot(once)) == once
    assert "<svg" in render(to_dot(once))


def test_an_automaton_is_read_as_aalpy_saves_it():
    automaton = read_dot(AALPY)
    assert automaton == Automaton(
        alphabet=("0", "1"),
        classes=("reject", "accept"),
        transitions=np.array([[0, 1], [1, 0]]),
        outputs=[0, 1],
    )
    assert [automaton.accepts(word) for word in ("", "1", "0110", "01101")] == [
        False,
        True,
        False,
        True,
    ]


@pytest.mark.parametrize(
    "marker", ["shape=point", "shape=none", "shape=plaintext", "shape=point, style=invis"]
)
def test_the_start_is_where_the_edge_from_nowhere_leads(marker):
    lines = 'a -> b [label="0"]; b -> a [label="0"]; b [shape=doublecircle]'
    for start in ("a", "b"):
        automaton = read_dot(f"digraph {{ {lines}; nowhere [{marker}]; nowhere -> {start} }}")
        assert automaton.accepts("") == (start == "b")


@pytest.mark.parametrize(
    "lines",
    [
        'a -> a [label="0, 1"]',
        'a -> a [label="0,1"]',
        'a -> a [label="1 , 0"]',
        "a -> a [label=1]; a -> a [label=0]",
        'a -> a [label="0"]; a -> a [label="0, 1"]',
        "edge [label=0]; a -> a; a -> a [label=1]",
        'subgraph cluster { a -> a [label="0, 1"] }',
    ],
)
def test_parallel_edges_are_one_or_several(lines):
    automaton = read_dot(graph(lines))
    assert automaton.alphabet == ("0", "1")
    assert automaton.transitions.tolist() == [[0, 0]]


def test_accepting_states_may_be_the_rule():
    automaton = read_dot(
        "digraph { node [shape=doublecircle]; a; b [shape=circle]; n [shape=point]; n -> a; a -> b "
        "[label=x]; "
        "b -> b [label=x] }"
    )
    assert [automaton.accepts(word) for word in ("", "x")] == [True, False]


def test_states_are_numbered_as_the_graph_lists_them_and_symbols_sorted():
    automaton = read_dot(
        graph("z; a -> z [label=b]; a -> a [label=a]; z -> a [label=b]; z -> z [label=a]")
    )
    assert automaton.alphabet == ("a", "b")
    assert automaton.start == 0
    assert automaton.transitions.tolist() == [[0, 1], [1, 0]]


def test_symbols_may_be_words():
    automaton = read_dot(
        graph('a -> b [label="not, very"]; b -> a [label="not"]; b -> b [label="very"]')
    )
    assert automaton.alphabet == ("not", "very")
    assert automaton.encode(["very"]) == [1]


# Drawings that are meant to be read


@given(odd_alphabets.flatmap(lambda alphabet: automata(alphabet=alphabet)), st.text(min_size=1))
def test_an_exact_drawing_is_read_as_the_very_automaton(automaton, name):
    automaton = replace(automaton, classes=(name, *automaton.classes[1:]))
    assert read_dot(to_dot(automaton, exact=True)) == automaton


@given(automata(alphabet=tuple("abcdefghijkl")))
def test_an_exact_drawing_has_every_symbol_however_many_there_are(automaton):
    drawn = to_dot(automaton, exact=True)
    assert read_dot(drawn) == automaton


@given(automata(alphabet=("0", "1")))
def test_an_exact_drawing_looks_like_the_other_where_every_state_is_reached(automaton):
    small = automaton.minimized()
    assert render(to_dot(small, exact=True)) == render(to_dot(small))


EXACT = to_dot(read_dot(AALPY), exact=True)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ('"{', '"', AutomatonError),
        ('"{', '"[', AutomatonError),
        ('schema\\": 2', 'schema\\": 3', SchemaError),
        ("alphabet", "letters", AutomatonError),
        ('[\\"0\\", \\"1\\"]', "7", AutomatonError),
        ('[\\"0\\", \\"1\\"]', "[7, 8]", DataError),
        ('symbols="0"', 'symbols="0 1"', AutomatonError),
        ('symbols="0"', 'symbols="2"', AutomatonError),
        ('symbols="0"', 'symbols="-1"', AutomatonError),
        ('symbols="0"', "", AutomatonError),
        ("output=1", "output=2", AutomatonError),
        ("output=1", "output=-1", AutomatonError),
        ("output=1", "output=yes", AutomatonError),
        ("output=1", "", AutomatonError),
    ],
)
def test_attributes_that_do_not_fit_are_refused(old, new, error):
    assert old in EXACT
    with pytest.raises(error):
        read_dot(EXACT.replace(old, new))


# What is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a graph"),
        ("digraph", "expected a graph"),
        ("digraph {", "expected a graph"),
        ("digraph { a -> }", "expected a graph"),
        ('digraph { a [label="}', "expected a graph"),
        ("digraph { /* }", "expected a graph"),
        ('{"schema": 1}', "expected a graph"),
        (graph("a -> a [label=0] \0"), "expected a graph"),
        (graph('a -> a [label="\ud800"]'), "expected a graph"),
        ("digraph {}", "shows the start, found 0"),
        ("digraph { a -> a [label=0] }", "shows the start, found 0"),
        ("digraph { n [shape=point]; a -> a [label=0] }", "shows the start, found 0"),
        (graph("nowhere -> b; a -> b [label=0]; b -> a [label=0]"), "shows the start, found 2"),
        (
            graph("a -> b [label=0]; a -> a [label=0]; b -> b [label=0]"),
            "state a has two transitions on '0'",
        ),
        (
            graph("a -> b [label=0]; b -> a [label=1]; a -> a [label=1]"),
            "state b has no transition on '0'",
        ),
        (graph("a -> b [label=0]"), "state b has no transition on '0'"),
    ],
)
def test_a_text_that_is_no_complete_automaton_is_refused(text, message):
    with pytest.raises(AutomatonError, match=message):
        read_dot(text)


@pytest.mark.parametrize(
    "text",
    [
        graph("a -> a"),
        graph('a -> a [label=""]'),
        graph('a -> a [label="0,"]'),
        graph("a -> a [label=0]; a -> nowhere [label=1]"),
        graph("a -> a [label=0]; b [shape=none]; a -> b"),
        "digraph { a [shape=point]; b [shape=point]; a -> b }",
        graph('charset="nonsense"; a -> a [label=0]'),
        graph('charset="hex"; a -> a [label=0]'),
        'digraph { "" [shape=point]; "" -> a; a -> a [label=0] }',
    ],
)
def test_an_edge_without_a_symbol_or_from_state_to_nowhere_is_refused(text):
    with pytest.raises(AutomatonError):
        read_dot(text)


@pytest.mark.parametrize(
    "text", ["digraph { /*", 'digraph { "', "digraph { <", "#", "digraph { a -> "]
)
def test_a_broken_text_does_not_spoil_the_next(text):
    with pytest.raises(AutomatonError):
        read_dot(text)
    assert read_dot(AALPY).accepts("1")


@pytest.mark.parametrize("symbol", ["<b>", "&amp;", "'", "{}", "]", "->", "#", "//", "é", "%s"])
def test_any_symbol_is_read_as_it_stands(symbol):
    assert read_dot(graph(f'a -> a [label="{symbol}"]')).alphabet == (symbol,)


# No text crashes it


def read_or_refuse(text: str) -> None:
    """Read a drawing, whatever it holds: anything but an automaton or an error of ours is a
    crash."""
    try:
        automaton = read_dot(text)
    except (AutomatonError, DataError, SchemaError):
        return
    assert Automaton.from_json(automaton.to_json()) == automaton


TOKENS = (
    *(
        "a",
        "b",
        "s",
        "->",
        "--",
        "s -> a;",
        "a -> a",
        "[label=0]",
        '[label="0,1"]',
        "[label=1]",
        "[label=<b>]",
    ),
    *(
        "[shape=point]",
        "[shape=none]",
        "[shape=doublecircle]",
        "[",
        "]",
        "{",
        "}",
        ";",
        ",",
        "=",
        '"',
        "\\",
        "/*",
        "#",
    ),
    *(
        "node",
        "edge",
        "graph",
        "subgraph",
        "strict",
        "digraph",
        'charset="latin1"',
        'charset="x"',
        '""',
        "\0",
        "é",
    ),
)


@given(st.text() | st.text(max_size=8).map(lambda text: graph(f'a -> a [label="{text}"]')))
def test_no_text_crashes_the_reader(text):
    read_or_refuse(text)


@given(
    st.lists(st.sampled_from(TOKENS), max_size=12),
    st.sampled_from(["graph", "digraph", "strict digraph"]),
)
def test_no_graph_crashes_the_reader(tokens, head):
    read_or_refuse(f"{head} {{ s [shape=point]; {' '.join(tokens)} }}")


@pytest.mark.parametrize("text", [AALPY, EXACT])
@given(
    place=st.integers(0, 1200),
    removed=st.integers(0, 3),
    replacement=st.sampled_from(TOKENS) | st.text(max_size=3),
)
def test_no_change_to_the_text_crashes_the_reader(text, place, removed, replacement):
    place %= len(text)
    read_or_refuse(text[:place] + replacement + text[place + removed :])


@pytest.mark.parametrize(("symbols", "length"), [(8000, 5), (3, 20_000), (3, 16_384)])
def test_what_graphviz_does_not_read_in_one_piece_is_written_in_several(symbols, length):
    names = tuple(f"{number:0{length}d}" for number in range(symbols))
    table = np.arange(2 * symbols).reshape(2, symbols) % 2
    automaton = Automaton(alphabet=names, classes=("a", "b"), transitions=table, outputs=[0, 1])
    assert read_dot(to_dot(automaton, exact=True)) == automaton
    assert len(render(to_dot(automaton))) < 20_000  # nobody reads the whole of such a name


def test_a_graph_that_gives_a_field_twice_is_refused():
    written = to_dot(
        Automaton(alphabet=("a",), classes=("x", "y"), transitions=[[0]], outputs=[0]), exact=True
    )
    with pytest.raises(AutomatonError, match="the field 'classes' is there twice"):
        read_dot(written.replace('\\"classes\\"', '\\"classes\\": 1, \\"classes\\"', 1))


def test_a_graph_without_symbols_is_refused():
    with pytest.raises(DataError, match="one or more different symbols"):
        read_dot(graph(""))
