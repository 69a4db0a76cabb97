import itertools
import re
from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np
import pygraphviz
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

from lisor.alphabet import Alphabet
from lisor.automata import drawing
from lisor.automata.automaton import Automaton
from lisor.automata.languages import LANGUAGES
from lisor.errors import DataError
from lisor.extraction.extraction import Extraction
from lisor.quantizer import Quantizer
from lisor.sequences import Sequences
from tests.strategies import automata, extractions

RED = "#c1121f"

binary = automata(alphabet=("0", "1"))
words = st.text("01", max_size=6)
few = settings(max_examples=30)


def kept(found: Extraction, path: Sequence[str] = ()) -> str:
    """The drawing of the kept transitions of an extraction."""
    states = found.automaton.n_states if found.k is None else found.k + 1
    return drawing.kept_to_dot(found.automaton, found.seen, states, path)


def edges(dot: str) -> list[str]:
    return [line for line in dot.splitlines() if re.match(r"  \d+ -> \d+ ", line)]


class Graph:
    """What Graphviz itself reads in a drawing: states, edges with their labels, the red ones, and
    those set apart."""

    def __init__(self, dot: str) -> None:
        read = pygraphviz.AGraph(string=dot)
        nodes = [node for node in read.nodes() if node != "nowhere"]
        edges = {tuple(map(int, edge)): edge.attr for edge in read.edges() if edge[0] != "nowhere"}
        self.states = set(map(int, nodes))
        self.red_states = {int(node) for node in nodes if node.attr["color"] == RED}
        self.labels = {ends: str(attributes["label"]) for ends, attributes in edges.items()}
        self.red_edges = {ends for ends, attributes in edges.items() if attributes["color"] == RED}
        self.apart = {int(node) for part in read.subgraphs() for node in part.nodes()}


def way_of(automaton: Automaton, word: str) -> list[int]:
    """The states that a word of 0 and 1 passes, the start first."""
    way = [automaton.start]
    for symbol in word:
        way.append(int(automaton.transitions[way[-1], int(symbol)]))
    return way


def test_the_drawing_marks_start_and_accepting_states_and_merges_parallel_edges() -> None:
    dot = drawing.to_dot(LANGUAGES["000"].automaton)
    assert "nowhere -> 0" in dot
    assert dot.count("doublecircle") == 1
    assert '3 -> 3 [label="0, 1"]' in dot


def test_states_that_no_word_reaches_are_left_out() -> None:
    automaton = Automaton(
        alphabet=("a",),
        classes=("no", "yes"),
        transitions=np.array([[0], [0]]),
        outputs=np.array([0, 1]),
    )
    assert "1 [label" not in drawing.to_dot(automaton)


def test_unseen_transitions_are_dashed_for_letters_and_left_out_for_words() -> None:
    letters = LANGUAGES["000"].automaton
    seen = np.ones((4, 2), bool)
    seen[3, 1] = False
    dot = drawing.to_dot(letters, seen)
    assert [line.split(", ")[0] for line in edges(dot) if "dashed" in line] == [
        '  3 -> 3 [label="1"'
    ]
    assert '  3 -> 3 [label="0"]' in edges(dot)
    seen[3] = False
    assert len([line for line in edges(drawing.to_dot(letters, seen)) if "dashed" in line]) == 1
    words = text_automaton(50)
    assert edges(drawing.to_dot(words, np.zeros((1, 50), bool))) == []
    assert "47 more" in drawing.to_dot(words)


@given(automata())
def test_every_automaton_can_be_drawn_and_its_texts_stay_texts(automaton: Automaton) -> None:
    svg = drawing.to_svg(automaton)
    assert shown_states(svg) == automaton.reachable().sum()


def shown_states(svg: str) -> int:
    return len(
        ElementTree.fromstring(svg).findall(".//{http://www.w3.org/2000/svg}g[@class='node']")
    )


@pytest.mark.parametrize("symbol", ["<b>", "&amp;", '"', "\\", "<unk>", "\\n", "<script>", "é"])
def test_any_symbol_can_stand_on_an_edge(symbol: str) -> None:
    automaton = Automaton(
        alphabet=(symbol,),
        classes=("no", "yes"),
        transitions=np.array([[0]]),
        outputs=np.array([0]),
    )
    texts = [
        element.text
        for element in ElementTree.fromstring(drawing.to_svg(automaton)).iter()
        if element.text
    ]
    assert symbol in texts


