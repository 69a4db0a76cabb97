"""LISOR-k of Hou & Zhou (2020, section 4): k-means on the hidden states as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lisor.clustering.method import Features, Method

if TYPE_CHECKING:
    from lisor.networks.hidden_states import HiddenStates, Points
    from lisor.networks.network import Network


class KMeans(Method):
    """Sees the hidden states alone, a block of them at a time."""

    def features(self, states: HiddenStates | Points, network: Network | None) -> Features:
        """The hidden states."""
        return Features(points=states.blocks())
