"""How accurate, how faithful and how exact automata are, and which one is chosen.

Shapes: P marks of all sequences or of all their symbols, M splits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int

from lisor.data.dataset import Split
from lisor.data.languages import Language
from lisor.data.sequences import Sequences
from lisor.errors import DataError
from lisor.fsa.automaton import CLASSES, Automaton
from lisor.fsa.extraction import Extraction
from lisor.rnn.hidden_states import Answers

SELECTION = "selection"
"""The split on which k, rule and method are chosen: nothing is fitted to it, and it is not reported."""

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
        ("chosen", pa.bool_()),
        ("selected", pa.bool_()),
    ],
    metadata={"lisor": json.dumps({"schema": SCHEMA})},
)
"""The columns of results, a row for each automaton and test set."""

TOLERANCE = 0.005
"""Of what is no language a smaller automaton is preferred to one that is at most this much more faithful."""


def default_tolerance(classes: Sequence[str]) -> float:
    """How much fidelity a smaller automaton may cost: none where a language can be met exactly."""
    return 0.0 if tuple(classes) == CLASSES else TOLERANCE


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One automaton on one set of sequences.

    A weighted automaton is never called exact and is not minimised, and no step of its is unseen.

    `accuracy` is agreement with the truth, `fidelity` with the network, `rnn_accuracy` the network's own; `exact` says
    whether the automaton is the true language (None where there is none), `unseen_transitions` is the share of steps
    that took a transition validation never showed."""

    method: str
    rule: str
    k: int | None
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


def evaluate(
    extractions: Iterable[Extraction],
    splits: Mapping[str, Split],
    answers: Mapping[str, Answers],
    language: Language | None = None,
) -> list[Evaluation]:
    """An evaluation of each automaton on each split; `answers` are the network's on the same splits."""
    words = Sequences.join(split.sequences for split in splits.values())
    labels = np.concatenate([split.labels for split in splits.values()])
    network = np.concatenate([answers[name].predictions for name in splits])
    ends = np.cumsum([0, *map(len, splits.values())])
    unique = {name: len(set(split.sequences.keys())) for name, split in splits.items()}
    rnn_accuracy, rows = _shares(network == labels, ends), []
    for extraction in extractions:
        machine = extraction.machine
        exact, minimal, unseen = None, machine.n_states, np.zeros(len(splits))
        if isinstance(machine, Automaton):
            exact = None if language is None else language.equals(machine)
            minimal = machine.minimized().n_states
            trace = machine.trace(words)
            predictions = machine.outputs[machine.final_states(words, trace)]
            new = ~extraction.seen[machine.states_before(words, trace), words.symbols]
            unseen = np.nan_to_num(_shares(new, words.offsets[ends]))  # 0 where there are no steps
        else:
            predictions = machine.classify(words)
        accuracy, fidelity = (_shares(predictions == truth, ends) for truth in (labels, network))
        rows += [
            Evaluation(
                method=extraction.method,
                rule=extraction.rule,
                k=extraction.k,
                test_set=name,
                n=len(split),
                n_unique=unique[name],
                accuracy=float(accuracy[place]),
                fidelity=float(fidelity[place]),
                rnn_accuracy=float(rnn_accuracy[place]),
                exact=exact,
                n_states=machine.n_states,
                n_states_minimal=minimal,
                unseen_transitions=float(unseen[place]),
            )
            for place, (name, split) in enumerate(splits.items())
        ]
    return rows


def _shares(marks: Bool[np.ndarray, " P"], edges: Int[np.ndarray, " M+1"]) -> Float[np.ndarray, " M"]:
    """The share of marks between each two edges that are set; NaN where there are none."""
    before = np.concatenate([[0], np.cumsum(marks)])[edges]
    with np.errstate(invalid="ignore"):
        shares: Float[np.ndarray, " M"] = np.diff(before) / np.diff(edges)
    return shares


def choose(evaluations: pd.DataFrame, *, tolerance: float, most_states: int | None = None) -> pd.DataFrame:
    """The evaluations of one network's automata, marked `chosen` and `selected`, without the selection split,
    in the order of method, rule, k and test set.

    Of each (method, rule) the chosen k is the smallest whose fidelity on the selection split is within `tolerance` of
    the highest. Over all deterministic ones the selected automaton is, among those within `tolerance` of the highest,
    the one with the fewest states, then the smallest k. Neither looks at any other split, nor at automata of more than
    `most_states` states.

    Raises:
        DataError: there is no deterministic automaton, or none of so few states."""
    candidates = evaluations[evaluations["test_set"] == SELECTION].sort_values(["k", "n_states"], kind="stable")
    if most_states is not None:
        candidates = candidates[candidates["n_states"] <= most_states]
    family = ["method", "rule"]
    allowed = tolerance + 1e-9  # rounding must not decide a tie
    best = candidates.groupby(family)["fidelity"].transform("max")
    chosen = candidates[candidates["fidelity"] >= best - allowed].drop_duplicates(family)
    deterministic = candidates[candidates["rule"] != "weighted"]
    if not len(deterministic) and most_states is None:
        raise DataError("there is no deterministic automaton: list another of extraction.rules, or lower clustering.k")
    if not len(deterministic):
        raise DataError(f"no automaton has at most {most_states} states: lower clustering.k or raise most_states")
    near = deterministic[deterministic["fidelity"] >= deterministic["fidelity"].max() - allowed]
    selected = near.sort_values(["n_states", "k", *family], kind="stable").iloc[:1]
    identity = [*family, "k"]
    reported = evaluations[evaluations["test_set"] != SELECTION]
    reported = reported.sort_values([*identity, "test_set"], kind="stable", ignore_index=True)
    keys = pd.MultiIndex.from_frame(reported[identity])
    return reported.assign(
        chosen=keys.isin(pd.MultiIndex.from_frame(chosen[identity])),
        selected=keys.isin(pd.MultiIndex.from_frame(selected[identity])),
    )


def apart(evaluations: pd.DataFrame) -> pd.DataFrame:
    """The evaluations of automata that take no part in the choice, without the selection split."""
    reported = evaluations[evaluations["test_set"] != SELECTION]
    return reported.assign(chosen=False, selected=False)


def read_results(path: Path) -> pd.DataFrame:
    """The table that `write_results` wrote; k is null where there are no clusters."""
    return pd.read_parquet(path).astype({"k": "Int64"})


def write_results(table: pd.DataFrame, path: Path) -> None:
    """Write rows with these `COLUMNS`, in the order they have."""
    exact = table["exact"].astype(object).where(table["exact"].notna(), None)
    rows = pa.Table.from_pandas(table.assign(exact=exact), COLUMNS, preserve_index=False)
    pq.write_table(rows.replace_schema_metadata(COLUMNS.metadata), path)
