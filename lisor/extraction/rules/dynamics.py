"""The network's own steps from the centers of clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lisor.extraction.rule import Rule

if TYPE_CHECKING:
    from lisor.extraction.extraction import Extraction
    from lisor.extraction.view import View


class Dynamics(Rule):
    """Follows the network's own step from the center of a state to the nearest center, so that
    nothing is unseen."""

    def extract(self, view: View) -> Extraction:
        """The automaton of the network's steps."""
        return view.extraction(self.name, view.automaton(view.center_transitions, view.outputs))
