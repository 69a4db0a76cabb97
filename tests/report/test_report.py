import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from scipy import stats

from lisor.data.languages import LANGUAGES
from lisor.fsa.automaton import Automaton
from lisor.report import drawing, figures, page, tables
from tests.strategies import automata


def edges(dot: str) -> list[str]:
    return [line for line in dot.splitlines() if re.match(r"  \d+ -> \d+ ", line)]


def test_the_drawing_marks_start_and_accepting_states_and_merges_parallel_edges() -> None:
    dot = drawing.to_dot(LANGUAGES["000"].automaton)
    assert "nowhere -> 0" in dot
    assert dot.count("doublecircle") == 1
    assert '3 -> 3 [label="0, 1"]' in dot


def test_states_that_no_word_reaches_are_left_out() -> None:
    automaton = Automaton(
        alphabet=("a",), classes=("no", "yes"), transitions=np.array([[0], [0]]), outputs=np.array([0, 1])
    )
    assert "1 [label" not in drawing.to_dot(automaton)


def test_unseen_transitions_are_dashed_for_letters_and_left_out_for_words() -> None:
    letters = LANGUAGES["000"].automaton
    seen = np.ones((4, 2), bool)
    seen[3, 1] = False
    dot = drawing.to_dot(letters, seen)
    assert len([line for line in edges(dot) if "dashed" in line]) == 0  # 3 -> 3 is still seen by its other symbol
    seen[3] = False
    assert len([line for line in edges(drawing.to_dot(letters, seen)) if "dashed" in line]) == 1
    words = Automaton(
        alphabet=tuple(f"word{i}" for i in range(50)),
        classes=("no", "yes"),
        transitions=np.zeros((1, 50), int),
        outputs=np.array([0]),
    )
    assert edges(drawing.to_dot(words, np.zeros((1, 50), bool))) == []
    assert "47 more" in drawing.to_dot(words)


@given(automata())
def test_every_automaton_can_be_drawn_and_its_texts_stay_texts(automaton: Automaton) -> None:
    svg = drawing.to_svg(automaton)
    shown = len(ElementTree.fromstring(svg).findall(".//{http://www.w3.org/2000/svg}g[@class='node']"))
    assert shown == automaton.reachable().sum()


@pytest.mark.parametrize("symbol", ["<b>", "&amp;", '"', "\\", "<unk>", "\\n", "<script>", "é"])
def test_any_symbol_can_stand_on_an_edge(symbol: str) -> None:
    automaton = Automaton(alphabet=(symbol,), classes=("no", "yes"), transitions=np.array([[0]]), outputs=np.array([0]))
    texts = [element.text for element in ElementTree.fromstring(drawing.to_svg(automaton)).iter() if element.text]
    assert symbol in texts


def test_an_interval_is_students() -> None:
    values = [0.7, 0.75, 0.9, 0.8, 0.81]
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    interval = tables.Interval.of(values)
    assert interval.half_width == pytest.approx((high - low) / 2)
    assert interval.mean == pytest.approx((high + low) / 2)


def test_one_trial_has_no_interval() -> None:
    assert str(tables.Interval.of([0.5])) == "0.500"


def rows() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "dataset": "000", "cell": "gru", "method": "kmeans", "rule": "majority",
                "trial": trial, "k": k, "test_set": "test", "accuracy": k / 10,
                "fidelity": k / 8, "rnn_accuracy": 0.9, "exact": k == 4, "n_states": k + 1, "n_states_minimal": k,
                "chosen": k == 4, "selected": k == 4,
            }
            for trial in (0, 1)
            for k in (2, 3, 4)
        ]
    )  # fmt: skip


def test_the_summary_is_of_the_selected_automata() -> None:
    (row,) = tables.summarize(rows())
    assert (row.trials, row.exact, row.n_states) == (2, 2, (5, 5))
    assert row.accuracy.mean == pytest.approx(0.4)


def test_the_number_of_clusters_that_reach_an_accuracy_is_the_smallest() -> None:
    shaky = rows()  # accuracy k / 10: better at 3 than at 4 for trial 1
    shaky.loc[(shaky["trial"] == 1) & (shaky["k"] == 3), "accuracy"] = 1.0
    table = tables.clusters_to_reach(shaky, 0.35)
    assert table.loc[("kmeans", "gru")].tolist() == [4, 3]
    assert tables.clusters_to_reach(shaky, 1.0).loc[("kmeans", "gru")].tolist() == [65, 3]


def test_the_same_numbers_give_the_same_bytes() -> None:
    history = {"validation_accuracy": [0.5, 1.0], "validation_loss": [0.7, 0.1]}
    for draw in (lambda: figures.quality_against_k(rows()), lambda: figures.training_curves({"gru": [history]})):
        assert draw() == draw()
        ElementTree.fromstring(draw())


def test_each_way_to_an_automaton_has_curves_of_its_own() -> None:
    both = pd.concat([rows(), rows().assign(method="kmeans-x")])
    one, two = figures.quality_against_k(rows()), figures.quality_against_k(both)
    assert "kmeans-x, majority" in two
    assert two.count('id="axes_') == 2 * one.count('id="axes_')


def test_the_page_escapes_every_text() -> None:
    bad = "<script>alert('x')</script>"
    picture = page.Picture(title=bad, caption=bad, svg="<?xml version='1.0'?><svg><text>drawn</text></svg>")
    table = page.Table(caption=bad, headings=(bad,), rows=((bad,),))
    section = page.Section(
        title=bad, introduction=bad, notes=(bad,), tables=(table,), figures=(picture,), automata=(picture,)
    )
    html = page.render(bad, bad, table, [section])
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 17
    assert html.count("<svg>") == 2
    assert "<?xml" not in html
