import json
from collections import Counter, defaultdict
from dataclasses import fields, replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.automata.weighted import WeightedAutomaton
from lisor.clustering.clustering import Clustering, cluster
from lisor.errors import AutomatonError, SchemaError
from lisor.extraction import extraction
from lisor.extraction.dynamics import center_states
from lisor.extraction.extract import extract as extract_each
from lisor.extraction.extraction import Extraction, SearchLog
from lisor.extraction.transitions import count_transitions, default_unseen, most_frequent
from lisor.extraction.view import View
from lisor.networks.hidden_states import Points
from lisor.networks.trained import TrainedModel
from lisor.registry import CELLS, RULES
from lisor.sequences import Sequences
from tests.conftest import random_network
from tests.extracting import extract, transitions_from_centers
from tests.lived import counted_steps
from tests.strategies import WITH_CELL_STATE, words


def as_points(sequences: list[list[int]], hidden: int = 1) -> Points:
    """The steps of the sequences; their hidden states play no part in an extraction."""
    steps = [
        (row, step, symbol)
        for row, word in enumerate(sequences)
        for step, symbol in enumerate(word, 1)
    ]
    columns = np.array(steps, np.int32).reshape(-1, 3).T
    return Points(
        sequence=columns[0],
        step=columns[1],
        symbol=columns[2],
        state=np.zeros((len(steps), hidden)),
    )


def clustered(labels: list[int], centers: np.ndarray) -> Clustering:
    return Clustering(
        method="kmeans",
        k=len(centers),
        centers=centers,
        labels=np.array(labels, np.int32),
        inertia=0.0,
    )


def sign_network() -> TrainedModel:
    """A network of 4 hidden units that accepts where the first is above 0, as it is not in the
    initial state."""
    network = random_network()
    weights = dict(network.weights)
    weights["output_weight"] = torch.tensor([[[-1.0, 1.0], [0, 0], [0, 0], [0, 0]]])
    weights["output_bias"] = torch.tensor([[[0.1, 0.0]]])
    return TrainedModel(
        architecture=network.architecture,
        weights=weights,
        alphabet=("0", "1"),
        classes=("reject", "accept"),
        seed=0,
        history={},
        best_epoch=0,
    )


def count_plainly(sequences: list[list[int]], labels: list[int]) -> Counter[tuple[int, int, int]]:
    """How often (state, symbol, next state) occurs, step by step; the start is 0 and cluster c is c
    + 1."""
    counts: Counter[tuple[int, int, int]] = Counter()
    label = iter(labels)
    for word in sequences:
        state = 0
        for symbol in word:
            target = next(label) + 1
            counts[state, symbol, target] += 1
            state = target
    return counts


@st.composite
def labelled_words(draw: st.DrawFn, k: int = 3) -> tuple[list[list[int]], list[int]]:
    sequences = draw(words())
    total = sum(map(len, sequences))
    return sequences, draw(st.lists(st.integers(0, k - 1), min_size=total, max_size=total))


@given(labelled_words())
def test_transitions_are_counted_as_step_by_step(labelled):
    sequences, labels = labelled
    counts = count_transitions(as_points(sequences), np.array(labels, np.int32), k=3, symbols=2)
    columns = (counts.source, counts.symbol, counts.target, counts.count)
    found = {
        (q, a, r): n for q, a, r, n in zip(*(column.tolist() for column in columns), strict=True)
    }
    assert found == count_plainly(sequences, labels)
    assert (counts.states, counts.symbols) == (4, 2)


@given(labelled_words())
def test_the_most_frequent_next_state_is_kept_and_a_tie_goes_to_the_lower_index(labelled):
    sequences, labels = labelled
    counts = count_transitions(as_points(sequences), np.array(labels, np.int32), k=3, symbols=2)
    transitions, seen = most_frequent(counts)
    votes: defaultdict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for (state, symbol, target), count in count_plainly(sequences, labels).items():
        votes[state, symbol].append((-count, target))
    for state in range(4):
        for symbol in range(2):
            assert seen[state, symbol] == ((state, symbol) in votes)
            if seen[state, symbol]:
                assert transitions[state, symbol] == min(votes[state, symbol])[1]


