from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lisor.automata.automaton import Automaton
from lisor.clustering.clustering import Clustering, cluster
from lisor.data.dataset import Dataset, Split
from lisor.evaluation import choice, evaluation
from lisor.extraction.extraction import Extraction, SearchLog
from lisor.networks import hidden_states
from lisor.networks.hidden_states import HiddenStates
from lisor.report.caveats import BY_POSITION, between, caveats
from lisor.report.findings import Findings
from lisor.sequences import Sequences
from tests.conftest import random_network
from tests.extracting import extract
from tests.report.conftest import findings

K = 3

ANY = Split(sequences=Sequences.from_lists([[0], []]), labels=np.array([0, 1]))


def sequences_of(lengths: tuple[int, int], count: int, seed: int) -> Sequences:
    rng = np.random.default_rng(seed)
    return Sequences.from_lists(
        [rng.integers(4, size=size) for size in rng.integers(*lengths, size=count)]
    )


def read_off(
    method: str, lengths: tuple[int, int], folder: Path
) -> tuple[pd.DataFrame, Dataset, Findings]:
    """A network's automaton by majority on sequences of such lengths, which are labelled as it
    answers them."""
    model = random_network("gru", symbols=4, hidden_size=6, seed=2)
    splits = {}
    for seed, name in enumerate(("train", "validation", "selection", "test")):
        sequences = sequences_of(lengths, 80, seed)
        scores = model.predict(sequences)[:, 1]
        splits[name] = Split(
            sequences=sequences, labels=(scores > np.median(scores)).astype(np.int64)
        )
    dataset = Dataset(alphabet=model.alphabet, classes=model.classes, splits=splits)
    hidden_states.dump(model, dataset, folder)
    dump = HiddenStates(folder=folder)
    points = dump.read()
    (clustering,) = cluster(points, [K], method=method, weight=0.1, seed=0)
    found = extract(model, points, clustering, unseen="stay")
    scored = {name: split for name, split in splits.items() if name != "train"}
    table = pd.DataFrame(
        list(map(asdict, evaluation.evaluate([found], scored, dump.predictions())))
    )
    rows = choice.choose(table, tolerance=0.0).assign(dataset="000", cell="gru", trial=0)
    network = replace(
        findings("gru", lambda *_: found), clustering=lambda *_: clustering, variance=dump.variance
    )
    return rows, dataset, network


@pytest.mark.parametrize(
    ("method", "lengths", "noted"),
    [("kmeans-x", (150, 200), True), ("kmeans-x", (4, 9), False), ("kmeans", (150, 200), False)],
)
def test_clusters_that_go_by_position_in_long_sequences_are_named(
    method: str, lengths: tuple[int, int], noted: bool, tmp_path: Path
) -> None:
    rows, dataset, network = read_off(method, lengths, tmp_path)
    notes = [
        note
        for note in caveats(rows, dataset, [network])
        if "go by the position in the sequence" in note
    ]
    assert bool(notes) == noted
    for note in notes:
        assert f"gru-0 (k = {K}, " in note
        assert "lower clustering.position_weight" in note


def test_what_lies_between_clusters_is_what_they_explain_of_the_variance(tmp_path: Path) -> None:
    _, _, network = read_off("kmeans", (4, 9), tmp_path)
    states, clustering = (
        HiddenStates(folder=tmp_path).read().state.astype(np.float64),
        network.clustering("kmeans", K),
    )
    assert network.variance() == pytest.approx(states.var(axis=0).sum())
    within = np.square(states - clustering.centers[clustering.labels]).sum(axis=1).mean()
    assert between(clustering) == pytest.approx(network.variance() - within, rel=1e-3)
    assert between(clustering) > BY_POSITION * network.variance()


def answering(outputs: list[int], accuracy: float) -> list[str]:
    """The notes on a chosen automaton of two states, by the last symbol, with this accuracy."""
    automaton = Automaton(
        alphabet=("0", "1"),
        classes=("no", "yes"),
        transitions=np.array([[0, 1], [0, 1]]),
        outputs=np.array(outputs),
    )
    found = Extraction(
        method="kmeans", rule="majority", k=2, automaton=automaton, seen=np.ones((2, 2), bool)
    )
    test = Split(
        sequences=Sequences.from_lists([[0], [1], [1, 0], [0, 0]]), labels=np.array([0, 1, 0, 0])
    )
    dataset = Dataset(alphabet=("0", "1"), classes=("no", "yes"), splits={"test": test})
    row = {
        "cell": "gru",
        "trial": 0,
        "method": "kmeans",
        "rule": "majority",
        "k": 2,
        "test_set": "test",
    }
    rows = pd.DataFrame([{**row, "accuracy": accuracy, "chosen": True, "selected": True}])
    return list(caveats(rows, dataset, [findings("gru", lambda *_: found)]))


def test_an_automaton_that_answers_every_sequence_alike_is_named_with_its_answer() -> None:
    (note,) = answering([0, 0], 0.75)
    assert note.startswith("kmeans and majority: automata that answer every test sequence alike")
    assert "gru-0 (k = 2, always no)" in note
    (note,) = answering([1, 1], 0.25)
    assert "gru-0 (k = 2, always yes)" in note


def test_an_automaton_at_chance_is_named_with_what_one_answer_would_reach() -> None:
    (note,) = answering([1, 0], 0.0)
    assert (
        "at chance, right no more often than always answering no would be (0.750): gru-0 (k = 2, "
        "0.000)" in note
    )


def test_of_an_automaton_that_is_better_there_is_nothing_to_say() -> None:
    assert answering([0, 1], 1.0) == []


def test_a_search_that_tried_not_all_of_its_moves_is_named() -> None:
    searches = {
        ("kmeans", rule, k): SearchLog(steps=9, complete=complete, tests=tests)
        for k, ((rule, tests), complete) in enumerate(
            product([("refined", 5), ("distilled", None)], (True, False))
        )
    }
    rows = pd.DataFrame(
        columns=["cell", "trial", "method", "test_set", "chosen", "selected"]
    ).astype({"chosen": bool})
    dataset = Dataset(alphabet=("0",), classes=("no", "yes"), splits={"test": ANY})
    network = replace(
        findings("gru", lambda *_: pytest.fail("nothing is chosen")), searches=searches
    )
    (note,) = caveats(rows.astype({"selected": bool}), dataset, [network])
    assert note.endswith("before all moves were tried: gru-0 (kmeans, k = 3).")


def test_empty_clusters_change_nothing() -> None:
    centers = np.array([[0.0], [2.0], [99.0]], np.float32)
    labels = np.array([0, 0, 1, 1])
    assert (
        between(Clustering(method="kmeans-x", k=3, centers=centers, labels=labels, inertia=0.0))
        == 1.0
    )
