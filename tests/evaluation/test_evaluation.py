import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.automata.automaton import Automaton
from lisor.automata.languages import LANGUAGES
from lisor.automata.weighted import WeightedAutomaton
from lisor.data.dataset import Split
from lisor.errors import DataError
from lisor.evaluation import choice, evaluation
from lisor.evaluation.choice import choose
from lisor.evaluation.evaluation import COLUMNS, evaluate
from lisor.extraction.extraction import Extraction
from lisor.networks.hidden_states import Predictions
from lisor.sequences import Sequences
from tests.strategies import automata, weighted_automata, words


def extraction(automaton: Automaton, seen: np.ndarray | None = None, k: int = 2) -> Extraction:
    seen = np.ones(automaton.transitions.shape, bool) if seen is None else seen
    return Extraction(method="kmeans", rule="majority", k=k, automaton=automaton, seen=seen)


def weighted_extraction(machine: WeightedAutomaton) -> Extraction:
    seen = np.ones(machine.fallback.shape, bool)
    return Extraction(method="kmeans", rule="weighted", k=3, automaton=machine, seen=seen)


def answers(predictions, labels) -> Predictions:
    predictions = np.array(predictions, np.int32)
    return Predictions(
        labels=np.array(labels), predictions=predictions, probabilities=np.eye(3)[predictions]
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Extraction, list[list[int]], list[int], list[int]]:
    """An automaton with some transitions unseen, words, their labels and what a network answers."""
    automaton = draw(automata(alphabet=("0", "1"), classes=3))
    seen = draw(st.lists(st.lists(st.booleans(), min_size=2, max_size=2), min_size=6, max_size=6))
    sequences = draw(words().filter(len))
    classes = st.lists(st.integers(0, 2), min_size=len(sequences), max_size=len(sequences))
    return (
        extraction(automaton, np.array(seen)[: automaton.n_states]),
        sequences,
        draw(classes),
        draw(classes),
    )


@given(cases())
def test_shares_are_what_a_plain_loop_counts(case):
    extraction, sequences, labels, network = case
    automaton = extraction.automaton
    right = faithful = steps = unseen = 0
    for word, label, answer in zip(sequences, labels, network, strict=True):
        state = automaton.start
        for symbol in word:
            steps += 1
            unseen += not extraction.seen[state, symbol]
            state = automaton.transitions[state, symbol]
        right += automaton.outputs[state] == label
        faithful += automaton.outputs[state] == answer
    split = Split(sequences=Sequences.from_lists(sequences), labels=np.array(labels))
    (row,) = evaluate([extraction], {"test": split}, {"test": answers(network, labels)})
    assert (row.method, row.rule, row.k, row.test_set) == ("kmeans", "majority", 2, "test")
    assert (row.n, row.n_unique) == (len(sequences), len(set(map(tuple, sequences))))
    assert row.accuracy == pytest.approx(right / len(sequences))
    assert row.fidelity == pytest.approx(faithful / len(sequences))
    assert row.rnn_accuracy == pytest.approx(np.mean(np.array(network) == labels))
    assert row.unseen_transitions == pytest.approx(unseen / steps if steps else 0)
    assert (row.n_states, row.n_states_minimal) == (
        automaton.n_states,
        automaton.minimized().n_states,
    )
    assert row.exact is None


@given(cases(), st.integers(0, 9), st.integers(0, 9))
def test_a_split_comes_out_the_same_beside_others_and_of_none_there_is_no_share(case, some, more):
    extraction, sequences, labels, network = case
    parts = {
        "validation": slice(0, some),
        "none": slice(0, 0),
        "selection": slice(some, some + more),
    }
    splits, judged = {}, {}
    for name, rows in parts.items():
        known = np.array(labels[rows], np.int32)
        splits[name] = Split(sequences=Sequences.from_lists(sequences[rows]), labels=known)
        judged[name] = answers(network[rows], known)
    together = pd.DataFrame(map(vars, evaluate([extraction], splits, judged)))
    alone = [
        vars(*evaluate([extraction], {name: splits[name]}, {name: judged[name]})) for name in splits
    ]
    pd.testing.assert_frame_equal(together, pd.DataFrame(alone))
    shares = together.set_index("test_set").loc[
        "none", ["accuracy", "fidelity", "rnn_accuracy", "unseen_transitions"]
    ]
    assert shares.isna().tolist() == [True, True, True, False]


@given(weighted_automata(symbols=2, classes=3), words().filter(len), st.data())
def test_a_weighted_automaton_is_measured_by_the_classes_it_names_and_never_called_exact(
    machine, sequences, data
):
    classes = st.lists(st.integers(0, 2), min_size=len(sequences), max_size=len(sequences))
    labels, network = np.array(data.draw(classes)), np.array(data.draw(classes))
    split = Split(sequences=Sequences.from_lists(sequences), labels=labels)
    given = ({"test": split}, {"test": answers(network, labels)}, LANGUAGES["000"])
    (row,) = evaluate([weighted_extraction(machine)], *given)
    named = machine.classify(split.sequences)
    assert row.accuracy == pytest.approx(np.mean(named == labels))
    assert row.fidelity == pytest.approx(np.mean(named == network))
    assert row.rnn_accuracy == pytest.approx(np.mean(network == labels))
    assert (row.rule, row.k, row.n) == ("weighted", 3, len(sequences))
    assert row.exact is None
    assert row.n_states == row.n_states_minimal == machine.n_states
    assert row.unseen_transitions == 0