CENTERS = np.array([[-1, 0, 0, 0], [1, 0, 0, 0], [-2, 1, 0, 0]], np.float32)


def test_an_example_worked_by_hand():
    """Clusters A, B, C become states 1, 2, 3, of which B accepts.

    011  start -0-> A -1-> B -1-> A        (B, 1) leads to A once
    11   start -1-> B -1-> C               and to C once: the lower index, A, wins
    01   start -0-> A -1-> B
    000  start -0-> A -0-> A -0-> C        (A, 0) leads to A once and to C once: A wins
    (B, 0) and both of C were never seen, so they lead to the sink, state 4, which rejects."""
    points = as_points([[0, 1, 1], [1, 1], [0, 1], [0, 0, 0]])
    A, B, C = 0, 1, 2
    result = extract(sign_network(), points, clustered([A, B, A, B, C, A, B, A, A, C], CENTERS))
    automaton = result.automaton
    assert automaton.transitions.tolist() == [[1, 2], [1, 2], [4, 1], [4, 4], [4, 4]]
    assert automaton.outputs.tolist() == [0, 0, 1, 0, 0]
    assert result.seen.tolist() == [
        [True, True],
        [True, True],
        [False, True],
        [False, False],
        [False, False],
    ]
    assert (result.method, result.rule, result.k, automaton.start) == ("kmeans", "majority", 3, 0)
    accepted = [
        word for word in ("", "0", "1", "01", "10", "11", "011", "0111") if automaton.accepts(word)
    ]
    assert accepted == ["1", "01", "0111"]


@given(labelled_words())
def test_nothing_leads_into_the_start_where_unseen_steps_are_rejected(labelled):
    sequences, labels = labelled
    automaton = extract(
        sign_network(), as_points(sequences), clustered(labels, CENTERS), unseen="reject"
    ).automaton
    assert (automaton.transitions > 0).all()


@given(labelled_words())
def test_unseen_steps_are_rejected_for_good_by_a_sink_that_is_there_only_when_needed(labelled):
    sequences, labels = labelled
    result = extract(
        sign_network(), as_points(sequences), clustered(labels, CENTERS), unseen="reject"
    )
    transitions, sink = result.automaton.transitions, 4
    everything_seen = result.seen[:sink].all()
    assert result.automaton.n_states == (4 if everything_seen else 5)
    assert ((transitions == sink) == ~result.seen).all()
    if not everything_seen:
        assert result.automaton.outputs[sink] == 0


def test_no_sink_is_added_where_every_step_was_seen():
    sequences = [[0, 0, 1, 1, 0], [1, 0]]
    result = extract(
        sign_network(), as_points(sequences), clustered([0, 0, 1, 1, 0, 1, 0], CENTERS[:2])
    )
    assert result.seen.all()
    assert result.automaton.n_states == 3


@given(labelled_words())
def test_unseen_steps_may_lead_nowhere(labelled):
    sequences, labels = labelled
    result = extract(
        sign_network(), as_points(sequences), clustered(labels, CENTERS), unseen="stay"
    )
    rejecting = extract(
        sign_network(), as_points(sequences), clustered(labels, CENTERS), unseen="reject"
    )
    stays = result.automaton.transitions == np.arange(4)[:, None]
    assert result.automaton.n_states == 4
    assert stays[~result.seen].all()
    assert (result.automaton.transitions == rejecting.automaton.transitions[:4])[result.seen].all()


@pytest.mark.parametrize(
    ("classes", "policy"), [(("reject", "accept"), "reject"), (("anomaly", "normal"), "stay")]
)
def test_words_of_a_language_are_rejected_and_those_of_a_text_change_nothing(classes, policy):
    assert default_unseen(classes) == policy


@pytest.mark.parametrize("classes", [2, 3])
def test_outputs_are_what_the_network_reads_out_of_the_centers(classes):
    network = random_network(symbols=2, classes=classes, seed=3)
    centers = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    result = extract(network, as_points([[0, 1]]), clustered([0, 1], centers), unseen="stay")
    logits = (
        centers @ network.weights["output_weight"][0].numpy()
        + network.weights["output_bias"][0, 0].numpy()
    )
    assert result.automaton.outputs[1:].tolist() == logits.argmax(axis=1).tolist()
    assert len(set(result.automaton.outputs)) == classes
    start = network.predict(Sequences.from_lists([[], [0]]))[0]
    assert result.automaton.outputs[0] == start.argmax()


