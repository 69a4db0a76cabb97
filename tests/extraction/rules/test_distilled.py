from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.clustering.clustering import Clustering, cluster
from lisor.extraction.dynamics import StateComparison, center_states, draw_members
from lisor.extraction.probes import Probes
from lisor.extraction.rules import distilled as module
from lisor.extraction.view import View
from lisor.networks.hidden_states import Points
from lisor.networks.trained import TrainedModel
from lisor.randomness import stream
from lisor.registry import CELLS
from lisor.sequences import Sequences
from tests.extracting import search
from tests.lived import LIVED, H, K, counted_steps, kinds, lived, step_plainly

few = settings(max_examples=5)
seeds = st.integers(0, 9)

WORDS = Probes.like(Sequences.from_lists(LIVED), symbols=2, is_text=False, fixed_length=None)


@pytest.fixture(autouse=True, scope="module")
def shorter_search() -> Iterator[None]:
    """As many words and moves as small networks need."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WORDS", 200)
        patch.setattr(module, "TRIES", 60)
        yield


def first_and_centers(
    model: TrainedModel, points: Points, clustering: Clustering
) -> tuple[np.ndarray, np.ndarray]:
    """The initial state and the centers, h and c in one row."""
    whole = np.concatenate(center_states(model, points, clustering), axis=1)
    return whole[0], whole[1:]


def steps_plainly(model: TrainedModel, before: np.ndarray) -> np.ndarray:
    """The network's step from a state of its own for each center and symbol."""
    parts = [[np.split(state, range(H, len(state), H)) for state in row] for row in before]
    after = [
        [np.concatenate(step_plainly(model, part, a)) for a, part in enumerate(row)]
        for row in parts
    ]
    return np.array(after)


def places_plainly(states: np.ndarray, metric: np.ndarray | None) -> np.ndarray:
    """Where states lie where they are compared: h alone, or where the metric puts h and c."""
    return (states[..., :H] if metric is None else states @ metric).astype(np.float64)


def distances_plainly(
    states: np.ndarray, centers: np.ndarray, metric: np.ndarray | None
) -> np.ndarray:
    """How far states are from each center, squared."""
    apart = places_plainly(states, metric)[..., None, :] - places_plainly(centers, metric)
    return np.square(apart).sum(axis=-1)


def machine_plainly(
    model: TrainedModel,
    first: np.ndarray,
    centers: np.ndarray,
    before: np.ndarray,
    metric: np.ndarray | None,
    *,
    own_start: bool = False,
) -> Automaton:
    """The automaton of some centers: each leads to that nearest to the step from the states
    `before`.

    It starts in the center nearest to the initial state, or in a state that stands for that."""
    outputs = [model.probabilities(center[None, :H])[0].argmax() for center in centers]
    start = int(distances_plainly(first, centers, metric).argmin())
    if own_start:
        before = np.concatenate([np.repeat(first[None, None], before.shape[1], axis=1), before])
        outputs, start = [model.probabilities(first[None, :H])[0].argmax(), *outputs], 0
    targets = distances_plainly(steps_plainly(model, before), centers, metric).argmin(axis=-1)
    return Automaton(
        alphabet=model.alphabet,
        classes=model.classes,
        transitions=targets + own_start,
        outputs=np.array(outputs),
        start=start,
    )


def whole_states(points: Points) -> np.ndarray:
    return (
        points.state
        if points.cell_state is None
        else np.concatenate([points.state, points.cell_state], axis=1)
    )


def draw_words(rng: np.random.Generator) -> Sequences:
    """The words of a search."""
    half = module.WORDS // 2
    return Sequences.join([WORDS.random(half, rng), WORDS.near_misses(half, rng)])


def agreement(model: TrainedModel, machine: Automaton, seed: int) -> float:
    """The share of the words of a search that network and automaton answer alike."""
    words = draw_words(stream(seed, "distilled"))
    return float((machine.classify(words) == model.predict(words).argmax(axis=1)).mean())


