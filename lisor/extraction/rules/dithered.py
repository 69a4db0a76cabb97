"""The network's own steps from members of clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lisor.extraction.rule import Rule

if TYPE_CHECKING:
    from lisor.extraction.extraction import Extraction
    from lisor.extraction.view import View


class Dithered(Rule):
    """Follows the network's own step from a random member of the cluster, another for each symbol,
    so that short steps are not all lost."""

    def extract(self, view: View) -> Extraction:
        """The automaton of steps from members, which are drawn alike whatever the seed of a
        search."""
        from lisor.extraction.dynamics import transitions_from_members

        transitions = transitions_from_members(
            view.network, view.points, view.clustering, view.comparison
        )
        return view.extraction(self.name, view.automaton(transitions, view.outputs))