def test_there_is_a_row_for_each_automaton_and_split():
    split = Split(sequences=Sequences.from_lists([[0], []]), labels=np.array([0, 1]))
    found = [extraction(LANGUAGES["000"].automaton, k=k) for k in (2, 3)]
    names = ("validation", "test")
    rows = evaluate(
        iter(found), dict.fromkeys(names, split), dict.fromkeys(names, answers([0, 0], [0, 1]))
    )
    assert [(row.k, row.test_set) for row in rows] == [(k, name) for k in (2, 3) for name in names]


@pytest.mark.parametrize("name", LANGUAGES)
def test_only_the_automaton_of_the_true_language_is_exact(name, words):
    split = words.splits["test"]
    found = [extraction(language.automaton.minimized()) for language in LANGUAGES.values()]
    rows = evaluate(
        found, {"test": split}, {"test": answers(split.labels, split.labels)}, LANGUAGES[name]
    )
    assert [row.exact for row in rows] == [other == name for other in LANGUAGES]
    if name == "000":
        assert (rows[0].accuracy, rows[0].fidelity, rows[0].unseen_transitions) == (1, 1, 0)


# Which automaton is chosen


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Evaluations of one network's automata on the selection split and two others."""
    shares = st.sampled_from([0.5, 0.9, 0.95, 0.996, 1.0])
    rows = []
    for method in ("kmeans", "kmeans-x"):
        for rule in ("majority", "dynamics", "weighted"):
            for k in draw(st.lists(st.integers(2, 9), max_size=4, unique=True)):
                n_states = draw(st.integers(2, 5))
                rows += [
                    (method, rule, k, name, draw(shares), n_states)
                    for name in ("validation", "selection", "test")
                ]
    columns = ["method", "rule", "k", "test_set", "fidelity", "n_states"]
    table = pd.DataFrame(draw(st.permutations(rows)), columns=columns)
    return table.assign(deterministic=table["rule"] != "weighted", divergence=None, r2_network=None)


def choose_plainly(table: pd.DataFrame, tolerance: float) -> tuple[set, set]:
    """The chosen and the selected (method, rule, k), by looking at one candidate after another."""
    candidates = [row for row in table.itertuples() if row.test_set == "selection"]
    chosen = set()
    for family in {(row.method, row.rule) for row in candidates}:
        members = [row for row in candidates if (row.method, row.rule) == family]
        best = max(row.fidelity for row in members)
        chosen.add((*family, min(row.k for row in members if row.fidelity >= best - tolerance)))
    deterministic = [row for row in candidates if row.rule != "weighted"]
    best = max((row.fidelity for row in deterministic), default=0)
    near = [row for row in deterministic if row.fidelity >= best - tolerance]
    if not near:
        return chosen, set()
    first = min(near, key=lambda row: (row.n_states, row.k, row.method, row.rule))
    return chosen, {(first.method, first.rule, first.k)}


def marked(table: pd.DataFrame, column: str) -> set[tuple[str, str, int]]:
    return set(table[table[column]][["method", "rule", "k"]].itertuples(index=False, name=None))


few = settings(max_examples=30)
tolerances = st.sampled_from([0.0, 0.01])


@few
@given(tables().filter(len), tolerances)
def test_the_choice_is_that_of_a_plain_loop(table, tolerance):
    result = choose(table, tolerance=tolerance)
    assert (marked(result, "chosen"), marked(result, "selected")) == choose_plainly(
        table, tolerance
    )


@few
@given(tables().filter(len), tolerances)
def test_one_deterministic_automaton_is_selected_and_one_of_each_family_chosen(table, tolerance):
    result = choose(table, tolerance=tolerance)
    some = int((table["rule"] != "weighted").any())
    assert len(marked(result, "selected")) == some
    assert "weighted" not in {rule for _, rule, _ in marked(result, "selected")}
    assert len(marked(result, "chosen")) == table.groupby(["method", "rule"]).ngroups
    assert result[result["selected"]]["test_set"].tolist() == ["test", "validation"] * some


@few
@given(tables().filter(len), tolerances, st.integers(0, 99))
def test_the_choice_never_looks_at_other_splits(table, tolerance, seed):
    other = table["test_set"] != "selection"
    changed = table.copy()
    changed.loc[other, "fidelity"] = np.random.default_rng(seed).permutation(
        changed.loc[other, "fidelity"]
    )
    one, two = choose(table, tolerance=tolerance), choose(changed, tolerance=tolerance)
    for column in ("chosen", "selected"):
        assert marked(one, column) == marked(two, column)


@few
@given(tables().filter(len))
def test_rows_are_ordered_and_the_selection_split_is_not_reported(table):
    result = choose(table, tolerance=0)
    keys = list(result[["method", "rule", "k", "test_set"]].itertuples(index=False, name=None))
    assert keys == sorted(keys)
    assert len(result) == (table["test_set"] != "selection").sum()
    assert "selection" not in set(result["test_set"])