# The path of a word


@few
@given(binary, words)
def test_the_way_a_word_takes_is_red(automaton: Automaton, word: str) -> None:
    graph = Graph(drawing.to_dot(automaton, path=word))
    way = way_of(automaton, word)
    assert graph.red_edges == set(itertools.pairwise(way))
    assert graph.red_states == (set(way) if word else set())


def test_without_a_path_nothing_is_red() -> None:
    assert RED not in drawing.to_dot(LANGUAGES["000"].automaton)


def test_a_path_may_take_a_step_that_was_never_seen() -> None:
    automaton = LANGUAGES["000"].automaton
    (line,) = [
        line
        for line in edges(drawing.to_dot(automaton, automaton.transitions < 0, path="0"))
        if RED in line
    ]
    assert line.startswith("  0 -> 1 ")
    assert "dashed" in line


def test_a_path_has_symbols_of_the_alphabet() -> None:
    with pytest.raises(DataError, match="got '2'"):
        drawing.to_dot(LANGUAGES["000"].automaton, path="012")


# Words in classes


def text_automaton(size: int) -> Automaton:
    """One state over so many words."""
    return Automaton(
        alphabet=Alphabet(symbols=tuple(f"word{i}" for i in range(size)), tokenizer="words"),
        classes=("no", "yes"),
        transitions=np.zeros((1, size), int),
        outputs=np.array([0]),
    )


def test_a_word_class_is_named_by_its_states_and_counted() -> None:
    dot = drawing.to_dot(text_automaton(5000), word_classes=True)
    assert Graph(dot).labels == {(0, 0): r"0-0: 5,000 words\nword0\nword1\nword2"}


def test_a_word_class_holds_what_validation_showed() -> None:
    seen = np.zeros((1, 5000), bool)
    seen[0, [7, 9]] = True
    dot = drawing.to_dot(text_automaton(5000), seen, word_classes=True)
    assert Graph(dot).labels == {(0, 0): r"0-0: 2 words\nword7\nword9"}


@few
@given(extractions(symbols=12, unseen="stay"))
def test_every_word_seen_in_a_state_is_in_one_of_its_classes(found: Extraction) -> None:
    graph = Graph(drawing.to_dot(found.automaton, found.seen, word_classes=True))
    counts = np.zeros(found.k + 1, int)
    for (source, target), label in graph.labels.items():
        head, *words = label.split(r"\n")
        named = re.fullmatch(rf"{source}-{target}: (\d+) words", head)
        assert named is not None
        assert len(words) == min(int(named[1]), drawing.MAX_WORDS)
        counts[source] += int(named[1])
    reachable = found.automaton.reachable()
    assert (counts == np.where(reachable, found.seen.sum(axis=1), 0)).all()


# Kept transitions alone


@few
@given(extractions())
def test_an_edge_is_drawn_for_each_kept_transition_and_no_other(found: Extraction) -> None:
    graph = Graph(kept(found))
    kept_edges = {
        (source, int(found.automaton.transitions[source, symbol]))
        for source, symbol in np.argwhere(found.seen)
    }
    assert set(graph.labels) == kept_edges


@few
@given(extractions())
def test_the_start_and_every_cluster_are_drawn_and_the_sink_is_not(found: Extraction) -> None:
    assert Graph(kept(found)).states == set(range(found.k + 1))


@few
@given(extractions())
def test_what_the_start_does_not_reach_by_kept_transitions_is_set_apart(found: Extraction) -> None:
    source, symbol = np.nonzero(found.seen)
    size = found.automaton.n_states
    kept_edges = csr_array(
        (np.ones(len(source)), (source, found.automaton.transitions[source, symbol])), (size, size)
    )
    reached = breadth_first_order(kept_edges, found.automaton.start, return_predecessors=False)
    assert Graph(kept(found)).apart == set(range(found.k + 1)) - set(reached.tolist())


@few
@given(extractions(), words)
def test_a_path_is_red_as_far_as_its_steps_are_kept(found: Extraction, word: str) -> None:
    graph = Graph(kept(found, word))
    way = [
        state for state in way_of(found.automaton, word) if state <= found.k
    ]  # the sink leads nowhere else
    assert graph.red_edges == set(itertools.pairwise(way))
    assert graph.red_states == (set(way) if word else set())


