"""A rule is added by one file and one line, from outside the package too."""

from collections.abc import Iterator

import numpy as np
import pytest

from lisor.clustering.clustering import cluster
from lisor.errors import AutomatonError, ConfigError
from lisor.extraction.estimator import AutomatonExtractor
from lisor.extraction.extract import extract_grid
from lisor.extraction.limits import SearchLimits
from lisor.extraction.probes import Probes
from lisor.networks.trained import TrainedModel
from lisor.registry import RULES
from lisor.settings.extraction import ExtractionSettings
from tests.extraction.rules.toys import ENTRIES


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The toy rules in the registry."""
    for name, entry in ENTRIES.items():
        monkeypatch.setitem(RULES._entries, name, entry)
    yield


def test_both_give_automata_of_each_clustering(network, words, dumped):
    points = dumped.read()
    blocks = cluster(points, [3, 5], method="kmeans", seed=0)
    probes = Probes.of(words)
    limits = SearchLimits(seed=1, steps=3 * len(probes.words.symbols))
    rules = ["once", "majority", "drawn"]
    extractions = list(extract_grid(network, points, blocks, rules, probes=probes, limits=limits))
    assert [one.variant for one in extractions] == [
        ("kmeans", rule, k) for k in (3, 5) for rule in rules
    ]
    for one in extractions:
        assert one.automaton.n_states in (one.k, one.k + 1, one.k + 2)
        assert (one.search is None) == (one.rule != "drawn")
    drawn = extractions[2].search
    assert (drawn.complete, drawn.steps) == (False, limits.steps)


@pytest.mark.parametrize("rule", ENTRIES)
def test_an_estimator_takes_them(network, dumped, rule):
    points = dumped.read()
    lengths = np.bincount(points.sequence)
    lengths = lengths[lengths > 0]
    answers = np.zeros(len(lengths), int)
    estimator = AutomatonExtractor(k=4, rule=rule, network=network, random_state=3)
    estimator.fit(points.state, points.symbol, lengths, answers)
    assert estimator.automaton_.n_states in (4, 5)


def test_settings_know_them_and_their_facts():
    assert ExtractionSettings(rules=("once", "drawn")).rules == ("once", "drawn")
    with pytest.raises(ConfigError, match="did you mean 'once'"):
        ExtractionSettings(rules=("onse",))
    assert (RULES["once"].min_states(4), RULES["drawn"].min_states(4)) == (5, 4)


def test_one_that_follows_no_state_alone_reads_a_network_with_attention(
    network, words, dumped, monkeypatch
):
    monkeypatch.setattr(TrainedModel, "attends", True)
    points = dumped.read()
    blocks = cluster(points, [3], method="kmeans", seed=0)
    (found,) = extract_grid(network, points, blocks, ["once"], limits=SearchLimits())
    assert found.automaton.n_states == 4
    probes = Probes.of(words)
    with pytest.raises(AutomatonError, match="use majority"):
        list(extract_grid(network, points, blocks, ["drawn"], probes=probes, limits=SearchLimits()))
