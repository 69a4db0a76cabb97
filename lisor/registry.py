"""What can be added to lisor, each by one file and one line here.

An entry is `module:name`. It is imported when it is first asked for, so that
settings can name a cell without loading torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from lisor.errors import ConfigError, show


class Registry(Mapping[str, Any]):
    """Objects of one kind by the names that settings and results use."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = self._entries[name].partition(":")
        return getattr(import_module(module), attribute)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, name: str, entry: str) -> None:
        """Add an object of any module, as `module:name`, or replace one of that name.

        Raises:
            ConfigError: the entry has another form."""
        module, colon, attribute = entry.partition(":")
        if not (colon and attribute.isidentifier() and module.replace(".", "_").isidentifier()):
            raise ConfigError(f"expected an entry as module:name, got {show(entry)}")
        self._entries[name] = entry


CELLS = Registry(
    {
        "srn": "lisor.networks.cells.srn:SRN",
        "mgu": "lisor.networks.cells.mgu:MGU",
        "gru": "lisor.networks.cells.gru:GRU",
        "lstm": "lisor.networks.cells.lstm:LSTM",
        "mingru": "lisor.networks.cells.mingru:MinGRU",
        "sru": "lisor.networks.cells.sru:SRU",
    }
)
"""Recurrent cells: those of Hou & Zhou (2020) from no gate to three, then others."""

METHODS = Registry(
    {
        "kmeans": "lisor.clustering.features.kmeans:KMeans",
        "kmeans-x": "lisor.clustering.features.kmeans_x:KMeansX",
        "decision-aware": "lisor.clustering.features.decision_aware:DecisionAware",
        "sensitivity": "lisor.clustering.features.sensitivity:Sensitivity",
    }
)
"""How hidden states are clustered; see `lisor.clustering.method.Method`."""

LISOR_K, LISOR_X = "kmeans", "kmeans-x"
"""The methods of Hou & Zhou (2020): on hidden states alone, the default of a run, and on hidden
states with their positions."""

TARGETS = Registry(
    {
        "class": "lisor.targets.sequence:SEQUENCE",
        "step": "lisor.targets.step:STEP",
    }
)
"""What is true of a sequence: one class, or a class after each symbol."""

RULES = Registry(
    {
        "majority": "lisor.extraction.rules.majority:Majority",
        "dynamics": "lisor.extraction.rules.dynamics:Dynamics",
        "dithered": "lisor.extraction.rules.dithered:Dithered",
        "weighted": "lisor.extraction.rules.weighted:Weighted",
        "refined": "lisor.extraction.rules.refined:Refined",
        "distilled": "lisor.extraction.rules.distilled:Distilled",
    }
)
"""How automata are read off clusters; see `lisor.extraction.rule.Rule`."""

PAPER_RULE = "majority"
"""The rule of Hou & Zhou (2020), the default of a run."""

ATTENTION = "attention-"
"""How the names of networks with attention begin."""


def network_names() -> Iterator[str]:
    """The names of networks that can be trained: cells whose last hidden state is read out,
    attention over all those of each, and attention that feeds back."""
    yield from CELLS
    yield from (f"{ATTENTION}{cell}" for cell in (*CELLS, "recurrent"))


KINDS = Registry(
    {
        "language": "lisor.data.words:LanguageData",
        "text": "lisor.data.text:TextData",
        "symbols": "lisor.data.symbols:SymbolsData",
        "series": "lisor.data.series:SeriesData",
    }
)
"""Kinds of data: what makes a dataset from settings and files; see `lisor.data.kind.Kind`."""

BASELINES = ("lstar", "kv", "rpni")
"""L* (Angluin, 1987), KV (Kearns & Vazirani, 1994), and RPNI (Oncina & García, 1992) on words the
network labels."""