def test_an_automaton_carries_what_the_network_knows(network):
    automaton = extract(
        network, as_points([[0, 1]], 8), clustered([0, 1], np.zeros((2, 8), np.float32))
    ).automaton
    assert (automaton.alphabet, automaton.classes) == (network.alphabet, network.classes)


def test_the_automaton_of_a_trained_network_is_the_language(network, words, dumped):
    points = dumped.read()
    found = [
        extract(network, points, block)
        for block in cluster(points, range(4, 13), method="kmeans", seed=0)
    ]
    test = words.splits["test"]
    accuracies = [
        (result.automaton.classify(test.sequences) == test.labels).mean() for result in found
    ]
    assert max(accuracies) == 1
    assert 4 in [result.automaton.minimized().n_states for result in found]


# Rules that ask the network itself


def lived(cell: str, labelled: tuple[list[list[int]], list[int]], *, metric: bool = False) -> tuple:
    """A network of a cell, the states it is in after each step of the words, and clusters of them
    with such labels."""
    sequences, labels = labelled
    model, steps = random_network(cell, seed=1), []
    for word in sequences:
        state = model.initial_state()
        for symbol in word:
            state = model.step(state, symbol)
            steps.append(torch.cat(state, dim=-1)[0, 0].numpy())
    states = np.array(steps, np.float32).reshape(-1, 8 if cell in WITH_CELL_STATE else 4)
    points = replace(
        as_points(sequences),
        state=states[:, :4],
        cell_state=states[:, 4:] if cell in WITH_CELL_STATE else None,
    )
    centers = np.random.default_rng(2).normal(scale=0.3, size=(3, 4)).astype(np.float32)
    matrix = np.random.default_rng(3).normal(size=(states.shape[1], 5)).astype(np.float32)
    return model, points, replace(clustered(labels, centers), metric=matrix if metric else None)


few = settings(max_examples=20)

READ_OFF = [name for name, rule in RULES.items() if not rule.searches and not rule.reads_numbers]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("metric", [False, True])
@few
@given(labelled=labelled_words())
def test_dynamics_goes_where_the_network_goes_and_has_seen_everything(cell, metric, labelled):
    model, points, clustering = lived(cell, labelled, metric=metric)
    result = extract(model, points, clustering, rule="dynamics")
    states = center_states(model, points, clustering)
    np.testing.assert_array_equal(
        result.automaton.transitions, transitions_from_centers(model, states, clustering.metric)
    )
    assert (
        result.automaton.outputs.tolist() == model.probabilities(states[0]).argmax(axis=1).tolist()
    )
    assert result.automaton.n_states == clustering.k + 1
    assert (result.automaton.transitions > 0).all()
    assert result.seen.shape == result.automaton.transitions.shape
    assert result.seen.all()


@few
@given(labelled_words(), st.sampled_from(["dynamics", "weighted"]))
def test_where_nothing_is_unseen_the_policy_for_it_changes_nothing(labelled, rule):
    one, two = (
        extract(*lived("gru", labelled), rule=rule, unseen=unseen) for unseen in ("reject", "stay")
    )
    assert_equal(one, two)


@pytest.mark.parametrize("cell", CELLS)
@few
@given(labelled=labelled_words())
def test_a_weighted_automaton_holds_what_was_counted_and_what_the_network_answers(cell, labelled):
    model, points, clustering = lived(cell, labelled)
    result = extract(model, points, clustering, rule="weighted")
    machine = result.automaton
    assert isinstance(machine, WeightedAutomaton)
    columns = (machine.source, machine.symbol, machine.target, machine.count)
    found = {
        (q, a, r): n for q, a, r, n in zip(*(column.tolist() for column in columns), strict=True)
    }
    assert found == count_plainly(*labelled)
    certain = extract(model, points, clustering, rule="dynamics").automaton
    np.testing.assert_array_equal(machine.fallback, certain.transitions)
    assert machine.class_probabilities.argmax(axis=1).tolist() == certain.outputs.tolist()
    np.testing.assert_array_equal(
        machine.class_probabilities,
        model.probabilities(center_states(model, points, clustering)[0]),
    )
    assert result.seen.all()


