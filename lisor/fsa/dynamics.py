"""Where a network itself goes from the centers of its clusters.

Shapes: K clusters, Q = K + 1 states (the start first), H hidden units, S symbols, D numbers of a state."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from lisor.fsa.clustering import Clustering, member_means
from lisor.rnn.classifier import TrainedModel
from lisor.rnn.hidden_states import Points


def center_states(model: TrainedModel, points: Points, clustering: Clustering) -> tuple[Float[np.ndarray, "Q H"], ...]:
    """The network's states for which automaton states stand: the initial one, then those of the centers.

    For an LSTM they are h and c: a center's c is the mean of its members' c."""
    initial = [part[0].cpu().numpy() for part in model.initial_state()]
    parts = [clustering.centers]
    if points.cell_state is not None:
        parts.append(member_means(points.cell_state, clustering.labels, clustering.k))
    return tuple(np.concatenate([first, rest]) for first, rest in zip(initial, parts, strict=True))


def follow(
    model: TrainedModel, states: tuple[Float[np.ndarray, "Q H"], ...], metric: Float[np.ndarray, "D F"] | None
) -> Int[np.ndarray, "Q S"]:
    """The state whose center is nearest to the network's own step from each state on each symbol.

    Nearest in the clustering's `metric` of h, and for an LSTM of h and c; without one by h alone, whatever the clusters
    were made from. A tie goes to the lower index."""
    whole = np.concatenate(states, axis=1)
    hidden_alone = np.eye(whole.shape[1], states[0].shape[1], dtype=np.float32)
    space = hidden_alone if metric is None else metric
    centers = whole[1:] @ space
    norms = np.square(centers).sum(axis=1)
    toward = 2 * space @ centers.T  # of a step s: the part of its squared distance to each center that depends on s
    return np.stack([(norms - after @ toward).argmin(axis=1) + 1 for after in model.successors(states)])
