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
        "predictive": "lisor.clustering.features.predictive:Predictive",
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
        "next": "lisor.targets.next:NEXT",
        "number": "lisor.targets.number:NUMBER",
        "regression": "lisor.targets.regression:REGRESSION",
    }
)
"""What is true of a sequence: one class, a class after each symbol, what follows each prefix,
numbers after each symbol, or numbers for the whole."""

RULES = Registry(
    {
        "majority": "lisor.extraction.rules.majority:Majority",
        "dynamics": "lisor.extraction.rules.dynamics:Dynamics",
        "dithered": "lisor.extraction.rules.dithered:Dithered",
        "weighted": "lisor.extraction.rules.weighted:Weighted",
        "merged": "lisor.extraction.rules.merged:Merged",
        "refined": "lisor.extraction.rules.refined:Refined",
        "distilled": "lisor.extraction.rules.distilled:Distilled",
        "queried": "lisor.extraction.rules.queried:Queried",
        "intervals": "lisor.extraction.rules.intervals:Intervals",
        "closed-loop": "lisor.extraction.rules.closed_loop:ClosedLoop",
    }
)
"""How automata are read off clusters; see `lisor.extraction.rule.Rule`."""


def rules_of(target: str, *, reads_numbers: bool) -> list[str]:
    """The names of the rules that can be used for a kind of target: where no classes are named,
    those that compare none, and for numbers those of them that average no probabilities. Some are
    only for networks that read numbers in place of symbols."""
    kind = TARGETS[target]
    return [
        name
        for name, rule in RULES.items()
        if (kind.names_classes or not rule.compares_classes)
        and not (rule.averages_probabilities and kind.is_numeric)
        and (reads_numbers or not rule.reads_numbers)
    ]


SCORES = Registry(
    {
        "rank": "lisor.anomalies.scores.rank:Rank",
        "least-probability": "lisor.anomalies.scores.least_probability:LeastProbability",
        "mean-probability": "lisor.anomalies.scores.mean_probability:MeanProbability",
    }
)
"""How strange a sequence is to what was trained on normal ones; see
`lisor.anomalies.score.Score`."""

PAPER_RULE = "majority"
"""The rule of Hou & Zhou (2020), the default of a run."""

POOLS = Registry(
    {
        "attention": "lisor.networks.pools.attention:Attention",
        "mean": "lisor.networks.pools.mean:Mean",
        "max": "lisor.networks.pools.maximum:Maximum",
    }
)
"""How a network reads out all its hidden states at once; see `lisor.networks.pools.pool.Pool`."""

RECURRENT = "attention-recurrent"
"""The network whose attention feeds back, the only one without a state of bounded size."""


def network_names() -> Iterator[str]:
    """The names of networks that can be trained: cells whose last hidden state is read out, each
    pool over the hidden states of each, and attention that feeds back."""
    yield from CELLS
    yield from (f"{pool}-{cell}" for pool in POOLS for cell in CELLS)
    yield RECURRENT


def split_name(name: str) -> tuple[str | None, str]:
    """The pool of a network, if it has one, and its cell."""
    pool, dash, cell = name.partition("-")
    return (pool, cell) if dash and pool in POOLS and cell in CELLS else (None, name)


KINDS = Registry(
    {
        "language": "lisor.data.words:LanguageData",
        "text": "lisor.data.text:TextData",
        "symbols": "lisor.data.symbols:SymbolsData",
        "series": "lisor.data.series:SeriesData",
        "translation": "lisor.data.translation:TranslationData",
    }
)
"""Kinds of data: what makes a dataset from settings and files; see `lisor.data.kind.Kind`."""

BASELINES = ("lstar", "kv", "rpni")
"""L* (Angluin, 1987), KV (Kearns & Vazirani, 1994), and RPNI (Oncina & García, 1992) on words the
network labels."""

DISTRIBUTION_BASELINES = ("alergia",)
"""Alergia (Carrasco & Oncina, 1994) on the sequences that a language model was trained on."""
