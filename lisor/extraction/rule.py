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
    alone, which attention that feeds back does not allow. `has_start`: its automaton has a start
    beside the k clusters. `compares_classes`: it asks whether automaton and network name the same
    class, which says little of distributions over the next symbol. `averages_probabilities`: it is
    for networks with class probabilities, which numbers are not. `grows`: its automaton grows to
    the limit of states, and never beyond. `from_clusters`: its automaton depends on the clusters;
    others are searched for at a single k of a block. `reads_numbers`: it is for networks that read
    the numbers of a series, one at a step."""

    name: str
    searches: ClassVar[bool] = False
    deterministic: ClassVar[bool] = True
    follows_states: ClassVar[bool] = True
    has_start: ClassVar[bool] = True
    compares_classes: ClassVar[bool] = False
    averages_probabilities: ClassVar[bool] = False
    grows: ClassVar[bool] = False
    from_clusters: ClassVar[bool] = True
    reads_numbers: ClassVar[bool] = False

    @abstractmethod
    def extract(self, view: View) -> Extraction:
        """The automaton that is read off, with how the search went where the rule searches."""

    @classmethod
    def min_states(cls, k: int) -> int:
        """The number of states that its automaton of k clusters has before it is minimised."""
        return k + cls.has_start
