"""An automaton of one clustering, by a rule that reads off or one that searches."""

from lisor.clustering.clustering import Clustering
from lisor.extraction import extract as extraction
from lisor.extraction.extraction import Extraction
from lisor.extraction.limits import SearchLimits
from lisor.extraction.probes import Probes
from lisor.extraction.transitions import Unseen
from lisor.extraction.view import View
from lisor.networks.hidden_states import Points
from lisor.networks.network import Network
from lisor.registry import PAPER_RULE


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