@pytest.mark.parametrize("rule", READ_OFF)
def test_by_every_rule_an_automaton_carries_what_the_network_knows(rule):
    text = Alphabet(symbols=("0", "1"), unknown=1, tokenizer="words")
    known = replace(sign_network(), alphabet=text)
    result = extract(known, as_points([[0, 1]], 4), clustered([0, 1], CENTERS), rule=rule)
    machine = result.automaton
    assert (machine.alphabet, machine.classes, machine.start) == (
        known.alphabet,
        known.classes,
        0,
    )
    assert (result.method, result.rule, result.k) == ("kmeans", rule, 3)


def test_a_weighted_automaton_is_not_taken_for_a_deterministic_one():
    result = extract(
        sign_network(), as_points([[0, 1]]), clustered([0, 1], CENTERS), rule="weighted"
    )
    with pytest.raises(
        AutomatonError, match="deterministic automaton, got one by the rule 'weighted'"
    ):
        _ = result.deterministic


@pytest.mark.parametrize("rule", ["", "Majority", "learned"])
def test_a_rule_that_there_is_not_is_refused(rule):
    with pytest.raises(
        AutomatonError,
        match=f"one of the rules {', '.join(RULES)}, got {rule!r}",
    ):
        extract(sign_network(), as_points([[0]]), clustered([0], CENTERS), rule=rule)


@pytest.mark.parametrize("rule", ["refined", "distilled", "queried"])
def test_a_search_that_has_nothing_to_draw_words_from_is_refused(rule):
    with pytest.raises(AutomatonError, match="expected probes"):
        extract(sign_network(), as_points([[0]]), clustered([0], CENTERS), rule=rule)


def test_what_rules_of_one_clustering_share_is_computed_once():
    model, points, clustering = lived("gru", ([[0, 1, 1], [1, 0]], [0, 1, 2, 1, 1]))
    with counted_steps() as read:
        extract_each(View(network=model, points=points, clustering=clustering), READ_OFF[:2])
    assert sum(read) == (clustering.k + 1) * 2
    with counted_steps() as again:
        rules = ["dynamics", "weighted"]
        extract_each(View(network=model, points=points, clustering=clustering), rules)
    assert sum(again) == sum(read)


@pytest.mark.parametrize("rule", ["dynamics", "weighted"])
def test_by_other_rules_too_a_trained_network_shows_the_language(network, words, dumped, rule):
    points, test = dumped.read(), words.splits["test"]
    blocks = cluster(points, range(4, 13), method="kmeans", seed=0)
    machines = [extract(network, points, block, rule=rule).automaton for block in blocks]
    assert (
        max((machine.classify(test.sequences) == test.labels).mean() for machine in machines) == 1
    )


# What is written


def assert_equal(one: Extraction, two: Extraction) -> None:
    assert (one.method, one.rule, one.k, type(one.automaton)) == (
        two.method,
        two.rule,
        two.k,
        type(two.automaton),
    )
    np.testing.assert_array_equal(one.seen, two.seen)
    for field in fields(one.automaton):
        np.testing.assert_array_equal(
            getattr(one.automaton, field.name), getattr(two.automaton, field.name)
        )


def read_back(folder, results: list[Extraction]) -> list[Extraction]:
    extraction.write(results, folder)
    return list(extraction.read(folder))


@pytest.mark.parametrize("unseen", ["reject", "stay"])
def test_automata_are_read_as_they_were_written(tmp_path, unseen):
    points = as_points([[0, 1, 1], [], [1]])
    blocks = [clustered([0, 1, 1, 0], CENTERS[:2]), clustered([0, 1, 2, 0], CENTERS)]
    written = [extract(sign_network(), points, block, unseen=unseen) for block in blocks]
    for one, two in zip(read_back(tmp_path, written), written, strict=True):
        assert_equal(one, two)


