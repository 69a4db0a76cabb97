"""An automaton of one clustering, by a rule that reads off or one that searches."""

import numpy as np

from lisor.clustering.clustering import Clustering
from lisor.extraction import dynamics
from lisor.extraction import extract as extraction
from lisor.extraction.dynamics import StateComparison
from lisor.extraction.extraction import Extraction
from lisor.extraction.limits import SearchLimits
from lisor.extraction.probes import Probes
from lisor.extraction.transitions import Unseen
from lisor.extraction.view import View
from lisor.networks.hidden_states import Points
from lisor.networks.network import Network, States
from lisor.registry import LISOR_K, METHODS, PAPER_RULE


def extract(
    network: Network,
    points: Points,
    clustering: Clustering,
    *,
    rule: str = PAPER_RULE,
    unseen: Unseen = "reject",
) -> Extraction:
    """What a rule that does not search reads off."""
    view = View(network=network, points=points, clustering=clustering, unseen=unseen)
    return extraction.extract(view, [rule])[0]


def search(
    rule: str,
    network: Network,
    points: Points,
    clustering: Clustering,
    probes: Probes,
    **limits: int | None,
) -> Extraction:
    """What a rule that searches makes of a clustering within `limits`."""
    view = View(
        network=network,
        points=points,
        clustering=clustering,
        probes=probes,
        limits=SearchLimits(**limits),
    )
    return extraction.extract(view, [rule])[0]


def compared(model: Network, states: States, metric: np.ndarray | None) -> StateComparison:
    """How states are compared with centers, which stand after the initial state: as s·R, or else by
    h alone."""
    nothing = np.empty(0, np.int32)
    points = Points(sequence=nothing, step=nothing, symbol=nothing, state=states[0][:0])
    feature_map = METHODS[LISOR_K](LISOR_K).feature_map(points, model, metric)
    return StateComparison(feature_map, feature_map(np.concatenate(states, axis=1)[1:]))


def transitions_from_centers(
    model: Network, states: States, metric: np.ndarray | None
) -> np.ndarray:
    """Where the network's own steps from the centers lead."""
    comparison = compared(model, states, metric)
    return comparison.targets(comparison.steps(model, states))


def transitions_from_members(
    model: Network, points: Points, clustering: Clustering, **seed: int
) -> np.ndarray:
    """Where the network's own steps from members of the clusters lead."""
    states = dynamics.center_states(model, points, clustering)
    comparison = StateComparison.of(model, points, clustering, states)
    return dynamics.transitions_from_members(model, points, clustering, comparison, **seed)
