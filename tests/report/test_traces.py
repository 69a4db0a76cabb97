import numpy as np
import pytest

from lisor.automata.automaton import Automaton
from lisor.explain.steps import Steps, read_steps
from lisor.report import sequence_page, traces
from lisor.sequences import Sequences
from tests.conftest import random_network
from tests.explain.conftest import machine, with_target

CLASSES = ("reject", "accept")


def table(states: int) -> Automaton:
    return Automaton(
        alphabet=("0", "1"),
        classes=CLASSES,
        transitions=np.stack([np.arange(states), (np.arange(states) + 1) % states], axis=1),
        outputs=np.arange(states) % 2,
    )


def steps(cell: str = "gru", states: int = 3) -> Steps:
    model = random_network(cell)
    word = Sequences.from_lists([[1, 0, 1, 1]])
    return read_steps(model, model.differentiable(), table(states), word)


def test_a_line_for_attribution_and_one_for_attention() -> None:
    assert [line.looks for line in traces.lines("gru", steps(), CLASSES)] == [False]
    assert [line.looks for line in traces.lines("it", steps("attention-gru"), CLASSES)] == [
        False,
        True,
    ]
    counts, looks = traces.lines("it", steps("attention-recurrent"), CLASSES)
    assert looks.looks
    assert [word.text for word in looks.words] == list("1011")
    assert looks.words[-1].level == 0  # nothing comes after the last symbol to look back at it
    assert max(abs(word.level) for word in counts.words) == 3


def test_every_step_has_a_row_and_unknown_words_are_marked() -> None:
    found = traces.steps_table("name", steps("attention-gru"), CLASSES)
    assert [row[0] for row in found.rows] == ["0", "1", "2", "3", "4"]
    assert [row[2] for row in found.rows] == ["0", "1", "1", "2", "0"]
    assert {len(row) for row in found.rows} == {len(found.headings)} == {7}


def test_attention_in_the_recurrence_is_told_by_what_each_step_looks_at_most() -> None:
    it = steps("attention-recurrent")
    found = traces.steps_table("name", it, CLASSES)
    assert found.headings[-1] == "looks back most at"
    assert [row[-1] for row in found.rows[:3]] == ["", "", "1 (step 1): 1.00"]
    assert it.looks is not None
    place = int(np.argmax(it.looks[3][:3]))
    assert found.rows[4][-1] == f"{it.symbols[place]} (step {place + 1}): {it.looks[3][place]:.2f}"


@pytest.mark.parametrize("cell", ["gru", "attention-gru", "attention-recurrent"])
def test_the_page_of_a_sequence_shows_attention_where_there_is_some(cell: str) -> None:
    shown = sequence_page.render(
        "about", "name", cell, "<1011>", steps(cell), table(3), CLASSES, ["No gates."]
    )
    assert shown.count("<svg") == (1 if cell == "gru" else 2)
    assert ("closely</span>" in shown) == ("<h3>Attention</h3>" in shown) == (cell != "gru")
    assert "&lt;1011&gt;" in shown
    assert "No gates." in shown
    assert traces.verdict(cell, steps(cell), CLASSES) in shown


def test_a_small_automaton_is_drawn_whole_and_of_a_large_one_what_is_visited() -> None:
    small = traces.path_picture("name", steps(states=5), table(5))
    assert small.svg.count('class="node"') == 5
    large = traces.path_picture("name", steps(states=60), table(60))
    assert large.svg.count('class="node"') == 4


@pytest.mark.parametrize("target", ["number", "regression"])
def test_numbers_are_shown_beside_those_of_the_automaton(target: str) -> None:
    model = with_target(random_network(), target)
    automaton, word = machine(model), Sequences.from_lists([[1, 0, 1, 1]])
    found = read_steps(model, None, automaton, word, label=(3.5, 0.0))
    shown = traces.steps_table("name", found, ("load", "heat"))
    assert shown.headings[2:] == ("state", "automaton: load", "network: load", "attribution")
    assert {len(row) for row in shown.rows} == {6}
    assert shown.rows[0][3:] == ("", "", "")
    assert shown.rows[-1][3] == f"{found.automaton_values[-1]:.4g}"
    verdict = traces.verdict("gru", found, ("load", "heat"))
    assert f"predicts load = {found.value:.4g}, its automaton" in verdict
    assert verdict.endswith("Truly it is 3.5.")
    assert verdict.startswith("After step 4 gru" if target == "number" else "gru predicts")


def test_another_class_is_named_beside_what_is_predicted() -> None:
    model = random_network()
    word = Sequences.from_lists([[1, 0, 1, 1]])
    likely = read_steps(model, None, table(3), word).explained
    found = read_steps(model, None, table(3), word, explained=1 - likely)
    told = f"gru answers {CLASSES[likely]}, and gives {CLASSES[1 - likely]} the probability"
    assert traces.verdict("gru", found, CLASSES).startswith(told)