def distilled(*case, seed: int, moves: int = 999) -> Automaton:
    """What a search finds of so many moves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TRIES", min(moves, module.TRIES))
        return search("distilled", *case, WORDS, seed=seed).automaton


# What comes of it


@kinds
@few
@given(seed=seeds)
def test_a_search_begins_with_the_better_of_steps_from_centers_and_from_members(
    cell, classes, metric, seed
):
    """In a start of its own where that is worth a state."""
    model, points, clustering = lived(cell, classes, seed, metric=metric)
    first, centers = first_and_centers(model, points, clustering)
    rng = stream(seed, "distilled")
    draw_words(rng)
    members = whole_states(points)[draw_members(clustering, 2, rng)]
    befores = (np.repeat(centers[:, None], 2, axis=1), members)
    nearest, own = (
        [
            machine_plainly(model, first, centers, before, clustering.metric, own_start=own)
            for before in befores
        ]
        for own in (False, True)
    )
    best = [
        max(agreement(model, machine, seed) for machine in machines) for machines in (nearest, own)
    ]
    worth = best[1] > best[0] + module.WORTH_A_STATE
    better = max(own if worth else nearest, key=lambda machine: agreement(model, machine, seed))
    assert distilled(model, points, clustering, seed=seed, moves=0) == better


@kinds
@few
@given(seed=seeds)
def test_it_answers_no_fewer_words_as_the_network_does_the_longer_it_searches(
    cell, classes, metric, seed
):
    model, points, clustering = lived(cell, classes, seed, metric=metric)
    machines = [
        distilled(model, points, clustering, seed=seed, moves=moves) for moves in (0, 5, 20, 60)
    ]
    shares = [agreement(model, machine, seed) for machine in machines]
    assert shares == sorted(shares)


@pytest.mark.parametrize("cell", CELLS)
def test_some_automata_become_more_faithful(cell):
    gains = []
    for seed in range(10):
        model, points, clustering = lived(cell, 2, seed, metric=False)
        shares = [
            agreement(model, distilled(model, points, clustering, seed=seed, moves=m), seed)
            for m in (0, 999)
        ]
        gains.append(shares[1] - shares[0])
    assert max(gains) > 0.05


@kinds
def test_its_states_are_the_centers_whether_or_not_all_are_needed(cell, classes, metric):
    result = search("distilled", *lived(cell, classes, 0, metric=metric), WORDS, seed=0)
    assert result.automaton.n_states in (K, K + 1)  # with a start of its own
    assert result.seen.shape == (result.automaton.n_states, 2)
    assert result.seen.all()


@kinds
def test_the_same_seed_gives_the_same_automaton(cell, classes, metric):
    case = lived(cell, classes, 3, metric=metric)
    assert distilled(*case, seed=3) == distilled(*case, seed=3)


def test_another_seed_makes_other_moves():
    assert len({distilled(*lived("gru", 2, 1, metric=False), seed=seed) for seed in range(6)}) > 1


def test_it_carries_what_the_network_knows_and_where_it_comes_from():
    model, points, clustering = lived("gru", 3, 0, metric=False)
    known = replace(model, alphabet=Alphabet(symbols=("0", "1"), unknown=1, tokenizer="words"))
    result = search(
        "distilled", known, points, replace(clustering, method="kmeans-x"), WORDS, seed=0
    )
    machine = result.automaton
    assert (result.method, result.rule, result.k) == ("kmeans-x", "distilled", K)
    assert (machine.alphabet, machine.classes) == (known.alphabet, known.classes)


@kinds
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_it_counts_what_the_network_reads_and_makes_no_move_for_which_that_would_be_too_much(
    cell, classes, metric, share
):
    case = lived(cell, classes, 0, metric=metric)
    least, most = (
        search("distilled", *case, WORDS, seed=0, steps=budget).search.steps for budget in (0, None)
    )
    budget = round(least + share * (most - least))
    with counted_steps() as read:
        found = search("distilled", *case, WORDS, seed=0, steps=budget)
    assert found.search.steps == sum(read) <= budget
    assert found.search.complete == (share == 1)
    assert most - least == module.TRIES * 2  # symbols
    assert budget - found.search.steps < 2


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("metric", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.1])
def test_states_that_are_all_alike_stay_where_they_are(cell, metric, value):
    model, points, clustering = lived(cell, 2, 0, metric=metric)
    alike = np.full_like(points.state, value)
    constant = replace(points, state=alike, cell_state=None if points.cell_state is None else alike)
    found = [distilled(model, constant, clustering, seed=0, moves=moves) for moves in (0, 999)]
    assert found[0] == found[1]


@pytest.mark.parametrize("cell", CELLS)
def test_a_single_center_may_move_too(cell):
    model, points, _ = lived(cell, 2, 0, metric=False)
    (one,) = cluster(points, [1], method="kmeans", seed=0)
    machine = distilled(model, points, one, seed=0)
    assert (machine.transitions == machine.n_states - 1).all()
    words = draw_words(stream(0, "distilled"))
    shares = np.bincount(model.predict(words).argmax(axis=1), minlength=2) / len(words)
    assert agreement(model, machine, 0) >= shares[machine.outputs[-1]]


# The table of where each center goes


@kinds
@pytest.mark.parametrize("dithered", [False, True])
@few
@given(
    seed=seeds,
    moves=st.lists(st.tuples(st.integers(0, K - 1), st.sampled_from([0.02, 0.5, 3.0])), max_size=6),
)
def test_a_table_whose_centers_moved_is_that_of_the_moved_centers(
    cell, classes, metric, dithered, seed, moves
):
    """Members of a cluster move with its center."""
    model, points, clustering = lived(cell, classes, seed, metric=metric)
    (first, centers), rng = (
        first_and_centers(model, points, clustering),
        np.random.default_rng(seed),
    )
    members = draw_members(clustering, 2, rng) if dithered else None
    before = (
        np.repeat(centers[:, None], 2, axis=1) if members is None else whole_states(points)[members]
    )
    table = module._Table.of(View(network=model, points=points, clustering=clustering), members)
    for center, size in [(0, 0.0), *moves]:
        shift = (size * rng.normal(size=centers.shape[1])).astype(np.float32)
        table = table.moved(center, shift)
        centers[center] += shift
        before[center] += shift
        for own in (False, True):
            machine = machine_plainly(
                model, first, centers, before, clustering.metric, own_start=own
            )
            assert replace(table, own_start=own).automaton() == machine
        after = steps_plainly(
            model, np.concatenate([np.repeat(first[None, None], 2, axis=1), before])
        )
        places = places_plainly(after, clustering.metric)
        distance = distances_plainly(after, centers, clustering.metric).min(axis=-1) - np.square(
            places
        ).sum(axis=-1)
        np.testing.assert_allclose(table.after, places, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(table.distance, distance, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dithered", [False, True])
def test_a_move_leaves_the_table_that_it_was_made_from(dithered):
    model, points, clustering = lived("lstm", 2, 0, metric=False)
    members = draw_members(clustering, 2, np.random.default_rng(0)) if dithered else None
    table = module._Table.of(View(network=model, points=points, clustering=clustering), members)
    first, copies = (
        table.automaton(),
        {name: np.copy(value) for name, value in vars(table).items() if name != "view"},
    )
    table.moved(1, np.full(2 * H, 0.7, np.float32))
    assert table.automaton() == first
    for name, value in copies.items():
        np.testing.assert_array_equal(getattr(table, name), value)


# In which directions centers move


def spread(size: int, deviations: list[float], seed: int, hidden: int) -> Points:
    """States of given standard deviations in as many directions at right angles; the first part is
    h, the rest c."""
    rng = np.random.default_rng(seed)
    scores = np.linalg.qr(rng.normal(size=(size, len(deviations) + 1)))[0]
    scores = np.linalg.qr(np.column_stack([np.ones(size), scores]))[0][
        :, 1 : len(deviations) + 1
    ] * np.sqrt(size)
    axes = np.linalg.qr(rng.normal(size=(len(deviations), len(deviations))))[0]
    whole = (scores * deviations) @ axes + rng.normal(size=len(deviations))
    none, whole = np.zeros(size, np.int32), whole.astype(np.float32)
    cell = whole[:, hidden:] if hidden < len(deviations) else None
    return Points(
        sequence=none, step=none + 1, symbol=none, state=whole[:, :hidden], cell_state=cell
    )


def by(matrix: np.ndarray) -> StateComparison:
    """States compared as s·R."""
    return StateComparison(lambda whole: whole @ matrix, np.empty((0, matrix.shape[1])))


@settings(max_examples=20)
@given(seed=st.integers(0, 99))
def test_without_a_metric_one_move_is_a_standard_deviation_along_a_principal_direction(seed):
    points = spread(400, [2.0, 1.0, 0.7, 0.5], seed, 4)
    rows = module._directions(points, by(np.eye(4)))
    _, values, axes = np.linalg.svd(points.state - points.state.mean(axis=0), full_matrices=False)
    expected = (values / np.sqrt(400))[:3, None] * axes[:3]
    signs = np.sign((rows * expected).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(rows * signs, expected, rtol=0.01, atol=0.01)


@pytest.mark.parametrize(
    ("deviations", "count"), [([1, 0.2, 0.05, 0.01], 2), ([1, 1e-3], 1), ([3, 2, 1, 1, 1], 3)]
)
def test_directions_of_little_variance_are_left_out(deviations, count):
    rows = module._directions(
        spread(300, deviations, 0, len(deviations)), by(np.eye(len(deviations)))
    )
    assert rows.shape == (count, len(deviations))


@settings(max_examples=20)
@given(seed=st.integers(0, 99), metric=st.booleans(), width=st.integers(1, 4))
def test_a_move_takes_along_what_changes_with_it(seed, metric, width):
    """The whole state's regression on how far it is along the direction, whether by h alone or in a
    metric."""
    points, rng = spread(300, [2.0, 1.5, 1.0, 0.8, 0.6, 0.5], seed, 3), np.random.default_rng(seed)
    matrix = rng.normal(size=(6, width)).astype(np.float32) if metric else None
    whole = np.concatenate([points.state, points.cell_state], axis=1).astype(np.float64)
    space = np.eye(6)[:, :3] if matrix is None else matrix
    rows = module._directions(points, by(space))
    variances, axes = np.linalg.eigh(
        np.cov(whole @ space, rowvar=False).reshape(space.shape[1], -1)
    )
    assert 1 <= len(rows) <= 3
    for row, variance, axis in zip(rows, variances[::-1], axes.T[::-1], strict=False):
        along = (whole @ space @ axis) / np.sqrt(variance)
        slopes = np.polyfit(along, whole, 1)[0]
        np.testing.assert_allclose(row * np.sign(row @ slopes), slopes, rtol=0.02, atol=0.02)
