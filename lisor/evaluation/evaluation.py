"""How accurate, how faithful and how exact automata are, and which one is chosen.

Shapes: P marks of all sequences or of all their symbols, M splits, D numbers at a position."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int, Shaped

from lisor.automata.automaton import Automaton
from lisor.automata.distributions import Distributions, perplexity
from lisor.automata.languages import Language
from lisor.automata.weighted import WeightedAutomaton
from lisor.data.dataset import Split
from lisor.evaluation.numbers import r2
from lisor.extraction.extraction import Extraction
from lisor.networks.hidden_states import Predictions
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from lisor.targets.next import is_after

SCHEMA = 1
"""Version of the file written by `write_results`."""

COLUMNS = pa.schema(
    [
        ("dataset", pa.string()),
        ("cell", pa.string()),
        ("trial", pa.int32()),
        ("seed", pa.int64()),
        ("method", pa.string()),
        ("rule", pa.string()),
        ("k", pa.int32()),
        ("target", pa.string()),
        ("test_set", pa.string()),
        ("n", pa.int32()),
        ("n_unique", pa.int32()),
        ("accuracy", pa.float64()),
        ("fidelity", pa.float64()),
        ("rnn_accuracy", pa.float64()),
        ("exact", pa.bool_()),
        ("n_states", pa.int32()),
        ("n_states_minimal", pa.int32()),
        ("unseen_transitions", pa.float64()),
        ("deterministic", pa.bool_()),
        ("perplexity", pa.float64()),
        ("rnn_perplexity", pa.float64()),
        ("total_variation", pa.float64()),
        ("divergence", pa.float64()),
        ("r2", pa.float64()),
        ("rnn_r2", pa.float64()),
        ("r2_network", pa.float64()),
        ("exact_match", pa.float64()),
        ("rnn_exact_match", pa.float64()),
        ("chosen", pa.bool_()),
        ("selected", pa.bool_()),
    ],
    metadata={"lisor": json.dumps({"schema": SCHEMA})},
)
"""The columns of results, a row for each automaton and test set."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One automaton on one set of sequences.

    A weighted automaton is never called exact and is not minimised, and no step of its is unseen.

    `accuracy` is agreement with the labels, `fidelity` with the network, `rnn_accuracy` that of the
    network, all over the positions that the `target` has; `n` counts these, `n_unique` different
    sequences. `exact` says whether the automaton is the true language (None where there is none),
    `unseen_transitions` is the share of steps that took a transition validation never showed.
    Where the target is a distribution, `perplexity` and `rnn_perplexity` are those of automaton and
    network on the labels, `total_variation` is the distance of their distributions and `divergence`
    that of Kullback and Leibler in nats, both mean over positions; else None. Of translations
    `exact_match` and `rnn_exact_match` are the shares that automaton and network translate without
    a mistake, decoding greedily from the separator on; else None. Where the target is numeric,
    accuracy and fidelity are None: `r2` and `rnn_r2` are the R² of what automaton and network
    predict, and `r2_network` is that of the network's numbers by the automaton's."""

    method: str
    rule: str
    k: int | None
    target: str
    test_set: str
    n: int
    n_unique: int
    accuracy: float | None
    fidelity: float | None
    rnn_accuracy: float | None
    exact: bool | None
    n_states: int
    n_states_minimal: int
    unseen_transitions: float
    deterministic: bool
    perplexity: float | None = None
    rnn_perplexity: float | None = None
    total_variation: float | None = None
    divergence: float | None = None
    r2: float | None = None
    rnn_r2: float | None = None
    r2_network: float | None = None
    exact_match: float | None = None
    rnn_exact_match: float | None = None


def evaluate(
    extractions: Iterable[Extraction],
    splits: Mapping[str, Split],
    predictions: Mapping[str, Predictions],
    language: Language | None = None,
    separator: int | None = None,
) -> list[Evaluation]:
    """An evaluation of each automaton on each split; `predictions` are the network's on the same
    splits, and of translations the `separator` is the symbol between source and target."""
    words = Sequences.join(split.sequences for split in splits.values())
    labels = np.concatenate([split.labels for split in splits.values()])
    network = np.concatenate([predictions[name].predictions for name in splits])
    ends = np.cumsum([0, *(split.positions.count for split in splits.values())])
    steps = np.cumsum([0, *(len(split.sequences.symbols) for split in splits.values())])
    unique = {name: len(set(split.sequences.keys())) for name, split in splits.items()}
    probabilities = np.concatenate([predictions[name].probabilities for name in splits])
    kind, rows = TARGETS[next(iter(splits.values())).target], []
    of_network = _of_network(network, labels, ends, is_numeric=kind.is_numeric)
    rnn_matches = _matches(network, labels, words, separator, splits)
    for extraction in extractions:
        automaton = extraction.automaton
        exact, minimal, unseen = None, automaton.n_states, np.zeros(len(splits))
        if isinstance(automaton, Automaton):
            exact = None if language is None else language.equals(automaton)
            minimal = automaton.minimized().n_states
            trace = automaton.trace(words)
            symbols = automaton.alphabet.reread(words).symbols
            new = ~extraction.seen[automaton.states_before(words, trace), symbols]
            unseen = np.nan_to_num(_shares(new, steps))  # 0 where there are no steps
        if kind.is_numeric:
            figures = _of_numbers(extraction.deterministic, words, network, labels, ends)
        else:
            outputs = automaton.classify(words)
            figures = _of_classes(outputs, network, labels, ends)
        if kind.is_distribution:
            known = Distributions.rows(probabilities)
            more = _distances(automaton, known, words, labels, ends)
            matches = _matches(outputs, labels, words, separator, splits)
            figures = [
                {**named, **distances, "exact_match": match, "rnn_exact_match": rnn_match}
                for named, distances, match, rnn_match in zip(
                    figures, more, matches, rnn_matches, strict=True
                )
            ]
        rows += [
            Evaluation(
                method=extraction.method,
                rule=extraction.rule,
                k=extraction.k,
                target=split.target,
                test_set=name,
                n=split.positions.count,
                n_unique=unique[name],
                exact=exact,
                n_states=automaton.n_states,
                n_states_minimal=minimal,
                unseen_transitions=float(unseen[row]),
                deterministic=isinstance(automaton, Automaton),
                **of_network[row],
                **figures[row],
            )
            for row, (name, split) in enumerate(splits.items())
        ]
    return rows


def _of_network(
    network: Shaped[np.ndarray, "P *D"],
    labels: Shaped[np.ndarray, "P *D"],
    edges: Int[np.ndarray, " M+1"],
    *,
    is_numeric: bool,
) -> list[dict[str, float | None]]:
    """How right the network is on each split, whatever the automaton."""
    if not is_numeric:
        return [{"rnn_accuracy": share} for share in _shares(network == labels, edges).tolist()]
    return [
        {"rnn_accuracy": None, "rnn_r2": r2(labels[first:last], network[first:last])}
        for first, last in pairwise(edges.tolist())
    ]


def _of_classes(
    outputs: Int[np.ndarray, " P"],
    network: Int[np.ndarray, " P"],
    labels: Int[np.ndarray, " P"],
    edges: Int[np.ndarray, " M+1"],
) -> list[dict[str, Any]]:
    """How often the automaton is right, and agrees with the network, on each split."""
    marks = {"accuracy": outputs == labels, "fidelity": outputs == network}
    shares = {name: _shares(mark, edges).tolist() for name, mark in marks.items()}
    return [dict(zip(shares, row, strict=True)) for row in zip(*shares.values(), strict=True)]


def _of_numbers(
    automaton: Automaton,
    words: Sequences,
    network: Float[np.ndarray, "P D"],
    labels: Float[np.ndarray, "P D"],
    edges: Int[np.ndarray, " M+1"],
) -> list[dict[str, Any]]:
    """The R² of the automaton's numbers on each split."""
    numbers = automaton.numbers_at(words, automaton.trace(words))
    nothing = dict.fromkeys(("accuracy", "fidelity"))
    return [
        {
            **nothing,
            "r2": r2(labels[first:last], numbers[first:last]),
            "r2_network": r2(network[first:last], numbers[first:last]),
        }
        for first, last in pairwise(edges.tolist())
    ]


