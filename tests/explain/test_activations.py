from pathlib import Path

import numpy as np
import pytest

from lisor.data.dataset import Split
from lisor.explain.activations import BINS, CLOSED, OPEN, Activations, activations
from lisor.networks import hidden_states
from lisor.registry import CELLS
from lisor.sequences import Sequences
from tests.conftest import random_network


def drawn_split(count: int = 30, symbols: int = 3) -> Split:
    rng = np.random.default_rng(0)
    words = [rng.integers(0, symbols, length) for length in rng.integers(0, 9, count)]
    return Split(sequences=Sequences.from_lists(words), labels=rng.integers(0, 2, count))


@pytest.mark.parametrize("cell", [*CELLS, "attention-gru", "attention-recurrent"])
def test_units_are_counted_as_a_dump_has_them(cell: str) -> None:
    model, split = random_network(cell, symbols=3), drawn_split()
    found = activations(model, split)
    points = hidden_states.collect(model, split.sequences)
    labels = split.labels[points.sequence]
    hidden = points.state[:, : model.architecture.hidden_size]
    for number in range(2):
        own = hidden[labels == number]
        for unit in range(own.shape[1]):
            counts, _ = np.histogram(own[:, unit], bins=BINS, range=(-found.bound, found.bound))
            assert (
                np.abs(found.units[number, unit] - counts).sum() <= 2
            )  # a value on the edge of two parts
        for step in range(1, 5):
            here = hidden[(labels == number) & (points.step == step)]
            np.testing.assert_allclose(
                found.unit_means[number, step - 1], here.mean(axis=0), atol=1e-5
            )
    assert found.bound == pytest.approx(max(1, np.abs(hidden).max()))
    before = np.where(points.step[:, None] == 1, 0, np.roll(hidden, 1, axis=0))
    np.testing.assert_allclose(found.moves, np.abs(hidden - before).mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_every_step_of_every_gate_is_counted_once(cell: str) -> None:
    model, split = random_network(cell, symbols=3), drawn_split()
    found, steps = activations(model, split), split.sequences.lengths.sum()
    assert found.gate_values.shape == (len(found.gates), 2, BINS)
    assert (found.gate_values.sum(axis=(1, 2)) == steps * model.architecture.hidden_size).all()
    low = found.gate_values[..., : round(CLOSED * BINS)].sum(axis=(1, 2)) / (
        steps * model.architecture.hidden_size
    )
    high = found.gate_values[..., round(OPEN * BINS) :].sum(axis=(1, 2)) / (
        steps * model.architecture.hidden_size
    )
    np.testing.assert_allclose(found.closed.mean(axis=1), low)
    np.testing.assert_allclose(found.open.mean(axis=1), high)


def test_a_gate_that_is_held_open_is_saturated() -> None:
    model = random_network("lstm", symbols=3)
    size = model.architecture.hidden_size
    model.network.cell.bias[..., size : 2 * size] = 50  # type: ignore[attr-defined, index]
    found = activations(model, drawn_split())
    assert found.gates == ("input", "forget", "output")
    assert (found.open[1] == 1).all()
    np.testing.assert_allclose(found.gate_means[1][np.isfinite(found.gate_means[1])], 1)


def test_steps_that_no_sequence_of_a_class_has_are_not_numbers() -> None:
    split = Split(sequences=Sequences.from_lists([[0, 1, 2], [1]]), labels=np.array([0, 1]))
    found = activations(random_network("gru", symbols=3), split)
    assert np.isfinite(found.unit_means[0]).all()
    assert np.isfinite(found.unit_means[1, 0]).all()
    assert np.isnan(found.unit_means[1, 1:]).all()


def test_units_that_stand_beyond_one_are_counted_where_they_are() -> None:
    model, split = random_network("mingru", symbols=3), drawn_split()
    model.network.cell.bias[..., 2:] = 9  # type: ignore[attr-defined, index]
    model.network.cell.upper_bias[..., 2:] = 9  # type: ignore[attr-defined, index]
    found = activations(model, split)
    assert found.bound > 2
    highest = np.flatnonzero(found.units.sum(axis=(0, 1)))[-1]
    assert highest == BINS - 1
    assert found.units[..., -1].sum() < found.units.sum() / 2


@pytest.mark.parametrize("cell", ["srn", "lstm", "sru"])
def test_what_is_written_is_read_again(cell: str, tmp_path: Path) -> None:
    found = activations(random_network(cell, symbols=3), drawn_split())
    found.write(tmp_path / "activations.npz")
    again = Activations.read(tmp_path / "activations.npz")
    assert (again.gates, again.bound) == (found.gates, found.bound)
    np.testing.assert_array_equal(again.unit_means, found.unit_means)
    np.testing.assert_array_equal(again.gate_values, found.gate_values)
