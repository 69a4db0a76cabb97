from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.clustering.clustering import Clustering
from lisor.extraction.dynamics import center_states
from lisor.networks.hidden_states import Points
from lisor.networks.trained import TrainedModel
from lisor.registry import CELLS
from tests.conftest import random_network
from tests.extracting import transitions_from_centers, transitions_from_members
from tests.strategies import WITH_CELL_STATE

H, S = 4, 3
few = settings(max_examples=10)
seeds = st.integers(0, 999)
counts = st.integers(1, 6)

States = tuple[np.ndarray, ...]


def parts(cell: str) -> int:
    return 2 if cell in WITH_CELL_STATE else 1


def some_states(cell: str, k: int, seed: int) -> States:
    """The states of a start and k centers; c is far larger than h."""
    rng = np.random.default_rng(seed)
    return tuple(
        (scale * rng.normal(size=(k + 1, H))).astype(np.float32) for scale in (1, 5)[: parts(cell)]
    )


def some_metric(cell: str, seed: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed + 1).normal(size=(parts(cell) * H, width)).astype(np.float32)


def step_plainly(model: TrainedModel, states: States, row: int, symbol: int) -> States:
    after = model.step(tuple(torch.from_numpy(part[row])[None, None] for part in states), symbol)
    return tuple(part[0, 0].numpy() for part in after)


def distances_plainly(after: States, states: States, metric: np.ndarray | None) -> list[float]:
    """How far a state is from each center, in h alone or where the metric puts the whole states."""

    def place(state: States) -> np.ndarray:
        return state[0] if metric is None else np.concatenate(state).astype(np.float64) @ metric

    centers = [tuple(part[row] for part in states) for row in range(1, len(states[0]))]
    return [float(np.linalg.norm(place(after) - place(center))) for center in centers]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("width", [None, 1, 6])
@few
@given(k=counts, seed=seeds)
def test_each_state_is_followed_as_the_network_steps_from_its_center(cell, width, k, seed):
    model, states = random_network(cell, symbols=S, seed=seed), some_states(cell, k, seed)
    metric = None if width is None else some_metric(cell, seed, width)
    targets = transitions_from_centers(model, states, metric)
    assert targets.shape == (k + 1, S)
    for row in range(k + 1):
        for symbol in range(S):
            distances = distances_plainly(step_plainly(model, states, row, symbol), states, metric)
            assert distances[targets[row, symbol] - 1] == pytest.approx(min(distances), abs=1e-3)


@pytest.mark.parametrize("cell", CELLS)
@few
@given(k=counts, seed=seeds)
def test_a_tie_goes_to_the_lower_index(cell, k, seed):
    model, states = random_network(cell, symbols=S, seed=seed), some_states(cell, k, seed)
    twice = tuple(np.concatenate([part, part[1:]]) for part in states)
    for metric in (None, some_metric(cell, seed, 3)):
        np.testing.assert_array_equal(
            transitions_from_centers(model, twice, metric)[: k + 1],
            transitions_from_centers(model, states, metric),
        )


@pytest.mark.parametrize("cell", WITH_CELL_STATE)
def test_without_a_metric_states_are_compared_by_h_alone(cell):
    model, states = random_network(cell, symbols=S), some_states(cell, 5, 0)
    whole = np.eye(2 * H, dtype=np.float32)
    np.testing.assert_array_equal(
        transitions_from_centers(model, states, None),
        transitions_from_centers(model, states, whole[:, :H]),
    )
    assert (
        transitions_from_centers(model, states, None)
        != transitions_from_centers(model, states, whole)
    ).any()


# The states for which automaton states stand


def clustered(cell: str, seed: int) -> tuple[Points, Clustering]:
    """Points at random in three clusters at random, one of them at a place of its own."""
    rng = np.random.default_rng(seed)
    state, cell_state = rng.normal(size=(2, 9, H)).astype(np.float32)
    points = Points(
        sequence=np.zeros(9, np.int32),
        step=np.arange(1, 10, dtype=np.int32),
        symbol=np.zeros(9, np.int32),
        state=state,
        cell_state=cell_state if cell in WITH_CELL_STATE else None,
    )
    labels = np.append(rng.integers(0, 3, size=6), range(3)).astype(np.int32)
    centers = rng.normal(size=(3, H)).astype(np.float32)
    return points, Clustering(method="kmeans", k=3, centers=centers, labels=labels, inertia=0.0)