def _distances(
    automaton: Automaton | WeightedAutomaton,
    known: Distributions,
    words: Sequences,
    labels: Int[np.ndarray, " P"],
    edges: Int[np.ndarray, " M+1"],
) -> list[dict[str, float]]:
    """The figures of each split that only distributions have: `known` are the network's."""
    expected = Distributions.of(automaton, words)
    apart, divergence = expected.total_variation(known), known.divergence(expected)
    logs, network_logs = expected.log_probabilities(labels), known.log_probabilities(labels)
    return [
        {
            "perplexity": perplexity(logs[first:last]),
            "rnn_perplexity": perplexity(network_logs[first:last]),
            "total_variation": float(apart[first:last].mean()),
            "divergence": float(divergence[first:last].mean()),
        }
        for first, last in pairwise(edges.tolist())
    ]


def _matches(
    outputs: Int[np.ndarray, " P"],
    labels: Int[np.ndarray, " P"],
    words: Sequences,
    separator: int | None,
    splits: Mapping[str, Split],
) -> list[float] | list[None]:
    """The share of the sequences of each split whose outputs are right from the separator on.

    These are the translations that greedy decoding makes without a mistake: as long as each symbol
    is right, it reads what stands in the data."""
    if separator is None:
        return [None] * len(splits)
    right = (outputs == labels) | ~is_after(words, separator)
    starts = np.cumsum(words.lengths + 1) - words.lengths - 1
    edges = np.cumsum([0, *map(len, splits.values())])
    shares: list[float] = _shares(np.logical_and.reduceat(right, starts), edges).tolist()
    return shares


def _shares(
    marks: Bool[np.ndarray, " P"], edges: Int[np.ndarray, " M+1"]
) -> Float[np.ndarray, " M"]:
    """The share of marks between each two edges that are set; NaN where there are none."""
    before = np.concatenate([[0], np.cumsum(marks)])[edges]
    with np.errstate(invalid="ignore"):
        shares: Float[np.ndarray, " M"] = np.diff(before) / np.diff(edges)
    return shares


def read_results(path: Path) -> pd.DataFrame:
    """The table that `write_results` wrote; k is null where there are no clusters."""
    return pd.read_parquet(path).astype({"k": "Int64"})


def write_results(table: pd.DataFrame, path: Path) -> None:
    """Write rows with these `COLUMNS`, in the order they have."""
    exact = table["exact"].astype(object).where(table["exact"].notna(), None)
    rows = pa.Table.from_pandas(table.assign(exact=exact), COLUMNS, preserve_index=False)
    pq.write_table(rows.replace_schema_metadata(COLUMNS.metadata), path)
