"""The distribution over next states of each cluster and symbol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lisor.extraction.rule import Rule

if TYPE_CHECKING:
    from lisor.extraction.extraction import Extraction
    from lisor.extraction.view import View


class Weighted(Rule):
    """Keeps the distribution over next states, with the network's own step where nothing was
    seen."""

    deterministic = False
    averages_probabilities = True

    def extract(self, view: View) -> Extraction:
        """The weighted automaton."""
        from lisor.extraction.extraction import make_weighted

        automaton = make_weighted(
            view.network, view.counts, view.center_transitions, view.probabilities
        )
        return view.extraction(self.name, automaton)
