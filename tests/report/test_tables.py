import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lisor.report import tables
from lisor.report.tables import Interval
from tests.report.conftest import rows

KEYS = ["method", "cell", "trial"]


@st.composite
def results(draw: st.DrawFn) -> pd.DataFrame:
    """Results of few networks, the accuracies drawn at random."""
    methods, cells = draw(st.sampled_from([("kmeans",), ("kmeans-x", "kmeans")])), ("srn", "gru")
    accuracies = iter(
        draw(st.lists(st.sampled_from([0.5, 0.7, 0.9, 1.0]), min_size=24, max_size=24))
    )
    return rows(lambda *_: next(accuracies), methods=methods, cells=cells, trials=(0, 1))


goals = st.sampled_from([0.4, 0.7, 0.95, 1.0])


# Intervals


def test_an_interval_is_students() -> None:
    values = [0.7, 0.75, 0.9, 0.8, 0.81]
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    interval = Interval.of(values)
    assert interval.half_width == pytest.approx((high - low) / 2)
    assert interval.mean == pytest.approx((high + low) / 2)


def test_one_trial_has_no_interval() -> None:
    assert str(Interval.of([0.5])) == "0.500"


@pytest.mark.parametrize(
    ("interval", "spec", "text"),
    [
        (Interval(mean=0.5, half_width=0.25), "", "0.500 ± 0.250"),
        (Interval(mean=8.0, half_width=2.484), ".1f", "8.0 ± 2.5"),
        (Interval(mean=-8.0, half_width=2.484), ".1f", "\u22128.0 ± 2.5"),
        (Interval(mean=-8.0, half_width=None), ".2f", "\u22128.00"),
        (Interval(mean=65.0, half_width=0.0), ".1f", "65.0 ± 0.0"),
    ],
)
def test_an_interval_is_written_with_a_true_minus(interval: Interval, spec: str, text: str) -> None:
    assert (f"{interval:{spec}}" if spec else str(interval)) == text


# The selected automata


def test_the_summary_is_of_the_selected_automata() -> None:
    (row,) = tables.summarize(rows())
    assert (row.trials, row.exact, row.n_states) == (2, 2, (5, 5))
    assert row.accuracy.mean == pytest.approx(0.4)


def test_the_summary_has_a_text_under_each_heading() -> None:
    (row,) = tables.summarize(rows().assign(exact=None))
    expected = (
        "000",
        "gru",
        "0.900 ± 0.000",
        "0.400 ± 0.000",
        "0.500 ± 0.000",
        "5, 5",
        "4, 4",
        "–",
    )
    assert row.cells() == expected
    assert len(tables.headings(row.measures)) == len(expected)


def test_the_summary_says_how_many_automata_answer_every_sequence_alike() -> None:
    made = rows()
    made.loc[(made["trial"] == 1) & made["selected"], "n_states_minimal"] = 1
    (row,) = tables.summarize(made)
    assert row.cells()[3] == "0.400 ± 0.000 (one answer: 1 of 2)"


# The number of clusters that reach an accuracy


def test_the_number_of_clusters_that_reach_an_accuracy_is_the_smallest() -> None:
    shaky = rows()  # accuracy k / 10: better at 3 than at 4 for trial 1
    shaky.loc[(shaky["trial"] == 1) & (shaky["k"] == 3), "accuracy"] = 1.0
    table = tables.clusters_to_reach(shaky, 0.35)
    assert table.loc[("kmeans", "gru")].tolist() == [4, 3]
    assert tables.clusters_to_reach(shaky, 1.0).loc[("kmeans", "gru")].tolist() == [5, 3]


@settings(max_examples=10)
@given(results(), goals)
def test_the_number_of_clusters_is_that_of_a_plain_loop(made: pd.DataFrame, goal: float) -> None:
    table = tables.clusters_to_reach(made, goal)
    for (method, cell), numbers in table.iterrows():
        for trial, number in numbers.items():
            mine = [
                row
                for row in made.itertuples()
                if (row.method, row.cell, row.trial) == (method, cell, trial)
            ]
            assert number == min(
                (row.k for row in mine if row.accuracy >= goal), default=tables.not_reached(made)
            )


def test_where_no_network_reaches_it_every_one_is_missing() -> None:
    table = tables.clusters_to_reach(rows(cells=("srn", "gru")), 1.0)
    assert table.to_numpy().tolist() == [[5, 5], [5, 5]]


def test_not_reached_is_above_every_k_of_the_grid() -> None:
    made = rows(cells=("srn",))
    assert tables.not_reached(made) == made["k"].max() + 1


def test_methods_are_sorted_and_cells_in_the_order_of_the_results() -> None:
    table = tables.clusters_to_reach(
        rows(methods=("kmeans-x", "kmeans"), cells=("srn", "gru")), 0.4
    )
    assert list(table.index) == [
        ("kmeans", "srn"),
        ("kmeans", "gru"),
        ("kmeans-x", "srn"),
        ("kmeans-x", "gru"),
    ]
    assert list(table.columns) == [0, 1]


@pytest.mark.parametrize("columns", [{"test_set": "validation"}, {"rule": "dynamics"}])
def test_only_majority_automata_on_the_test_set_count(columns: dict[str, str]) -> None:
    others = pd.concat([rows(), rows(lambda *_: 1.0).assign(**columns)])
    pd.testing.assert_frame_equal(
        tables.clusters_to_reach(others, 0.4), tables.clusters_to_reach(rows(), 0.4)
    )
    pd.testing.assert_frame_equal(
        tables.means_at(others, 2).map(str), tables.means_at(rows(), 2).map(str)
    )
    numbers = tables.clusters_to_reach(others, 0.4)
    assert len(tables.at_clusters(others, numbers)) == 2


@settings(max_examples=10)
@given(results(), goals)
def test_the_automata_at_these_clusters_are_one_for_each_network_that_reaches_it(
    made: pd.DataFrame, goal: float
) -> None:
    numbers = tables.clusters_to_reach(made, goal)
    found = tables.at_clusters(made, numbers)
    assert (found["accuracy"] >= goal).all()
    assert not found.duplicated(KEYS).any()
    assert len(found) == (numbers != tables.not_reached(made)).sum().sum()
    for row in found.itertuples():
        assert numbers.loc[(row.method, row.cell), row.trial] == row.k


# Means at a number of clusters


def test_means_are_over_trials_at_one_number_of_clusters() -> None:
    made = rows(
        lambda method, cell, trial, k: (0.6, 0.8)[trial] if k == 3 else 0.0, cells=("srn", "gru")
    )
    means = tables.means_at(made, 3)
    assert list(means.index) == [("kmeans", "srn"), ("kmeans", "gru")]
    expected = ["0.900 ± 0.000", str(Interval.of([0.6, 0.8])), "0.375 ± 0.000"]
    assert means.map(str).loc[("kmeans", "gru")].tolist() == expected
    assert list(means.columns) == ["rnn_accuracy", "accuracy", "fidelity"]


def test_a_network_whose_grid_lacks_the_number_is_not_in_its_means() -> None:
    made = rows(cells=("srn", "gru"))
    short = made[(made["cell"] == "gru") | (made["k"] < 4)]
    assert list(tables.means_at(short, 4).index) == [("kmeans", "gru")]


def test_the_folds_of_a_data_set_share_a_row():
    names = pd.Series(["beats-fold-1", "beats-fold-12", "a-fold-b", "regex:0-fold-1*"])
    assert tables.without_fold(names).tolist() == ["beats", "beats", "a-fold-b", "regex:0-fold-1*"]
