"""LISOR-x of Hou & Zhou (2020, section 4): k-means on hidden states and their positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lisor.clustering.method import Features, Method

if TYPE_CHECKING:
    from lisor.networks.hidden_states import HiddenStates, Points
    from lisor.networks.network import Network


class KMeansX(Method):
    """Sees step t of sequence s as [h ; λ·t·e_s], with e_s the one-hot vector of the sequence."""

    weight_setting = "position_weight"
    uses_device = False

    def features(self, states: HiddenStates | Points, network: Network | None) -> Features:
        """The hidden states with their positions."""
        from lisor.clustering.positions import PositionedStates, StepPositions

        positions = StepPositions.of(*states.positions(), self.weight)
        return Features(points=PositionedStates(hidden=states.matrix(), positions=positions))
