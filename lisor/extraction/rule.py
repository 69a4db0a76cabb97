"""What a rule is: an object that reads an automaton off clusters of hidden states.

A rule is added by one file and one line of `lisor.registry.RULES`. Settings load its file to ask
for its facts, so that nothing heavy is imported at the top of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from lisor.extraction.extraction import Extraction
    from lisor.extraction.view import View


@dataclass(frozen=True)
class Rule(ABC):
    """A rule by the name under which it stands in the registry, with the facts that others ask for.

    `searches`: it starts at the clusters and goes on until it meets no difference or its limits,
    so that it is worth its time for few k only. `deterministic`: its automaton has one state at a
    time; others are never selected. `follows_states`: it follows the network from a hidden state
    alone, which a network with attention does not allow. `has_start`: its automaton has a start
    beside the k clusters. `grows`: its automaton grows to the limit of states, and never beyond."""

    name: str
    searches: ClassVar[bool] = False
    deterministic: ClassVar[bool] = True
    follows_states: ClassVar[bool] = True
    has_start: ClassVar[bool] = True
    grows: ClassVar[bool] = False

    @abstractmethod
    def extract(self, view: View) -> Extraction:
        """The automaton that is read off, with how the search went where the rule searches."""

    @classmethod
    def min_states(cls, k: int) -> int:
        """The number of states that its automaton of k clusters has before it is minimised."""
        return k + cls.has_start
