"""How accurate, how faithful and how exact automata are, and which one is chosen.

Shapes: P marks of all sequences or of all their symbols, M splits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int

from lisor.automata.automaton import Automaton
from lisor.automata.languages import Language
from lisor.data.dataset import Split
from lisor.extraction.extraction import Extraction
from lisor.networks.hidden_states import Predictions
from lisor.sequences import Sequences

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
    `unseen_transitions` is the share of steps that took a transition validation never showed."""

    method: str
    rule: str
    k: int | None
    target: str
    test_set: str
    n: int
    n_unique: int
    accuracy: float
    fidelity: float
    rnn_accuracy: float
    exact: bool | None
    n_states: int
    n_states_minimal: int
    unseen_transitions: float
    deterministic: bool


def evaluate(
    extractions: Iterable[Extraction],
    splits: Mapping[str, Split],
    predictions: Mapping[str, Predictions],
    language: Language | None = None,
) -> list[Evaluation]:
    """An evaluation of each automaton on each split; `predictions` are the network's on the same
    splits."""
    words = Sequences.join(split.sequences for split in splits.values())
    labels = np.concatenate([split.labels for split in splits.values()])
    network = np.concatenate([predictions[name].predictions for name in splits])
    ends = np.cumsum([0, *(split.positions.count for split in splits.values())])
    steps = np.cumsum([0, *(len(split.sequences.symbols) for split in splits.values())])
    unique = {name: len(set(split.sequences.keys())) for name, split in splits.items()}
    rnn_accuracy, rows = _shares(network == labels, ends), []
    for extraction in extractions:
        automaton = extraction.automaton
        exact, minimal, unseen = None, automaton.n_states, np.zeros(len(splits))
        if isinstance(automaton, Automaton):
            exact = None if language is None else language.equals(automaton)
            minimal = automaton.minimized().n_states
            trace = automaton.trace(words)
            outputs = automaton.outputs[automaton.states_at(words, trace)]
            new = ~extraction.seen[automaton.states_before(words, trace), words.symbols]
            unseen = np.nan_to_num(_shares(new, steps))  # 0 where there are no steps
        else:
            outputs = automaton.classify(words)
        accuracy, fidelity = _shares(outputs == labels, ends), _shares(outputs == network, ends)
        rows += [
            Evaluation(
                method=extraction.method,
                rule=extraction.rule,
                k=extraction.k,
                target=split.target,
                test_set=name,
                n=split.positions.count,
                n_unique=unique[name],
                accuracy=float(accuracy[row]),
                fidelity=float(fidelity[row]),
                rnn_accuracy=float(rnn_accuracy[row]),
                exact=exact,
                n_states=automaton.n_states,
                n_states_minimal=minimal,
                unseen_transitions=float(unseen[row]),
                deterministic=isinstance(automaton, Automaton),
            )
            for row, (name, split) in enumerate(splits.items())
        ]
    return rows


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