def family(
    fidelities: list[float], n_states: list[int] | None = None, rule: str = "majority"
) -> pd.DataFrame:
    """Automata of k = 2, 3, … of one method and rule."""
    rows = [("kmeans", rule, k, "selection", share) for k, share in enumerate(fidelities, 2)]
    table = pd.DataFrame(rows, columns=["method", "rule", "k", "test_set", "fidelity"])
    table["n_states"] = table["k"] + 1 if n_states is None else n_states
    table["deterministic"], table["divergence"] = rule != "weighted", None
    table["r2_network"] = None
    return pd.concat([table, table.assign(test_set="test")], ignore_index=True)


@pytest.mark.parametrize(
    ("fidelities", "tolerance", "k"),
    [
        ([0.9, 1.0, 1.0, 0.8], 0.0, 3),
        ([0.9, 0.999, 1.0], 0.0, 4),
        ([0.9, 0.996, 1.0], 0.005, 3),
        ([0.9, 0.994, 1.0], 0.005, 4),
        ([0.7], 0.0, 2),
    ],
)
def test_the_smallest_k_within_tolerance_is_chosen(fidelities, tolerance, k):
    result = choose(family(fidelities), tolerance=tolerance)
    assert marked(result, "chosen") == marked(result, "selected") == {("kmeans", "majority", k)}


def test_ties_go_to_the_automaton_of_fewer_states():
    result = choose(family([1.0, 1.0, 0.9], n_states=[5, 4, 3]), tolerance=0.0)
    assert marked(result, "selected") == {("kmeans", "majority", 3)}


def test_an_automaton_of_too_many_states_is_not_picked():
    table = family([0.8, 0.9, 1.0], n_states=[3, 4, 5])
    result = choose(table, tolerance=0.0, most_states=4)
    assert marked(result, "chosen") == marked(result, "selected") == {("kmeans", "majority", 3)}
    assert len(result) == len(choose(table, tolerance=0.0))


def test_a_bound_that_no_automaton_keeps_is_refused():
    with pytest.raises(DataError, match="no automaton has at most 2 states"):
        choose(family([0.8, 0.9], n_states=[3, 4]), tolerance=0.0, most_states=2)


def test_a_weighted_automaton_is_chosen_but_never_selected():
    table = pd.concat(
        [family([0.8, 0.9]), family([1.0, 1.0], n_states=[2, 2], rule="weighted")],
        ignore_index=True,
    )
    result = choose(table, tolerance=0.0)
    assert marked(result, "chosen") == {("kmeans", "majority", 3), ("kmeans", "weighted", 2)}
    assert marked(result, "selected") == {("kmeans", "majority", 3)}


@pytest.mark.parametrize(
    ("classes", "tolerance"), [(("reject", "accept"), 0.0), (("negative", "positive"), 0.005)]
)
def test_a_language_is_chosen_exactly_and_a_text_within_half_a_point(classes, tolerance):
    assert choice.default_tolerance(classes, "class") == tolerance


# What is written


def results(**columns) -> pd.DataFrame:
    usual = {
        "dataset": "000",
        "cell": "gru",
        "trial": 0,
        "seed": 2**40,
        "method": "kmeans",
        "rule": "majority",
        "k": [2, 3],
        "target": "class",
        "test_set": "test",
        "n": 500,
        "n_unique": 480,
        "accuracy": 1.0,
        "fidelity": 0.5,
        "rnn_accuracy": 1.0,
        "exact": [True, False],
        "n_states": 4,
        "n_states_minimal": 4,
        "unseen_transitions": 0.0,
        "deterministic": True,
        "chosen": [True, False],
        "selected": [True, False],
        "perplexity": None,
        "rnn_perplexity": None,
        "total_variation": None,
        "divergence": None,
        "r2": None,
        "rnn_r2": None,
        "r2_network": None,
        "exact_match": None,
        "rnn_exact_match": None,
    }
    return pd.DataFrame(usual | columns)


@pytest.mark.parametrize("exact", [[True, False], [None, None], [True, None]])
def test_results_have_the_documented_columns(tmp_path, exact):
    path = tmp_path / "results.parquet"
    evaluation.write_results(results(exact=exact), path)
    table = pq.read_table(path)
    assert table.schema.equals(COLUMNS)
    assert table.schema.metadata[b"lisor"] == COLUMNS.metadata[b"lisor"]
    assert table["exact"].to_pylist() == exact
    assert table["k"].to_pylist() == [2, 3]


def test_columns_are_in_order_whatever_the_order_of_the_table(tmp_path):
    path = tmp_path / "results.parquet"
    table = results()
    evaluation.write_results(table[table.columns[::-1]], path)
    assert pq.read_table(path).column_names == COLUMNS.names


def test_a_k_that_there_is_not_is_null(tmp_path):
    path = tmp_path / "results.parquet"
    evaluation.write_results(results(k=[2, None]), path)
    assert pq.read_table(path)["k"].to_pylist() == [2, None]
