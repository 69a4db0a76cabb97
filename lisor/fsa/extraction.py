"""Automata read off clusters of hidden states (LISOR; Hou & Zhou, 2020, section 4).

Shapes: P points, N sequences, K clusters, S symbols, Q = K + 1 or K + 2 automaton states, E seen transitions."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import compress
from pathlib import Path
from typing import Literal, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Int, Shaped

from lisor.data.sequences import Sequences
from lisor.errors import AutomatonError, SchemaError
from lisor.fsa.automaton import CLASSES, Automaton
from lisor.fsa.clustering import Clustering
from lisor.fsa.dynamics import center_states, follow, follow_members
from lisor.fsa.rows import read_rows, write_rows
from lisor.fsa.weighted import WeightedAutomaton
from lisor.rnn.hidden_states import Points
from lisor.rnn.network import Network

SCHEMA = 3
"""Version of the file written by `write`."""

START = 0
"""The external start state; cluster c becomes state c + 1."""

Unseen = Literal["reject", "stay"]
"""Where a pair of state and symbol leads that validation never showed: to a rejecting sink, or nowhere."""

RULES = ("majority", "dynamics", "dithered", "weighted")
"""How transitions are read off clusters."""

_FILE = "automata.parquet"

_COUNTS = ("source", "symbol", "target", "count")
"""The arrays of counted transitions that a weighted automaton has beyond a deterministic one, with its answers."""


def default_unseen(classes: Sequence[str]) -> Unseen:
    """The usual policy: a word of a language that goes where none went is rejected; elsewhere it changes nothing."""
    return "reject" if tuple(classes) == CLASSES else "stay"


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
    """An automaton, the rule and clustering it comes from, and which of its transitions validation showed.

    Those that a rule takes from the network itself count as shown. `k` is None where there are no clusters."""

    method: str
    rule: str
    k: int | None
    machine: Automaton | WeightedAutomaton
    seen: Bool[np.ndarray, "Q S"]

    @property
    def automaton(self) -> Automaton:
        """The automaton, if it is a deterministic one.

        Raises:
            AutomatonError: it is weighted."""
        if not isinstance(self.machine, Automaton):
            raise AutomatonError(f"expected a deterministic automaton, got one by the rule {self.rule!r}")
        return self.machine


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
    model: Network, points: Points, clustering: Clustering, *, rule: str = "majority", unseen: Unseen = "reject"
) -> Extraction:
    """The automaton of one clustering by one of the `RULES`; see `extract_each`."""
    return extract_each(model, points, clustering, [rule], unseen=unseen)[0]


def extract_each(
    model: Network, points: Points, clustering: Clustering, rules: Sequence[str], *, unseen: Unseen = "reject"
) -> list[Extraction]:
    """The automaton of one clustering by each of some rules.

    "majority" keeps the most frequent next state of each (state, symbol) and sends what was never seen where `unseen`
    says. "dynamics" follows the network's own step from the center of a state to the nearest center, so that nothing is
    unseen. "dithered" does so from a random member of the cluster, another for each symbol, so that short steps are not
    all lost. "weighted" keeps the distribution over next states, with dynamics where nothing was seen.

    A state's output is the network's read-out of the cluster's center, the start's that of the initial state. What a
    network with attention answers does not follow from a hidden state: there a state's output is what the network
    answers most often where prefixes of sequences end in it.

    Raises:
        AutomatonError: there is no rule of that name, or it needs steps from a hidden state alone and the network looks
            at more."""
    attends = model.attends
    for rule in rules:
        if rule not in RULES:
            raise AutomatonError(f"expected one of the rules {', '.join(RULES)}, got {rule!r}")
        if attends and rule != "majority":
            raise AutomatonError(
                f"the rule {rule!r} follows a network from a hidden state alone, and {model.name} looks "
                "at earlier ones too; use majority"
            )
    counts = count_transitions(points, clustering.labels, k=clustering.k, symbols=len(model.vocabulary))
    machine: Automaton | WeightedAutomaton
    if attends:
        outputs = _answers_of_members(model, points, clustering)
        transitions, outputs, seen = settle(*majority(counts), outputs, unseen)
        machine = make_automaton(model, transitions, outputs)
        return [
            Extraction(method=clustering.method, rule=rule, k=clustering.k, machine=machine, seen=seen)
            for rule in rules
        ]
    states = center_states(model, points, clustering)
    answers = model.probabilities(states[0])
    followed = cache(lambda: follow(model, states, clustering.metric))
    knows: _Knows = {
        "alphabet": model.vocabulary,
        "classes": model.classes,
        "start": START,
        "unknown": model.unknown,
        "tokenizer": model.tokenizer,
    }
    found = []
    for rule in rules:
        outputs, seen = answers.argmax(axis=1), np.ones((clustering.k + 1, len(model.vocabulary)), bool)
        if rule == "majority":
            transitions, outputs, seen = settle(*majority(counts), outputs, unseen)
            machine = make_automaton(model, transitions, outputs)
        elif rule == "dithered":
            transitions = follow_members(model, points, clustering)
            machine = make_automaton(model, transitions, outputs)
        elif rule == "dynamics":
            machine = make_automaton(model, followed(), outputs)
        else:
            every = {name: getattr(counts, name) for name in _COUNTS}
            machine = WeightedAutomaton(fallback=followed(), answers=answers, **every, **knows)
        found.append(Extraction(method=clustering.method, rule=rule, k=clustering.k, machine=machine, seen=seen))
    return found


def _answers_of_members(model: Network, points: Points, clustering: Clustering) -> Int[np.ndarray, " K+1"]:
    """What a network answers to the empty sequence, then most often in each cluster; a tie goes to the lower class."""
    empty = Sequences(symbols=np.empty(0, np.int32), offsets=np.zeros(2, np.int64))
    votes = np.zeros((clustering.k, len(model.classes)), np.int64)
    if points.answer is not None:
        np.add.at(votes, (clustering.labels, points.answer), 1)
    return np.concatenate([model.predict(empty).argmax(axis=1), votes.argmax(axis=1)])


def make_automaton(
    model: Network, transitions: Int[np.ndarray, "Q S"], outputs: Int[np.ndarray, " Q"], start: int = START
) -> Automaton:
    """An automaton that reads what a network reads and answers in its classes."""
    return Automaton(
        alphabet=model.vocabulary,
        classes=model.classes,
        transitions=transitions,
        outputs=outputs,
        start=start,
        unknown=model.unknown,
        tokenizer=model.tokenizer,
        quantizer=model.quantizer,
    )


class _Knows(TypedDict):
    """What every automaton takes over from its network."""

    alphabet: tuple[str, ...]
    classes: tuple[str, ...]
    start: int
    unknown: int | None
    tokenizer: str | None


def settle(
    transitions: Int[np.ndarray, "Q S"], seen: Bool[np.ndarray, "Q S"], outputs: Int[np.ndarray, " Q"], unseen: Unseen
) -> tuple[Int[np.ndarray, "Q S"], Int[np.ndarray, " Q"], Bool[np.ndarray, "Q S"]]:
    """The transitions with a target for those that were never seen, and with a sink where one is needed."""
    if unseen == "stay":
        return np.where(seen, transitions, np.arange(len(transitions))[:, None]), outputs, seen
    if seen.all():
        return transitions, outputs, seen
    sink = len(transitions)
    transitions = np.vstack([np.where(seen, transitions, sink), np.full_like(transitions[:1], sink)])
    return transitions, np.append(outputs, 0), np.vstack([seen, np.zeros_like(seen[:1])])


def majority(counts: TransitionCounts) -> tuple[Int[np.ndarray, "Q S"], Bool[np.ndarray, "Q S"]]:
    """The most frequent next state of each (state, symbol), and where there was one; a tie goes to the lower index."""
    transitions = np.zeros((counts.states, counts.symbols), np.int64)
    seen = np.zeros(transitions.shape, bool)
    order = np.lexsort((-counts.target, counts.count))  # later wins below: more frequent, then lower index
    transitions[counts.source[order], counts.symbol[order]] = counts.target[order]
    seen[counts.source, counts.symbol] = True
    return transitions, seen


def write(extractions: Iterable[Extraction], folder: Path) -> None:
    """Write `automata.parquet`, a row for each automaton; they share the words and classes of their network."""
    rows = list(extractions)
    keys = [(row.method, row.rule, row.k) for row in rows]  # also here, since many row groups are slow to scan
    about: dict[str, object] = {"schema": SCHEMA, "keys": keys}
    if rows:
        first = rows[0].machine
        about |= {"alphabet": first.alphabet, "classes": first.classes}
        about |= {"unknown": first.unknown, "tokenizer": first.tokenizer}
    columns = {
        "method": pa.array([row.method for row in rows], pa.string()),
        "rule": pa.array([row.rule for row in rows], pa.string()),
        "k": pa.array([row.k for row in rows], pa.int32()),
        "start": pa.array([row.machine.start for row in rows], pa.int32()),
        "outputs": _lists([_outputs(row.machine) for row in rows], pa.int32()),
        "transitions": _lists([_table(row.machine) for row in rows], pa.int32()),
        "seen": _lists([row.seen for row in rows], pa.bool_()),
    }
    weighted = [row.machine if isinstance(row.machine, WeightedAutomaton) else None for row in rows]
    for name in _COUNTS:
        lists = [None if machine is None else getattr(machine, name) for machine in weighted]
        columns[name] = _lists(lists, pa.int32())
    answers = [None if machine is None else machine.answers for machine in weighted]
    columns["answers"] = _lists(answers, pa.float32())
    table = pa.table(columns).replace_schema_metadata({"lisor": json.dumps(about, ensure_ascii=False)})
    write_rows(table, folder / _FILE)


def read(folder: Path, wanted: Collection[tuple[str, str, int | None]] | None = None) -> Iterator[Extraction]:
    """The automata that `write` left in `folder`, one at a time: all, or those of the `wanted` (method, rule, k)."""
    file = pq.ParquetFile(folder / _FILE)
    about = json.loads(file.schema_arrow.metadata[b"lisor"])
    if about["schema"] != SCHEMA:
        raise SchemaError(f"expected automata of schema {SCHEMA}, got {about['schema']}; run the step again")
    keys = [(method, rule, k) for method, rule, k in about["keys"]]
    asked = [wanted is None or key in wanted for key in keys]
    for (method, rule, k), row in zip(compress(keys, asked), read_rows(file, asked), strict=True):
        outputs, seen = _numbers(row, "outputs"), _numbers(row, "seen")
        transitions = _numbers(row, "transitions").reshape(len(outputs), -1)
        knows: _Knows = {
            "alphabet": tuple(about["alphabet"]),
            "classes": tuple(about["classes"]),
            "start": row["start"][0].as_py(),
            "unknown": about["unknown"],
            "tokenizer": about["tokenizer"],
        }
        machine: Automaton | WeightedAutomaton
        if row["answers"][0].is_valid:
            answers = _numbers(row, "answers").reshape(len(outputs), -1)
            counts = {name: _numbers(row, name) for name in _COUNTS}
            machine = WeightedAutomaton(fallback=transitions, answers=answers, **counts, **knows)
        else:
            machine = Automaton(transitions=transitions, outputs=outputs, **knows)
        yield Extraction(method=method, rule=rule, k=k, machine=machine, seen=seen.reshape(len(outputs), -1))


def _outputs(machine: Automaton | WeightedAutomaton) -> Int[np.ndarray, " Q"]:
    return machine.outputs if isinstance(machine, Automaton) else machine.answers.argmax(axis=1)


def _table(machine: Automaton | WeightedAutomaton) -> Int[np.ndarray, "Q S"]:
    return machine.transitions if isinstance(machine, Automaton) else machine.fallback


def _lists(arrays: Sequence[Shaped[np.ndarray, "..."] | None], number: pa.DataType) -> pa.ListArray:
    """The numbers of each array as a list."""
    none = np.array([array is None for array in arrays], bool)
    sizes = [0 if array is None else array.size for array in arrays]
    offsets = np.cumsum([0, *sizes], dtype=np.int32)
    kept = [array.reshape(-1).astype(number.to_pandas_dtype(), copy=False) for array in arrays if array is not None]
    values = pa.array(np.concatenate(kept)) if kept else pa.array([], number)
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=pa.list_(number), mask=pa.array(none))


def _numbers(row: pa.Table, name: str) -> Shaped[np.ndarray, "..."]:
    numbers: Shaped[np.ndarray, "..."] = row[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return numbers
