"""What a clustering method is: a feature map, from hidden states to the points that k-means sees.

A method is added by one file and one line of `lisor.registry.METHODS`. Settings load its file to
ask for its facts, so that nothing heavy is imported at the top of it.

Shapes: P points, N states, D numbers of a state, F features of a point."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lisor.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from lisor.blocks import Blocks
    from lisor.clustering.positions import PositionedStates
    from lisor.networks.hidden_states import HiddenStates, Points
    from lisor.networks.network import Network

    FeatureMap = Callable[[Float[np.ndarray, "N D"]], Float[np.ndarray, "N F"]]
    """What whole states (h, and for an LSTM or SRU h and c) are compared by."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """What k-means sees of P hidden states, and how much each of them counts.

    `points` are the hidden states themselves, read in blocks or with their positions, or an array
    of something that was made of them; then a cluster's center is the mean of its members' hidden
    states, or with `medoids` those of the member whose features are nearest to the mean of all
    features, so that it is a state that the network has. `metric` is the matrix R where states s
    are compared as s·R, which assigning a state to its nearest center needs later on."""

    points: Blocks | PositionedStates | Float[np.ndarray, "P F"]
    weights: Float[np.ndarray, " P"] | None = None
    metric: Float[np.ndarray, "D F"] | None = None
    medoids: bool = False


@dataclass(frozen=True)
class Method(ABC):
    """A clustering method by the name under which it stands in the registry, with the facts that
    others ask for.

    `weight` is λ, how much that counts which the method sees beside the hidden states.
    `needs_network`: it asks what the network predicts at single hidden states, which one whose
    attention feeds back cannot say. `needs_gradients`: it follows gradients through a network
    trained here. `weight_setting`: the setting of clustering that `weight` comes from.
    `uses_device`: its points can be clustered on a GPU."""

    name: str
    weight: float = 1.0
    needs_network: ClassVar[bool] = False
    needs_gradients: ClassVar[bool] = False
    weight_setting: ClassVar[str | None] = None
    uses_device: ClassVar[bool] = True

    @abstractmethod
    def features(self, states: HiddenStates | Points, network: Network | None) -> Features:
        """What k-means sees of the hidden states; `network` is there if the method needs one."""

    def feature_map(
        self, points: Points, network: Network, metric: Float[np.ndarray, "D F"] | None
    ) -> FeatureMap:
        """How other states are compared with the centers of clusters that this method made of
        `points`: as s·R where there is such a metric, or else by h alone, whatever the clusters
        were made from."""
        return lambda whole: whole[:, : network.sizes[0]] if metric is None else whole @ metric

    def required(self, network: Network | None) -> Network:
        """The network, of a method that needs it.

        Raises:
            DataError: there is none."""
        if network is None:
            raise DataError(f"{self.name} needs the network that left the hidden states")
        return network
