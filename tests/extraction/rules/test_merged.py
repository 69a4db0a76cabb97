"""States that are merged."""

import numpy as np
import pytest

from lisor.automata.distributions import Distributions
from lisor.clustering.clustering import cluster
from lisor.data.dataset import Dataset
from lisor.extraction.extract import extract
from lisor.extraction.extraction import Extraction
from lisor.extraction.limits import SearchLimits
from lisor.extraction.view import View
from lisor.networks.hidden_states import collect
from lisor.networks.trained import TrainedModel


@pytest.fixture
def words(members: Dataset) -> Dataset:
    return members


@pytest.fixture
def network(language_model: TrainedModel) -> TrainedModel:
    return language_model


def read(network: TrainedModel, words: Dataset, rule: str, k: int, most: int = 64) -> Extraction:
    points = collect(network, words.splits["validation"].sequences)
    (clustering,) = cluster(points, [k], method="decision-aware", seed=0, network=network)
    view = View(
        network=network,
        points=points,
        clustering=clustering,
        unseen="stay",
        limits=SearchLimits(most_states=most),
    )
    return extract(view, [rule])[0]


def apart(network: TrainedModel, words: Dataset, extraction: Extraction) -> float:
    """The mean divergence on sequences that nothing was fitted to."""
    split = words.splits["selection"].sequences
    expected = Distributions.of(extraction.automaton, split)
    return float(Distributions.rows(network.predict(split)).divergence(expected).mean())


def test_states_that_lose_nothing_are_merged(network: TrainedModel, words: Dataset) -> None:
    plain, merged = (read(network, words, rule, 12) for rule in ("dynamics", "merged"))
    assert plain.deterministic.n_states > merged.deterministic.n_states
    assert merged.deterministic.n_states <= 4
    assert apart(network, words, merged) <= apart(network, words, plain) + 0.01
    assert merged.search is not None
    assert merged.search.complete
    assert not merged.search.limited


@pytest.mark.parametrize("most", [1, 2, 3])
def test_there_are_at_most_as_many_states_as_there_may_be(
    most: int, network: TrainedModel, words: Dataset
) -> None:
    merged = read(network, words, "merged", 12, most)
    assert merged.deterministic.n_states <= most


def test_distributions_are_the_means_where_paths_lead(
    network: TrainedModel, words: Dataset
) -> None:
    automaton = read(network, words, "merged", 8).deterministic
    split = words.splits["validation"].sequences
    split = split.select(np.flatnonzero(split.lengths))  # an empty word leaves no hidden state
    states = automaton.states_at(split, automaton.trace(split))
    predicted = network.predict(split).astype(np.float64)
    for state in np.unique(states):
        mean = predicted[states == state].mean(axis=0)
        assert np.allclose(automaton.distributions[state], mean, atol=1e-5)


def test_the_same_settings_make_the_same_automaton(network: TrainedModel, words: Dataset) -> None:
    first, second = (read(network, words, "merged", 10, 3) for _ in range(2))
    assert first.automaton == second.automaton
