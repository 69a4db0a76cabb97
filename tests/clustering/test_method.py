"""A clustering method is added by one file and one line, from outside the package too."""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from lisor.clustering.clustering import cluster
from lisor.clustering.method import Method
from lisor.errors import ConfigError
from lisor.extraction.estimator import AutomatonExtractor
from lisor.registry import METHODS
from lisor.settings.clustering import ClusteringSettings
from lisor.settings.experiment import Study
from lisor.settings.language import LanguageSettings
from lisor.settings.models import ModelsSettings
from tests.clustering.toys import ENTRIES, registered
from tests.extracting import extract


@pytest.fixture(autouse=True)
def toys() -> Iterator[None]:
    """The toy methods in the registry."""
    with registered():
        yield


@pytest.mark.parametrize("method", ENTRIES)
def test_automata_are_read_off_their_clusters(network, dumped, method):
    points = dumped.read()
    clusterings = cluster(dumped, [3, 5], method=method, weight=2, network=network, seed=0)
    assert [(one.method, one.k) for one in clusterings] == [(method, 3), (method, 5)]
    for clustering in clusterings:
        found = extract(network, points, clustering, rule="dynamics")
        assert found.automaton.n_states in (clustering.k, clustering.k + 1)
        assert (found.method, found.k) == (method, clustering.k)


@pytest.mark.parametrize("method", ENTRIES)
def test_an_estimator_takes_them(network, dumped, method):
    points = dumped.read()
    lengths = np.bincount(points.sequence)
    lengths = lengths[lengths > 0]
    estimator = AutomatonExtractor(k=4, method=method, weight=2, network=network, random_state=3)
    estimator.fit(points.state, points.symbol, lengths, np.zeros(len(lengths), int))
    assert estimator.clustering_.method == method
    assert estimator.automaton_.n_states in (4, 5)


def test_settings_know_them_and_their_facts():
    assert ClusteringSettings(methods=("signs", "predicted")).methods == ("signs", "predicted")
    with pytest.raises(ConfigError, match="did you mean 'signs'"):
        ClusteringSettings(methods=("sings",))


def test_where_attention_feeds_back_only_those_remain_that_ask_no_network():
    study = Study(
        dataset=LanguageSettings(language="000"),
        models=ModelsSettings(cells=("attention-recurrent",)),
        clustering=ClusteringSettings(methods=("signs", "predicted", "kmeans-x", "sensitivity")),
    )
    assert study.variants("attention-recurrent")[0] == ("signs", "kmeans-x")
    assert study.variants("gru")[0] == study.clustering.methods


@pytest.mark.parametrize("name", METHODS)
def test_a_method_stands_under_its_name_with_settings_that_exist(name):
    method = METHODS[name](name)
    assert isinstance(method, Method)
    assert (method.name, method.weight) == (name, 1.0)
    assert method.weight_setting is None or hasattr(ClusteringSettings(), method.weight_setting)
    assert method.needs_network or not method.needs_gradients


def test_asking_for_facts_loads_nothing_heavy():
    code = (
        "from lisor.registry import METHODS; import sys; list(METHODS.values()); "
        "print([name for name in ('torch', 'sklearn', 'numba', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
