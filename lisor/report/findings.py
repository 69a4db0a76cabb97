"""The findings on one network that the report reads.

Shapes: M positions of the test set, C classes or numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Float

from lisor.clustering.clustering import Clustering
from lisor.explain.activations import Activations
from lisor.explain.explanation import Explanation
from lisor.extraction.extraction import Extraction, SearchLog, Variant
from lisor.networks.network import Network
from lisor.report.embedding import Embedding


@dataclass(frozen=True, kw_only=True)
class Explained:
    """The explanation of one network, and its activations."""

    explanation: Explanation
    activations: Activations


@dataclass(frozen=True, kw_only=True)
class Findings:
    """One network: the name of its dataset in the results and in file names, its training, its
    clusterings and automata, and the embedding of its hidden states.

    `clustering` finds one by method and k, `extraction` an automaton by method, rule and k,
    `variance` that of the hidden states, summed over units, `predictions` the class probabilities,
    or numbers, at each position of the test set. `embedding` is None where the
    states are not drawn. `restarts` counts how often training was restarted."""

    dataset: str
    name: str
    cell: str
    trial: int
    history: Mapping[str, Sequence[float]]
    restarts: int
    clustering: Callable[[str, int], Clustering]
    extraction: Callable[[str, str, int], Extraction]
    variance: Callable[[], float]
    predictions: Callable[[], Float[np.ndarray, "M C"]]
    network: Callable[[], Network]
    """The network itself."""
    embedding: Embedding | None = None
    searches: Mapping[Variant, SearchLog] = field(default_factory=dict)
    """The log of the search for each automaton that was searched for."""
    unfinished: Mapping[str, str] = field(default_factory=dict)
    """The baselines that did not finish on this network, and why."""
    learned_steps: Mapping[str, int] = field(default_factory=dict)
    """How many symbols the network read for each baseline."""
    explained: Explained | None = None
    detections: pd.DataFrame | None = None
    """How well anomalies are detected, where the network learned what is normal."""

    @property
    def label(self) -> str:
        """The network's name in file names."""
        return f"{self.name}-{self.cell}-{self.trial}"

    def rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of this network in a table of results of its dataset."""
        return table[(table["cell"] == self.cell) & (table["trial"] == self.trial)]
