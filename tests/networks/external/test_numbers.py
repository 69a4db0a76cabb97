"""Networks that read numbers: those of a symbol's vector are read as the symbol is."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lisor.clustering.features.sensitivity import sensitivity
from lisor.data.dataset import Dataset, Split
from lisor.extraction.probes import Probes
from lisor.networks import training
from lisor.networks.hidden_states import collect, predictions_on
from lisor.sequences import Sequences
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings
from tests.conftest import random_network

CELLS = ("srn", "lstm", "mingru", "attention-gru")


def with_numbers(words: Sequences, vectors: np.ndarray) -> Sequences:
    return replace(words, numbers=vectors[words.symbols])


def draw_words(count: int, symbols: int) -> Sequences:
    rng = np.random.default_rng(0)
    return Sequences.from_lists(
        [rng.integers(symbols, size=rng.integers(0, 9)) for _ in range(count)]
    )


@pytest.mark.parametrize("cell", CELLS)
def test_the_numbers_of_a_vector_are_read_as_its_symbol(cell):
    network, words = random_network(cell, symbols=3), draw_words(40, 3)
    numbers = with_numbers(words, np.eye(3, dtype=np.float32))
    assert network.predict(numbers) == pytest.approx(network.predict(words), abs=1e-6)
    points, same = collect(network, words), collect(network, numbers)
    assert same.state == pytest.approx(points.state, abs=1e-6)
    assert (same.symbol == points.symbol).all()


def test_other_numbers_are_read_otherwise_and_keep_their_symbols():
    network, words = random_network(symbols=3), draw_words(40, 3)
    vectors = np.eye(3, dtype=np.float32) + 1
    points = collect(network, with_numbers(words, vectors))
    assert np.abs(points.state - collect(network, words).state).max() > 0.01
    assert (np.bincount(points.symbol) == np.bincount(words.symbols)).all()


def test_directions_that_matter_are_those_of_the_symbols():
    network, words = random_network("lstm", symbols=3), draw_words(40, 3)
    found = [
        sensitivity(network, sequences)
        for sequences in (words, with_numbers(words, np.eye(3, dtype=np.float32)))
    ]
    assert np.abs(found[0]) == pytest.approx(np.abs(found[1]), abs=1e-4)


def test_probes_have_numbers_of_the_words_and_of_the_vectors():
    words = draw_words(30, 3)
    real, vectors = np.float32([[10], [20], [30]]), np.float32([[1], [2], [3]])
    probes = Probes(
        words=with_numbers(words, real), symbols=3, shortest=0, longest=9, vectors=vectors
    )
    rng = np.random.default_rng(0)
    assert (
        probes.random(50, rng).numbers
        == vectors[probes.random(50, np.random.default_rng(0)).symbols]
    ).all()
    missed = probes.near_misses(200, rng)
    changed = missed.numbers == vectors[missed.symbols]
    assert ((missed.numbers == real[missed.symbols]) | changed).all()
    assert 50 < changed.sum() < 200


def test_a_network_is_trained_on_numbers_that_no_symbol_tells_apart():
    rng = np.random.default_rng(0)
    splits = {}
    for name, count in {"train": 300, "validation": 60, "selection": 60, "test": 60}.items():
        labels = rng.integers(2, size=count)
        numbers = np.repeat(2.0 * labels - 1, 4)[:, None] + rng.normal(
            scale=0.5, size=(4 * count, 1)
        )
        sequences = Sequences(
            symbols=np.zeros(4 * count, int), offsets=np.arange(count + 1) * 4, numbers=numbers
        )
        splits[name] = Split(sequences=sequences, labels=labels)
    vectors = np.zeros((2, 1), np.float32)
    dataset = Dataset(alphabet=("low", "high"), classes=("a", "b"), splits=splits, vectors=vectors)
    config = TrainingSettings(max_epochs=20, device="cpu")
    (network,) = training.train(
        dataset, cell="gru", models=ModelsSettings(hidden_size=4), settings=config, trials=[0]
    )
    predictions = predictions_on(network, splits["test"])
    assert (predictions.predictions == predictions.labels).mean() > 0.95
    assert torch.equal(network.network.vectors, torch.from_numpy(vectors))
