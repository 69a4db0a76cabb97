"""What is known of one network, as the report reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lisor.explain.activations import Activations
from lisor.explain.explanation import Explanation
from lisor.fsa.clustering import Clustering
from lisor.fsa.extraction import Extraction
from lisor.report.plane import Plane


@dataclass(frozen=True, kw_only=True)
class Explained:
    """What explains one network beside its automaton."""

    explanation: Explanation
    activations: Activations


@dataclass(frozen=True, kw_only=True)
class Findings:
    """One network: the name of its data set in the results and in file names, its training, its clusterings and
    automata, and its states in the plane.

    `clustering` finds one by method and k, `extraction` an automaton by method, rule and k, `variance` that of the
    hidden states, summed over units; `plane` is None where the
    states are not drawn. `restarts` counts how often training was begun anew."""

    dataset: str
    name: str
    cell: str
    trial: int
    history: Mapping[str, Sequence[float]]
    restarts: int
    clustering: Callable[[str, int], Clustering]
    extraction: Callable[[str, str, int], Extraction]
    variance: Callable[[], float]
    plane: Plane | None = None
    searches: tuple[Mapping[str, Any], ...] = ()
    """How each search for a refined or distilled automaton went: method, rule, k, steps, complete, …"""
    unfinished: Mapping[str, str] = field(default_factory=dict)
    """The baselines that did not come to an end on this network, and why."""
    learned_steps: Mapping[str, int] = field(default_factory=dict)
    """How many symbols the network read for each baseline."""
    explained: Explained | None = None

    @property
    def label(self) -> str:
        """The network's name in file names."""
        return f"{self.name}-{self.cell}-{self.trial}"
