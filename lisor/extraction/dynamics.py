"""Transitions that a network's own steps make between clusters.

Shapes: P points, K clusters, Q = K + 1 states (the start first), H hidden units, S symbols, D
numbers of a state, F features in which states are compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from lisor.errors import ModelError
from lisor.randomness import stream
from lisor.registry import METHODS

if TYPE_CHECKING:
    from lisor.clustering.clustering import Clustering
    from lisor.clustering.method import FeatureMap
    from lisor.networks.hidden_states import Points
    from lisor.networks.network import Network, States


def center_states(model: Network, points: Points, clustering: Clustering) -> States:
    """The network's states for which automaton states stand: the initial one, then those of the
    centers.

    For an LSTM or SRU they are h and c: a center's c is the mean of its members' c, or that of its
    medoid."""
    initial = [part[0].cpu().numpy() for part in model.initial_state()]
    parts = [clustering.centers]
    if clustering.medoids is not None:
        parts = [part[clustering.medoids] for part in points.parts()]
    elif points.cell_state is not None:
        from lisor.clustering.clustering import member_means  # loads SciPy

        parts.append(member_means(points.cell_state, clustering.labels, clustering.k))
    return tuple(np.concatenate([first, rest]) for first, rest in zip(initial, parts, strict=True))


@dataclass(frozen=True, eq=False)
class StateComparison:
    """How states are compared with K centers: by the features of each, which a `feature_map`
    makes."""

    feature_map: FeatureMap
    centers: Float[np.ndarray, "K F"]

    @classmethod
    def of(
        cls, model: Network, points: Points, clustering: Clustering, states: States
    ) -> StateComparison:
        """That of the method of a clustering, whose `center_states` are given: with the means of
        the features of each cluster, or else with the features of its center."""
        method = METHODS[clustering.method](clustering.method)
        feature_map = method.feature_map(points, model, clustering.metric)
        centers = clustering.feature_centers
        if centers is None:
            centers = feature_map(np.concatenate(states, axis=1)[1:])
        return cls(feature_map, centers)

    def with_centers(self, states: States) -> StateComparison:
        """That with more centers: the states themselves."""
        more = self.feature_map(np.concatenate(states, axis=1))
        return replace(self, centers=np.concatenate([self.centers, more]))

    def steps(self, model: Network, states: States) -> list[Float[np.ndarray, "S F"]]:
        """The features of the state that the network's own step on each symbol leads to, from each
        state."""
        return [self.feature_map(after) for after in model.successors(states)]

    def targets(self, stepped: Iterable[Float[np.ndarray, "S F"]]) -> Int[np.ndarray, "Q S"]:
        """The state whose center is nearest to where each of the steps leads; a tie goes to the
        lower index."""
        return np.stack([nearest(after, self.centers)[0] + 1 for after in stepped])


def nearest(
    points: Float[np.ndarray, "P F"], centers: Float[np.ndarray, "K F"]
) -> tuple[Int[np.ndarray, " P"], Float[np.ndarray, " P"]]:
    """The nearest center of each point, the lower one of a tie, and its squared distance less the
    squared norm of the point.

    Raises:
        ModelError: a point is NaN, infinite or too far away."""
    from lisor.clustering import kernels  # loads numba, which settings do without

    with np.errstate(invalid="ignore", over="ignore"):  # NaN and infinity are refused below
        products = points @ (-2 * centers).T
    index = np.empty(len(products), np.int64)
    least = np.empty(len(products), products.dtype)
    kernels.least_of_each(products, np.square(centers).sum(axis=1), index, least)
    if not np.isfinite(least).all():
        raise ModelError(
            "expected finite hidden states from the network, got NaN or infinity; look at its "
            "weights"
        )
    return index, least


def draw_members(
    clustering: Clustering, symbols: int, rng: np.random.Generator
) -> Int[np.ndarray, "K S"]:
    """The row of a random point of each cluster for each symbol.

    Duplicates can leave a cluster without points: then they are drawn from all."""
    order = np.argsort(clustering.labels, kind="stable")
    edges = np.searchsorted(clustering.labels[order], np.arange(clustering.k + 1))
    first, last = edges[:-1].copy(), edges[1:].copy()
    empty = first == last
    first[empty], last[empty] = 0, len(order)
    return order[rng.integers(first[:, None], last[:, None], size=(clustering.k, symbols))]


def transitions_from_members(
    model: Network,
    points: Points,
    clustering: Clustering,
    comparison: StateComparison,
    *,
    seed: int = 0,
) -> Int[np.ndarray, "Q S"]:
    """The state whose center is nearest to the network's own step from a random member of each
    cluster on each symbol.

    A step too short to leave its cluster is lost whenever it is taken from the center. Taken from
    members, such steps leave in proportion to their length: rounding with dither keeps on average
    what rounding alone loses (Roberts, 1962, "Picture coding using pseudo-random noise"). The step
    of the start is that from the initial state."""
    states = center_states(model, points, clustering)
    if not len(points.state):
        return comparison.targets(comparison.steps(model, states))
    symbols = np.arange(len(model.alphabet))
    after = comparison.steps(model, tuple(part[:1] for part in states))
    for members in draw_members(clustering, len(symbols), stream(seed, "dithered")):
        moved = model.advance(tuple(part[members] for part in points.parts()), symbols)
        after.append(comparison.feature_map(np.concatenate(moved, axis=1)))
    return comparison.targets(after)
