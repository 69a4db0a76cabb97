"""sru and mingru: their two layers, and that they learn and become automata. Their equations are in
test_cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lisor.clustering.clustering import cluster
from lisor.data.dataset import Dataset
from lisor.errors import ConfigError, ModelError
from lisor.networks import hidden_states, training
from lisor.networks.cells.cell import make_cell
from lisor.networks.trained import TrainedModel
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings
from tests.extracting import extract

R, B, D = 2, 3, 5


def generators() -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(R)]


LIGHT_CELLS = ("mingru", "sru")


@pytest.fixture(scope="module", params=LIGHT_CELLS)
def learned(request: pytest.FixtureRequest, words: Dataset) -> TrainedModel:
    config = TrainingSettings(
        learning_rate=0.03, batch_size=128, max_epochs=40, restarts=0, device="cpu"
    )
    models = ModelsSettings(hidden_size=8)
    return training.train(words, cell=request.param, models=models, settings=config, trials=[0])[0]


def test_a_small_network_learns_the_language(learned: TrainedModel, words: Dataset) -> None:
    assert learned.history["validation_accuracy"][learned.best_epoch] > 0.95
    test = words.splits["test"]
    assert (learned.predict(test.sequences).argmax(axis=1) == test.labels).mean() > 0.95


@pytest.mark.parametrize("rule", ["majority", "dynamics", "weighted"])
def test_its_automaton_answers_as_it_does(learned: TrainedModel, words: Dataset, rule: str) -> None:
    points = hidden_states.collect(learned, words.splits["validation"].sequences)
    (clustering,) = cluster(points, [24], method="kmeans", seed=0)
    machine = extract(learned, points, clustering, rule=rule).automaton
    test = words.splits["test"].sequences
    assert (machine.classify(test) == learned.predict(test).argmax(axis=1)).mean() > 0.9


@pytest.mark.parametrize("name", LIGHT_CELLS)
@pytest.mark.parametrize("size", [2, 5, 8])
def test_the_lower_half_of_the_units_does_not_see_the_upper_one(name: str, size: int) -> None:
    cell = make_cell(name, D, size, generators())
    generator = torch.Generator().manual_seed(1)
    projected = cell.project(torch.randn(R, B, D, generator=generator))
    state = tuple(torch.randn(R, B, size, generator=generator) for _ in cell.initial_state(B))
    other = tuple(part.clone() for part in state)
    for part in other:
        part[..., size // 2 :] += 1
    for one, two in zip(cell.step(state, projected), cell.step(other, projected), strict=True):
        assert one.shape == (R, B, size)
        assert torch.equal(one[..., : size // 2], two[..., : size // 2])
        assert not torch.isclose(one[..., size // 2 :], two[..., size // 2 :]).any()


def test_what_an_sru_does_next_depends_on_its_cell_state_alone() -> None:
    cell = make_cell("sru", D, 4, generators())
    projected, c = cell.project(torch.ones(R, B, D)), torch.ones(R, B, 4)
    for one, two in zip(
        cell.step((torch.zeros(R, B, 4), c), projected),
        cell.step((torch.ones(R, B, 4), c), projected),
        strict=True,
    ):
        assert torch.equal(one, two)


def test_one_layer_of_mingru_forgets_the_order_of_what_follows_a_symbol() -> None:
    """Why there are two: whether 0 0 1 or 0 1 0 follows, what a symbol adds in the lower layer is
    the same."""
    cell = make_cell("mingru", 2, 6, generators()[:1])
    symbols = torch.eye(2)[None]

    def added_by_the_first(rest: list[int]) -> np.ndarray:
        ends = []
        for first in (0, 1):
            state = cell.initial_state(1)
            for symbol in [first, *rest]:
                state = cell.step(state, cell.project(symbols[:, symbol : symbol + 1]))
            ends.append(state[0][0, 0].detach().numpy())
        return ends[1] - ends[0]

    one, two = added_by_the_first([0, 0, 1]), added_by_the_first([0, 1, 0])
    np.testing.assert_allclose(one[:3], two[:3], atol=1e-6)
    assert not np.isclose(one[3:], two[3:], atol=1e-6).any()


@pytest.mark.parametrize("name", LIGHT_CELLS)
def test_one_unit_is_too_few_for_two_layers(name: str) -> None:
    with pytest.raises(
        ModelError, match="at least 2 hidden units, one for each layer of sru or mingru, got 1"
    ):
        make_cell(name, D, 1, generators())
    for cell in (name, f"attention-{name}"):
        with pytest.raises(
            ConfigError, match=f"hidden_size must be at least 2 for {cell}, one unit for each layer"
        ):
            ModelsSettings(cells=("gru", cell), hidden_size=1)
