"""Where a network itself goes from its clusters.

Shapes: P points, K clusters, Q = K + 1 states (the start first), H hidden units, S symbols, D numbers of a state, F
numbers in which states are compared."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Int

from lisor.errors import ModelError
from lisor.fsa import kernels
from lisor.fsa.clustering import Clustering, member_means
from lisor.randomness import stream
from lisor.rnn.hidden_states import Points
from lisor.rnn.network import Network, States


def center_states(model: Network, points: Points, clustering: Clustering) -> States:
    """The network's states for which automaton states stand: the initial one, then those of the centers.

    For an LSTM or SRU they are h and c: a center's c is the mean of its members' c."""
    initial = [part[0].cpu().numpy() for part in model.initial_state()]
    parts = [clustering.centers]
    if points.cell_state is not None:
        parts.append(member_means(points.cell_state, clustering.labels, clustering.k))
    return tuple(np.concatenate([first, rest]) for first, rest in zip(initial, parts, strict=True))


def space_of(states: States, metric: Float[np.ndarray, "D F"] | None) -> Float[np.ndarray, "D F"]:
    """The matrix R such that states s are compared as s·R: the clustering's `metric` of h, or of h and c.

    Without one they are compared by h alone, whatever the clusters were made from."""
    hidden_alone = np.eye(sum(part.shape[1] for part in states), states[0].shape[1], dtype=np.float32)
    return hidden_alone if metric is None else metric


def nearest(
    places: Float[np.ndarray, "P F"], centers: Float[np.ndarray, "K F"]
) -> tuple[Int[np.ndarray, " P"], Float[np.ndarray, " P"]]:
    """The nearest center of each place, the lower one of a tie, and its squared distance less the place's own norm.

    Raises:
        ModelError: a place is NaN, infinite or too far away."""
    with np.errstate(invalid="ignore", over="ignore"):  # what comes of it is refused below
        products = places @ (-2 * centers).T
    found, least = np.empty(len(products), np.int64), np.empty(len(products), products.dtype)
    kernels.least_of_each(products, np.square(centers).sum(axis=1), found, least)
    if not np.isfinite(least).all():
        raise ModelError("expected finite hidden states from the network, got NaN or infinity; look at its weights")
    return found, least


def steps(model: Network, states: States, space: Float[np.ndarray, "D F"]) -> list[Float[np.ndarray, "S F"]]:
    """Where the network's own step from each state on each symbol leads, as states are compared."""
    return [after @ space for after in model.successors(states)]


def targets(
    stepped: Iterable[Float[np.ndarray, "S F"]], states: States, space: Float[np.ndarray, "D F"]
) -> Int[np.ndarray, "Q S"]:
    """The state whose center is nearest to where each of the `steps` leads; a tie goes to the lower index."""
    centers = np.concatenate(states, axis=1)[1:] @ space
    return np.stack([nearest(after, centers)[0] + 1 for after in stepped])


def follow(model: Network, states: States, metric: Float[np.ndarray, "D F"] | None) -> Int[np.ndarray, "Q S"]:
    """The state whose center is nearest, as in `space_of`, to the network's own step from each state on each symbol."""
    space = space_of(states, metric)
    return targets(steps(model, states, space), states, space)


def draw_members(clustering: Clustering, symbols: int, rng: np.random.Generator) -> Int[np.ndarray, "K S"]:
    """The row of a random point of each cluster for each symbol.

    A cluster that has no points, as duplicates among them can leave it, is given those of all."""
    order = np.argsort(clustering.labels, kind="stable")
    edges = np.searchsorted(clustering.labels[order], np.arange(clustering.k + 1))
    first, last = edges[:-1].copy(), edges[1:].copy()
    empty = first == last
    first[empty], last[empty] = 0, len(order)
    members: Int[np.ndarray, "K S"] = order[rng.integers(first[:, None], last[:, None], size=(clustering.k, symbols))]
    return members


def follow_members(model: Network, points: Points, clustering: Clustering, *, seed: int = 0) -> Int[np.ndarray, "Q S"]:
    """The state whose center is nearest to the network's own step from a random member of each cluster on each symbol.

    A step too short to leave its cluster is lost whenever it is taken from the center. Taken from members, such steps
    leave as often as they are long: rounding with dither keeps on average what rounding alone loses (Roberts, 1962,
    "Picture coding using pseudo-random noise"). The start's step is that from the initial state."""
    states = center_states(model, points, clustering)
    if not len(points.state):
        return follow(model, states, clustering.metric)
    space = space_of(states, clustering.metric)
    centers = np.concatenate(states, axis=1)[1:] @ space
    parts = [part for part in (points.state, points.cell_state) if part is not None]
    symbols = np.arange(len(model.vocabulary))
    start = next(model.successors(tuple(part[:1] for part in states)))
    rows = [nearest(start @ space, centers)[0]]
    for members in draw_members(clustering, len(symbols), stream(seed, "dithered")):
        after = np.concatenate(model.advance(tuple(part[members] for part in parts), symbols), axis=1)
        rows.append(nearest(after @ space, centers)[0])
    return np.stack(rows) + 1
