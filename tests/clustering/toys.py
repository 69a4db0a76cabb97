"""Clustering methods as somebody else would add them: one that sees the states alone, one that asks
the network, one that compares states as s·R."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from lisor.clustering.method import Features, Method
from lisor.networks.hidden_states import HiddenStates, Points
from lisor.networks.network import Network
from lisor.registry import METHODS

ENTRIES = {
    "signs": "tests.clustering.toys:Signs",
    "predicted": "tests.clustering.toys:Predicted",
    "projected": "tests.clustering.toys:Projected",
}
"""The lines of the registry."""


@contextmanager
def registered() -> Iterator[None]:
    """The toy methods in the registry."""
    with pytest.MonkeyPatch.context() as patch:
        for name, entry in ENTRIES.items():
            patch.setitem(METHODS._entries, name, entry)
        yield


class Signs(Method):
    """Sees which units are above 0, and a little of by how much."""

    def features(self, states: HiddenStates | Points, network: Network | None) -> Features:
        hidden = states.matrix()
        return Features(points=np.sign(hidden) + 0.1 * hidden)


class Predicted(Method):
    """Sees the class probabilities at each state, and the longer a sequence the more."""

    needs_network = True

    def features(self, states: HiddenStates | Points, network: Network | None) -> Features:
        _, step = states.positions()
        probabilities = self.required(network).probabilities(states.matrix())
        return Features(points=probabilities, weights=step.astype(np.float64))


class Projected(Method):
    """Sees the states times some random matrix, of as many columns as the weight says."""

    def features(self, states: HiddenStates | Points, network: Network | None) -> Features:
        parts = [part for part in (states.matrix(), states.cell_states()) if part is not None]
        whole = np.concatenate(parts, axis=1)
        matrix = random_matrix(whole.shape[1], int(self.weight))
        return Features(points=whole @ matrix, metric=matrix)


def random_matrix(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(columns).normal(size=(rows, columns)).astype(np.float32)