def test_a_cluster_set_apart_is_drawn_in_a_box() -> None:
    automaton = Automaton(
        alphabet=("0", "1"),
        classes=("no", "yes"),
        transitions=np.array(
            [[1, 3], [1, 3], [1, 2], [3, 3]]
        ),  # nothing leads from 0 or 1 to 2; 3 is the sink
        outputs=np.array([0, 1, 1, 0]),
    )
    seen = np.array([[1, 0], [1, 0], [1, 1], [0, 0]], bool)
    dot = kept(
        Extraction(method="kmeans", rule="majority", k=2, automaton=automaton, seen=seen), "0"
    )
    graph = Graph(dot)
    assert graph.apart == {2}
    assert graph.labels == {(0, 1): "0", (1, 1): "0", (2, 1): "0", (2, 2): "1"}
    assert (graph.red_states, graph.red_edges) == ({0, 1}, {(0, 1)})
    assert "no kept transition leads here" in dot
    assert shown_states(drawing.render(dot)) == 3
    assert "subgraph" not in kept(
        Extraction(method="kmeans", rule="majority", k=1, automaton=automaton, seen=seen)
    )


def test_a_graph_of_too_many_edges_is_laid_out_on_a_circle_without_labels_and_at_once() -> None:
    states = 40
    rng = np.random.default_rng(0)
    automaton = Automaton(
        alphabet=tuple(f"word{i}" for i in range(400)),
        classes=("no", "yes"),
        transitions=rng.integers(0, states, (states, 400)),
        outputs=rng.integers(0, 2, states),
    )
    dot = drawing.to_dot(automaton)
    assert dot.count(" -> ") > drawing.MAX_EDGES
    svg = drawing.render(dot)
    assert "word" not in svg
    assert (
        len(ElementTree.fromstring(svg).findall(".//{http://www.w3.org/2000/svg}g[@class='node']"))
        == states
    )


@few
@given(automata(), st.data())
def test_a_walk_is_drawn_as_the_states_it_visits_with_its_steps_numbered(
    automaton: Automaton, data: st.DataObject
) -> None:
    word = data.draw(st.lists(st.integers(0, len(automaton.alphabet) - 1), min_size=1, max_size=6))
    prefixes = Sequences.from_lists([word[:length] for length in range(len(word) + 1)])
    states = automaton.run(prefixes).tolist()
    graph = Graph(
        drawing.path_to_dot(automaton, states, [automaton.alphabet[symbol] for symbol in word])
    )
    assert graph.states == set(states)
    assert graph.red_states == {states[-1]}
    steps = list(itertools.pairwise(states))
    assert set(graph.labels) == set(steps)
    numbers = [
        int(number)
        for label in graph.labels.values()
        for number in re.findall(r"(?:^|\\n)(\d+) ", label)
    ]
    assert set(range(1, len(word) + 1)) <= set(numbers)


# Symbols that are signs, levels or curves


def loops(alphabet: tuple[str, ...], leaves: set[int], quantizer: Quantizer | None = None) -> str:
    """The drawing of two states, between which some symbols lead."""
    table = [[int(symbol in leaves) for symbol in range(len(alphabet))], [1] * len(alphabet)]
    machine = Automaton(
        alphabet=Alphabet(symbols=tuple(alphabet), quantizer=quantizer),
        classes=("no", "yes"),
        transitions=table,
        outputs=[0, 1],
    )
    return drawing.to_dot(machine)


def test_of_a_few_dozen_signs_all_on_an_edge_can_be_read():
    dot = loops(tuple(map(str, range(28))), {5, 22})
    assert 'label="5, 22"' in dot
    assert 'label="all but 5, 22"' in dot
    assert 'label="all"' in dot


def test_levels_in_a_row_are_one_range():
    levels = Quantizer(window=1, means=[0], deviations=[1], prototypes=[[0], [1], [2], [3]])
    dot = loops(levels.names, {1, 2}, levels)
    assert 'label="0.5 … 2.5"' in dot
    assert 'label="below 0.5\\nabove 2.5"' in dot
    assert 'label="any"' in dot


def test_prototypes_are_drawn_as_small_curves():
    curves = Quantizer(window=3, means=[0], deviations=[1], prototypes=[[0, 1, 2], [2, 1, 0]])
    svg = drawing.render(loops(curves.names, {1}, curves))
    assert svg.count("<polyline") == 4  # two on the loop of the end, one on each other edge
    assert "<title>▁▅█</title>" in svg
    assert ">▁▅█</text>" not in svg
