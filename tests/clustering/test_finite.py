"""Numbers that are none are refused before a compiled loop looks for the nearest center."""

import numpy as np
import pytest

from lisor.clustering import kernels
from lisor.clustering.clustering import cluster
from lisor.clustering.kmeans import SAMPLE
from lisor.errors import DataError, ModelError
from lisor.extraction.dynamics import nearest
from lisor.networks import hidden_states
from lisor.registry import METHODS
from tests.clustering.states import points_of
from tests.conftest import random_network
from tests.networks.external.test_module import SEQUENCES

ODD = pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])


def points(count: int, odd: float) -> np.ndarray:
    found = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    found[count // 2, 1] = odd
    return found


@ODD
@pytest.mark.parametrize("method", METHODS)
def test_no_method_of_clustering_takes_states_that_are_no_numbers(method, odd):
    states = points_of(points(40, odd), steps=4)
    network = random_network(hidden_size=3)
    with pytest.raises(
        DataError, match="expected finite numbers as hidden states, found NaN or infinity in row 20"
    ):
        cluster(states, [2, 3], method=method, network=network, seed=0)


@ODD
def test_nor_among_so_many_points_that_only_a_sample_is_clustered_first(odd):
    states = points_of(points(SAMPLE + 1000, odd))
    with pytest.raises(DataError, match="expected finite numbers as hidden states"):
        cluster(states, [2], method="kmeans", seed=0)


@pytest.mark.parametrize("centers", [1, 5, 8, 20])
@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_place_without_a_nearest_center_is_refused(centers, odd):
    places, all_centers = points(6, odd), points(centers, 0.0)
    with pytest.raises(ModelError, match="expected finite hidden states from the network"):
        nearest(places, all_centers)


@pytest.mark.parametrize("columns", [1, 7, 8, 9, 33])
def test_the_least_of_nothing_is_no_place_outside_the_row(columns):
    numbers = np.full((3, columns), np.nan, np.float32)
    numbers[1] = np.arange(columns)[::-1]
    found, least = np.full(3, -7), np.empty(3, np.float32)
    kernels.least_of_each(numbers, np.zeros(columns, np.float32), found, least)
    np.testing.assert_array_equal(found, columns - 1)
    np.testing.assert_array_equal(np.isfinite(least), [False, True, False])


def test_hidden_states_of_weights_that_are_no_numbers_are_refused():
    model = random_network()
    model.network.cell.bias.fill_(float("nan"))
    with pytest.raises(ModelError, match="expected finite numbers as hidden states of the network"):
        hidden_states.collect(model, SEQUENCES)
