import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings

from lisor.clustering.features import sensitivity as module
from lisor.clustering.features.sensitivity import Sensitivity, sensitivity
from lisor.clustering.method import Features
from lisor.networks.hidden_states import collect
from lisor.networks.trained import TrainedModel
from lisor.registry import CELLS
from lisor.sequences import Sequences
from tests.conftest import random_network
from tests.strategies import WITH_CELL_STATE, ragged_sequences

WORDS = Sequences.from_lists([[0, 1, 1], [], [1], [0, 0, 0, 1], [1, 0], [1, 1]])
EPSILON = 1e-4


def answers_plainly(model: TrainedModel, states: torch.Tensor, rest: list[int]) -> torch.Tensor:
    """The logits, less their mean, that the rest of a word leads to from each of some states [h] or
    [h, c]."""
    network = model.network
    state = tuple(part[None] for part in states.split(network.cell.hidden_size, dim=1))
    for symbol in rest:
        vectors = network.embed(torch.full((1, len(states)), symbol))
        state = network.cell.step(state, network.cell.project(vectors))
    logits = network.read_out(state[0])[0]
    return logits - logits.mean(dim=1, keepdim=True)


def products_plainly(model: TrainedModel, sequences: Sequences) -> np.ndarray:
    """The summed g·gᵀ by moving one number of one state at a time, in double precision, scaled to
    trace D."""
    model.network.double()
    size = sum(part.shape[-1] for part in model.initial_state())
    total, moves = np.zeros((size, size)), EPSILON * torch.eye(size, dtype=torch.float64)
    for word in sequences:
        state = model.initial_state()
        for step, symbol in enumerate(word.tolist(), 1):
            state = model.step(state, symbol)
            here, rest = torch.cat(state, dim=-1)[0], word[step:].tolist()
            ahead, behind = (answers_plainly(model, here + sign * moves, rest) for sign in (1, -1))
            gradients = ((ahead - behind) / (2 * EPSILON)).numpy()
            total += gradients @ gradients.T
    model.network.float()
    return total * size / max(np.trace(total), 1e-30)


def see(model: TrainedModel, sequences: Sequences) -> Features:
    return Sensitivity("sensitivity").features(collect(model, sequences), model)


def products(model: TrainedModel, sequences: Sequences) -> np.ndarray:
    """R·Rᵀ, with every direction kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "KEPT", 2.0)
        root = sensitivity(model, sequences).astype(np.float64)
    return root @ root.T


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("classes", [2, 3])
@settings(max_examples=25)
@given(sequences=ragged_sequences(max_length=5))
def test_gradients_are_those_of_moving_one_number_of_one_state_at_a_time(cell, classes, sequences):
    model = random_network(cell, classes=classes, seed=classes)
    states = collect(model, sequences).state
    assume(
        len(states) == 0 or np.ptp(states, axis=0).max() > 1e-3
    )  # a single state has no directions
    expected = products_plainly(model, sequences)
    np.testing.assert_allclose(products(model, sequences), expected, atol=1e-4 * len(expected))


@pytest.mark.parametrize(
    ("cell", "size"), [("srn", 4), ("mgu", 4), ("gru", 4), ("lstm", 8), ("mingru", 4), ("sru", 8)]
)
def test_the_trace_is_the_number_of_numbers_of_a_state(cell, size):
    matrix = products(random_network(cell), WORDS)
    assert matrix.shape == (size, size)
    assert np.trace(matrix) == pytest.approx(size, rel=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_it_holds_the_fewest_directions_in_which_most_of_the_difference_is(monkeypatch, cell):
    model, kept = random_network(cell), module.KEPT
    cut = sensitivity(model, WORDS)
    monkeypatch.setattr(module, "KEPT", 2.0)
    whole = sensitivity(model, WORDS)
    points = collect(model, WORDS)
    parts = [part for part in (points.state, points.cell_state) if part is not None]
    spread = np.cov(np.concatenate(parts, axis=1).astype(np.float64) @ whole, rowvar=False)
    shares, width = np.diag(spread) / np.trace(spread), cut.shape[1]
    np.testing.assert_array_equal(cut, whole[:, :width])
    np.testing.assert_allclose(spread, np.diag(np.diag(spread)), atol=1e-4 * np.trace(spread))
    assert (np.diff(shares) <= 1e-6).all()
    assert shares[: width - 1].sum() < kept <= shares[:width].sum() + 1e-6


@pytest.mark.parametrize("cell", CELLS)
def test_states_and_for_an_lstm_their_cell_states_are_seen_times_the_matrix(cell):
    model = random_network(cell)
    points, features = collect(model, WORDS), see(model, WORDS)
    assert features.metric is not None
    size = points.state.shape[1]
    expected = points.state @ features.metric[:size]
    if points.cell_state is not None:
        expected = expected + points.cell_state @ features.metric[size:]
    np.testing.assert_allclose(features.points, expected, atol=1e-5)


def test_a_state_counts_by_how_uncertain_the_network_is_there():
    model = random_network(classes=3)
    points = collect(model, WORDS)
    p = model.probabilities(points.state).astype(np.float64)
    expected = 1 - (p**2).sum(axis=1) + module.MIN_WEIGHT
    np.testing.assert_allclose(see(model, WORDS).weights, expected, rtol=1e-5)


def test_after_the_last_symbol_states_are_as_far_apart_as_their_answers():
    model = random_network(classes=3)
    states = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "KEPT", 2.0)
        moved = states @ sensitivity(model, Sequences.from_lists([[0], [1]]))
    answers = answers_plainly(model, torch.from_numpy(states), []).numpy()
    apart, expected = (
        np.linalg.norm(rows[:, None] - rows[None], axis=2) for rows in (moved, answers)
    )
    np.testing.assert_allclose(apart / apart.max(), expected / expected.max(), atol=1e-5)


@pytest.mark.parametrize("cell", WITH_CELL_STATE)
def test_what_a_cell_state_holds_counts_and_only_before_the_last_symbol(cell):
    model = random_network(cell)
    for words, matters in [([[0], [1]], False), ([[0, 1], [1, 1]], True)]:
        matrix = products(model, Sequences.from_lists(words))
        assert (matrix[4:, 4:].max() > 1e-3) == matters


@pytest.mark.parametrize("words", [[], [[]], [[], [], []]], ids=["none", "one", "three"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_empty_sequences_alone_show_no_direction(cell, words):
    assert not products(random_network(cell), Sequences.from_lists(words)).any()


@pytest.mark.parametrize("cell", CELLS)
def test_empty_sequences_among_others_change_nothing(cell):
    some = WORDS.select(np.flatnonzero(WORDS.lengths))
    np.testing.assert_allclose(
        products(random_network(cell), WORDS),
        products(random_network(cell), some),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize(("most", "kept"), [(1, 1), (3, 2), (4, 3), (7, 3), (8, 4), (99, 6)])
def test_the_mean_is_over_the_first_sequences_that_hold_so_many_symbols(monkeypatch, most, kept):
    first = products(random_network(), WORDS.select(np.arange(kept)))
    monkeypatch.setattr(module, "MAX_SYMBOLS", most)
    np.testing.assert_array_equal(products(random_network(), WORDS), first)


@pytest.mark.parametrize("cell", CELLS)
def test_the_same_network_gives_the_same_bytes(cell):
    one, two = (sensitivity(random_network(cell), WORDS) for _ in range(2))
    assert one.dtype == np.float32
    assert one.tobytes() == two.tobytes()