@pytest.mark.parametrize("cell", CELLS)
@few
@given(seed=seeds)
def test_the_start_is_the_initial_state_and_the_others_are_the_centers(cell, seed):
    model, (points, clustering) = random_network(cell, symbols=S, seed=seed), clustered(cell, seed)
    states = center_states(model, points, clustering)
    assert len(states) == parts(cell)
    for part, initial in zip(states, model.initial_state(), strict=True):
        np.testing.assert_array_equal(part[0], initial[0, 0])
    np.testing.assert_array_equal(states[0][1:], clustering.centers)


@few
@given(seed=seeds)
def test_the_cell_state_of_a_center_is_the_mean_of_its_members(seed):
    points, clustering = clustered("lstm", seed)
    _, c = center_states(random_network("lstm", symbols=S), points, clustering)
    for cluster in range(3):
        members = [
            row
            for row, label in zip(points.cell_state, clustering.labels, strict=True)
            if label == cluster
        ]
        np.testing.assert_allclose(c[cluster + 1], np.mean(members, axis=0), atol=1e-6)


# Steps from members


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("compared", [False, True])
@few
@given(seed=seeds)
def test_each_state_goes_where_one_of_its_members_goes(cell, compared, seed):
    model, (points, clustering) = random_network(cell, symbols=S, seed=seed), clustered(cell, seed)
    clustering = replace(clustering, metric=some_metric(cell, seed, 2) if compared else None)
    found = transitions_from_members(model, points, clustering, seed=seed)
    states = center_states(model, points, clustering)
    np.testing.assert_array_equal(
        found[0], transitions_from_centers(model, states, clustering.metric)[0]
    )
    lived = [part for part in (points.state, points.cell_state) if part is not None]
    for cluster in range(3):
        members = np.flatnonzero(clustering.labels == cluster)
        placed = tuple(
            np.concatenate([part[:1], own[members]])
            for part, own in zip(states, lived, strict=True)
        )
        for symbol in range(S):
            possible = set()
            for row in range(1, len(members) + 1):
                distances = distances_plainly(
                    step_plainly(model, placed, row, symbol), states, clustering.metric
                )
                possible |= {
                    place for place, far in enumerate(distances, 1) if far <= min(distances) + 1e-3
                }
            assert found[cluster + 1, symbol] in possible


def test_another_seed_draws_other_members():
    model, (points, clustering) = random_network(symbols=40, seed=1), clustered("gru", 0)
    one, two, again = (
        transitions_from_members(model, points, clustering, seed=seed) for seed in (0, 1, 0)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != two).any()


def test_short_steps_leave_a_cluster_as_often_as_they_are_long():
    """States on a line, a cluster for each unit: by the center no step of 0.3 leaves, by members
    three in ten do."""
    symbols = 4000
    model = random_network("srn", symbols=symbols, hidden_size=1)
    along = np.linspace(-0.1, 0.1, 2000, dtype=np.float32)[:, None]
    with torch.no_grad():
        model.network.cell.hidden_weight.fill_(1.0)
        model.network.cell.input_weight.zero_()
        model.network.cell.bias.fill_(0.003)
    labels = np.minimum((along[:, 0] + 0.1) // 0.01, 19).astype(np.int32)
    centers = np.array([along[labels == cluster].mean(axis=0) for cluster in range(20)])
    nothing = np.zeros(2000, np.int32)
    points = Points(sequence=nothing, step=nothing, symbol=nothing, state=along)
    clustering = Clustering(method="kmeans", k=20, centers=centers, labels=labels, inertia=0.0)
    inner = np.arange(5, 15)
    by_center = transitions_from_centers(model, center_states(model, points, clustering), None)[
        inner + 1
    ]
    by_members = transitions_from_members(model, points, clustering)[inner + 1]
    assert (by_center == (inner + 1)[:, None]).all()
    assert (by_members - (inner + 1)[:, None]).mean() == pytest.approx(0.3, abs=0.05)
