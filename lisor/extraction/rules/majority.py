"""The most frequent transitions between clusters, the rule of Hou & Zhou (2020, section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lisor.errors import AutomatonError
from lisor.extraction.rule import Rule
from lisor.registry import TARGETS

if TYPE_CHECKING:
    from lisor.extraction.extraction import Extraction
    from lisor.extraction.view import View


class Majority(Rule):
    """Keeps the most frequent next state of each (state, symbol), and sends what was never seen
    where the policy for it says."""

    follows_states = False

    def extract(self, view: View) -> Extraction:
        """The automaton, and which of its transitions were seen.

        Raises:
            AutomatonError: a sink is wanted where no classes are named."""
        from lisor.extraction.transitions import complete, most_frequent

        kind = TARGETS[view.network.target]
        if not kind.names_classes and view.unseen != "stay":
            raise AutomatonError(
                f"the rule {self.name!r} has no {kind.predicted} for a rejecting sink: use unseen "
                "'stay'"
            )

        transitions, outputs, seen = complete(
            *most_frequent(view.counts), view.outputs, view.unseen
        )
        return view.extraction(self.name, view.automaton(transitions, outputs), seen=seen)