@few
@given(labelled=labelled_words(), rules=st.permutations(READ_OFF * 2))
def test_automata_by_all_rules_are_read_as_they_were_written(tmp_path_factory, labelled, rules):
    written = [extract(*lived("lstm", labelled), rule=rule) for rule in rules]
    for one, two in zip(read_back(tmp_path_factory.getbasetemp(), written), written, strict=True):
        assert_equal(one, two)


def test_each_automaton_keeps_its_own_start(tmp_path):
    seen = np.ones((2, 1), bool)
    machines = [
        Automaton(
            alphabet=("a",),
            classes=("no", "yes"),
            transitions=[[1], [0]],
            outputs=[0, 1],
            start=start,
        )
        for start in (0, 1)
    ]
    written = [
        Extraction(method="kmeans", rule=f"rule {place}", k=2, automaton=machine, seen=seen)
        for place, machine in enumerate(machines)
    ]
    assert [one.automaton for one in read_back(tmp_path, written)] == machines


def test_a_weighted_automaton_that_was_read_answers_as_before(tmp_path):
    made = extract(*lived("gru", ([[0, 1, 1], [1, 0]], [0, 1, 2, 1, 1])), rule="weighted")
    (read,) = read_back(tmp_path, [made])
    sequences = Sequences.from_lists([[], [0], [1, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(
        read.automaton.probabilities(sequences), made.automaton.probabilities(sequences)
    )


def test_the_same_automata_give_the_same_bytes(tmp_path):
    files = []
    for _ in range(2):
        read_back(
            tmp_path, [extract(*lived("gru", ([[0, 1]], [0, 2])), rule=rule) for rule in READ_OFF]
        )
        files.append((tmp_path / "automata.parquet").read_bytes())
    assert files[0] == files[1]


def test_how_a_search_went_is_read_as_it_was_written(tmp_path):
    found = extract(sign_network(), as_points([[0]]), clustered([0], CENTERS))
    search = SearchLog(steps=9, complete=False, limited=True, tests=4, last_difference=3)
    searched = replace(found, rule="refined", search=search)
    assert [one.search for one in read_back(tmp_path, [found, searched])] == [None, search]
    assert extraction.read_searches(tmp_path) == {("kmeans", "refined", 3): search}


def test_no_automaton_is_read_as_none(tmp_path):
    assert read_back(tmp_path, []) == []


WANTED = {
    "one": [("kmeans", "majority", 3)],
    "both methods": {("kmeans-x", "majority", 2), ("kmeans", "majority", 2)},
    "both rules": [("kmeans", "majority", 3), ("kmeans", "weighted", 3)],
    "one that is not there": [
        ("kmeans-x", "majority", 3),
        ("kmeans-x", "majority", 9),
        ("kmeans", "other", 2),
    ],
    "none": [],
}


@pytest.mark.parametrize("wanted", WANTED.values(), ids=WANTED)
def test_of_many_automata_those_that_are_wanted_are_read(tmp_path, wanted):
    points, labels = as_points([[0, 1], [1]]), [0, 1, 1]
    blocks = [
        replace(clustered(labels, CENTERS[:k]), method=m)
        for m in ("kmeans", "kmeans-x")
        for k in (2, 3)
    ]
    written = [
        extract(sign_network(), points, block, rule=rule)
        for block in blocks
        for rule in ("majority", "weighted")
    ]
    extraction.write(written, tmp_path)
    expected = [one for one in written if (one.method, one.rule, one.k) in wanted]
    for one, two in zip(extraction.read(tmp_path, wanted), expected, strict=True):
        assert_equal(one, two)


def test_another_schema_is_refused(tmp_path):
    extraction.write(
        [extract(sign_network(), as_points([[0]]), clustered([0], CENTERS[:1]))], tmp_path
    )
    path = tmp_path / "automata.parquet"
    pq.write_table(
        pq.read_table(path).replace_schema_metadata({"lisor": json.dumps({"schema": 99})}), path
    )
    with pytest.raises(SchemaError, match=f"schema {extraction.SCHEMA}, got 99"):
        list(extraction.read(tmp_path))
