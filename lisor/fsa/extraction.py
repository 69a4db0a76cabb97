"""Automata read off clusters of hidden states (LISOR; Hou & Zhou, 2020, section 4).

Shapes: P points, N sequences, K clusters, S symbols, Q = K + 1 or K + 2 automaton states, E seen transitions."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Int

from lisor.errors import AutomatonError, SchemaError
from lisor.fsa.automaton import Automaton
from lisor.fsa.clustering import Clustering
from lisor.rnn.classifier import TrainedModel
from lisor.rnn.hidden_states import Points

SCHEMA = 1
"""Version of the file written by `write`."""

START = 0
"""The external start state; cluster c becomes state c + 1."""

Unseen = Literal["reject", "stay"]
"""Where a pair of state and symbol leads that validation never showed: to a rejecting sink, or nowhere."""

_FILE = "automata.parquet"


def default_unseen(*, is_text: bool) -> Unseen:
    """The usual policy: a word of a language that goes where none went is rejected, a text's word changes nothing."""
    return "stay" if is_text else "reject"


@dataclass(frozen=True, kw_only=True, eq=False)
class TransitionCounts:
    """How often each (state, symbol, next state) occurred; only the E triples that did."""

    states: int
    symbols: int
    source: Int[np.ndarray, " E"]
    symbol: Int[np.ndarray, " E"]
    target: Int[np.ndarray, " E"]
    count: Int[np.ndarray, " E"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Extraction:
    """An automaton, the rule and clustering it comes from, and which of its transitions validation showed."""

    method: str
    rule: str
    k: int
    automaton: Automaton
    seen: Bool[np.ndarray, "Q S"]


def count_transitions(points: Points, labels: Int[np.ndarray, " P"], *, k: int, symbols: int) -> TransitionCounts:
    """How often each symbol led from one cluster, or from the start, to another."""
    target = labels.astype(np.int64) + 1
    source = np.where(points.step == 1, START, np.concatenate([[START], target[:-1]]))
    codes = (source * symbols + points.symbol) * (k + 1) + target
    distinct, count = np.unique(codes, return_counts=True)
    pair, target = np.divmod(distinct, k + 1)
    source, symbol = np.divmod(pair, symbols)
    return TransitionCounts(states=k + 1, symbols=symbols, source=source, symbol=symbol, target=target, count=count)


def extract(
    model: TrainedModel, points: Points, clustering: Clustering, *, rule: str = "majority", unseen: Unseen = "reject"
) -> Extraction:
    """The automaton of one clustering.

    A state's output is the network's read-out of the cluster's center, the start's that of the initial state. The
    transitions are those of the rule, one of `RULES`.

    Raises:
        AutomatonError: there is no rule of that name."""
    if rule not in RULES:
        raise AutomatonError(f"expected one of the rules {', '.join(RULES)}, got {rule!r}")
    counts = count_transitions(points, clustering.labels, k=clustering.k, symbols=len(model.vocabulary))
    transitions, seen = RULES[rule](counts)
    initial = model.initial_state()[0][0].cpu().numpy()
    outputs = model.probabilities(np.concatenate([initial, clustering.centers])).argmax(axis=1)
    if unseen == "stay":
        transitions = np.where(seen, transitions, np.arange(len(transitions))[:, None])
    elif not seen.all():
        sink = len(transitions)
        transitions = np.vstack([np.where(seen, transitions, sink), np.full_like(transitions[:1], sink)])
        seen = np.vstack([seen, np.zeros_like(seen[:1])])
        outputs = np.append(outputs, 0)
    automaton = Automaton(
        alphabet=model.vocabulary,
        classes=model.classes,
        transitions=transitions,
        outputs=outputs,
        start=START,
        unknown=model.unknown,
        tokenizer=model.tokenizer,
    )
    return Extraction(method=clustering.method, rule=rule, k=clustering.k, automaton=automaton, seen=seen)


def majority(counts: TransitionCounts) -> tuple[Int[np.ndarray, "Q S"], Bool[np.ndarray, "Q S"]]:
    """The most frequent next state of each (state, symbol), and where there was one; a tie goes to the lower index."""
    transitions = np.zeros((counts.states, counts.symbols), np.int64)
    seen = np.zeros(transitions.shape, bool)
    order = np.lexsort((-counts.target, counts.count))  # later wins below: more frequent, then lower index
    transitions[counts.source[order], counts.symbol[order]] = counts.target[order]
    seen[counts.source, counts.symbol] = True
    return transitions, seen


RULES = {"majority": majority}
"""How transitions are read off the counts."""


def write(extractions: Iterable[Extraction], folder: Path) -> None:
    """Write `automata.parquet`, a row for each automaton; they share alphabet and classes."""
    rows = list(extractions)
    about: dict[str, object] = {"schema": SCHEMA}
    if rows:
        first = rows[0].automaton
        about |= {"alphabet": first.alphabet, "classes": first.classes}
        about |= {"unknown": first.unknown, "tokenizer": first.tokenizer, "start": first.start}
    columns = {
        "method": pa.array([row.method for row in rows], pa.string()),
        "rule": pa.array([row.rule for row in rows], pa.string()),
        "k": pa.array([row.k for row in rows], pa.int32()),
        "outputs": pa.array([row.automaton.outputs for row in rows], pa.list_(pa.int32())),
        "transitions": pa.array([row.automaton.transitions.reshape(-1) for row in rows], pa.list_(pa.int32())),
        "seen": pa.array([row.seen.reshape(-1) for row in rows], pa.list_(pa.bool_())),
    }
    table = pa.table(columns).replace_schema_metadata({"lisor": json.dumps(about, ensure_ascii=False)})
    pq.write_table(table, folder / _FILE, compression="zstd", row_group_size=1)


def read(folder: Path, wanted: Collection[tuple[str, str, int]] | None = None) -> Iterator[Extraction]:
    """The automata that `write` left in `folder`, one at a time: all, or those of the `wanted` (method, rule, k)."""
    file = pq.ParquetFile(folder / _FILE)
    about = json.loads(file.schema_arrow.metadata[b"lisor"])
    if about["schema"] != SCHEMA:
        raise SchemaError(f"expected automata of schema {SCHEMA}, got {about['schema']}; run the step again")
    keys = zip(*(file.read([name])[name].to_pylist() for name in ("method", "rule", "k")), strict=True)
    for group, key in enumerate(keys):
        if wanted is not None and key not in wanted:
            continue
        row = file.read_row_group(group)
        outputs, transitions, seen = (
            row[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
            for name in ("outputs", "transitions", "seen")
        )
        automaton = Automaton(
            alphabet=tuple(about["alphabet"]),
            classes=tuple(about["classes"]),
            transitions=transitions.reshape(len(outputs), -1),
            outputs=outputs,
            start=about["start"],
            unknown=about["unknown"],
            tokenizer=about["tokenizer"],
        )
        yield Extraction(
            method=row["method"][0].as_py(),
            rule=row["rule"][0].as_py(),
            k=row["k"][0].as_py(),
            automaton=automaton,
            seen=seen.reshape(len(outputs), -1),
        )
