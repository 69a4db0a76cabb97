"""Automata with what they were read off, and the file that holds them (Hou & Zhou, 2020).

Shapes: S symbols, Q automaton states, C classes."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int, Shaped

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.automata.weighted import WeightedAutomaton
from lisor.errors import AutomatonError, SchemaError
from lisor.extraction.transitions import START, TransitionCounts
from lisor.networks.network import Predictor
from lisor.parquet_rows import numbers, read_rows, write_rows

SCHEMA = 8
"""Version of the file written by `write`."""

_FILE = "automata.parquet"

_COUNTS = ("source", "symbol", "target", "count")
"""The arrays of counted transitions that a weighted automaton has beyond a deterministic one, with
its class probabilities."""


@dataclass(frozen=True, kw_only=True)
class SearchLog:
    """How the search for an automaton went.

    `steps`: how many symbols the network read; `complete`: whether the search came to its end;
    `limited`: whether the automaton has as many states as it may, and lacks one. Where automaton
    and network are compared until they differ on no word, `tests` says on how many words they were,
    `last_difference` after how many of them the last difference was met, 0 where there was none,
    and `steps_to_last` how many symbols the network had read by the end of that round."""

    steps: int
    complete: bool
    limited: bool = False
    tests: int | None = None
    last_difference: int | None = None
    steps_to_last: int | None = None


Variant = tuple[str, str, int | None]
"""Method, rule and k."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Extraction:
    """An automaton, the rule and clustering it comes from, and which of its transitions validation
    showed.

    Those that a rule takes from the network itself count as shown. `k` is None where there are no
    clusters, `search` where there was none."""

    method: str
    rule: str
    k: int | None
    automaton: Automaton | WeightedAutomaton
    seen: Bool[np.ndarray, "Q S"]
    search: SearchLog | None = None

    @property
    def variant(self) -> Variant:
        """What identifies the automaton among those of its network."""
        return self.method, self.rule, self.k

    @property
    def deterministic(self) -> Automaton:
        """The automaton, if it is a deterministic one.

        Raises:
            AutomatonError: it is weighted."""
        if not isinstance(self.automaton, Automaton):
            raise AutomatonError(
                f"expected a deterministic automaton, got one by the rule {self.rule!r}"
            )
        return self.automaton


def make_automaton(
    model: Predictor,
    transitions: Int[np.ndarray, "Q S"],
    outputs: Int[np.ndarray, " Q"],
    start: int = START,
    probabilities: Float[np.ndarray, "Q C"] | None = None,
) -> Automaton:
    """An automaton over a network's alphabet and classes; `probabilities` are those of each class
    in a state where the network's target is a distribution."""
    return Automaton(
        alphabet=model.alphabet,
        classes=model.classes,
        transitions=transitions,
        outputs=outputs,
        start=start,
        target=model.target,
        probabilities=probabilities,
    )


def make_weighted(
    model: Predictor,
    counts: TransitionCounts,
    fallback: Int[np.ndarray, "Q S"],
    probabilities: Float[np.ndarray, "Q C"],
) -> WeightedAutomaton:
    """A weighted automaton over a network's alphabet and classes."""
    return WeightedAutomaton(
        alphabet=model.alphabet,
        classes=model.classes,
        fallback=fallback,
        class_probabilities=probabilities,
        start=START,
        target_kind=model.target,
        **{name: getattr(counts, name) for name in _COUNTS},
    )


def write(extractions: Iterable[Extraction], folder: Path) -> None:
    """Write `automata.parquet`, a row for each automaton; they share the classes and target of
    their network, and the alphabet unless they have another."""
    rows = list(extractions)
    # What identifies a row stands here too, since many row groups are slow to scan.
    about: dict[str, object] = {"schema": SCHEMA, "keys": [row.variant for row in rows]}
    about["searches"] = [None if row.search is None else asdict(row.search) for row in rows]
    if rows:
        first = rows[0].automaton
        kind = first.target if isinstance(first, Automaton) else first.target_kind
        about |= {"alphabet": first.alphabet.to_json(), "classes": first.classes, "target": kind}
    columns = {
        "method": pa.array([row.method for row in rows], pa.string()),
        "rule": pa.array([row.rule for row in rows], pa.string()),
        "k": pa.array([row.k for row in rows], pa.int32()),
        "start": pa.array([row.automaton.start for row in rows], pa.int32()),
        "outputs": _lists([_outputs(row.automaton) for row in rows], pa.int32()),
        "transitions": _lists([_table(row.automaton) for row in rows], pa.int32()),
        "seen": _lists([row.seen for row in rows], pa.bool_()),
    }
    weighted = [
        row.automaton if isinstance(row.automaton, WeightedAutomaton) else None for row in rows
    ]
    for name in _COUNTS:
        lists = [None if automaton is None else getattr(automaton, name) for automaton in weighted]
        columns[name] = _lists(lists, pa.int32())
    probabilities = [
        row.automaton.class_probabilities
        if isinstance(row.automaton, WeightedAutomaton)
        else row.automaton.probabilities
        for row in rows
    ]
    columns["answers"] = _lists(probabilities, pa.float64())
    values = [
        row.automaton.values if isinstance(row.automaton, Automaton) else None for row in rows
    ]
    columns["values"] = _lists(values, pa.float64())
    alphabets = [row.automaton.alphabet for row in rows]
    columns["alphabet"] = pa.array(
        [
            None if one.symbols == alphabets[0].symbols else json.dumps(one.to_json())
            for one in alphabets
        ],
        pa.string(),
    )
    table = pa.table(columns).replace_schema_metadata(
        {"lisor": json.dumps(about, ensure_ascii=False)}
    )
    write_rows(table, folder / _FILE)


def read_searches(folder: Path) -> dict[Variant, SearchLog]:
    """How the searches for the automata in `folder` went, of those that were searched for."""
    _, variants = _read_about(folder)
    return {variant: search for variant, search in variants if search is not None}


def _read_about(folder: Path) -> tuple[dict[str, Any], list[tuple[Variant, SearchLog | None]]]:
    """What a file says of all its automata, and of each one: variant and search."""
    about = json.loads(pq.read_schema(folder / _FILE).metadata[b"lisor"])
    if about["schema"] != SCHEMA:
        raise SchemaError(
            f"expected automata of schema {SCHEMA}, got {about['schema']}; run the step again"
        )
    searches = [None if search is None else SearchLog(**search) for search in about["searches"]]
    return about, list(zip(map(tuple, about["keys"]), searches, strict=True))


def read(folder: Path, wanted: Collection[Variant] | None = None) -> Iterator[Extraction]:
    """The automata that `write` left in `folder`, one at a time: all, or those `wanted`."""
    about, variants = _read_about(folder)
    kept = [wanted is None or variant in wanted for variant, _ in variants]
    rows = read_rows(pq.ParquetFile(folder / _FILE), kept)
    alphabet = Alphabet.from_json(about["alphabet"]) if variants else None
    for (variant, search), row in zip(compress(variants, kept), rows, strict=True):
        outputs, seen = numbers(row, "outputs"), numbers(row, "seen")
        transitions = numbers(row, "transitions").reshape(len(outputs), -1)
        written = row["alphabet"][0].as_py()
        shared: dict[str, Any] = {
            "alphabet": alphabet if written is None else Alphabet.from_json(json.loads(written)),
            "classes": tuple(about["classes"]),
            "start": row["start"][0].as_py(),
        }
        automaton: Automaton | WeightedAutomaton
        probabilities = None
        if row["answers"][0].is_valid:
            probabilities = numbers(row, "answers").reshape(len(outputs), -1)
        values = None
        if row["values"][0].is_valid:
            values = numbers(row, "values").reshape(*transitions.shape, -1)
        if probabilities is not None and row["count"][0].is_valid:
            counts: dict[str, Any] = {name: numbers(row, name) for name in _COUNTS}
            automaton = WeightedAutomaton(
                fallback=transitions,
                class_probabilities=probabilities,
                target_kind=about["target"],
                **counts,
                **shared,
            )
        else:
            automaton = Automaton(
                transitions=transitions,
                outputs=outputs,
                target=about["target"],
                probabilities=probabilities,
                values=values,
                **shared,
            )
        method, rule, k = variant
        yield Extraction(
            method=method,
            rule=rule,
            k=k,
            automaton=automaton,
            seen=seen.reshape(len(outputs), -1),
            search=search,
        )


def _outputs(automaton: Automaton | WeightedAutomaton) -> Int[np.ndarray, " Q"]:
    return (
        automaton.outputs
        if isinstance(automaton, Automaton)
        else automaton.class_probabilities.argmax(axis=1)
    )


def _table(automaton: Automaton | WeightedAutomaton) -> Int[np.ndarray, "Q S"]:
    return automaton.transitions if isinstance(automaton, Automaton) else automaton.fallback


def _lists(arrays: Sequence[Shaped[np.ndarray, "..."] | None], number: pa.DataType) -> pa.ListArray:
    """The numbers of each array as a list."""
    none = np.array([array is None for array in arrays], bool)
    sizes = [0 if array is None else array.size for array in arrays]
    offsets = np.cumsum([0, *sizes], dtype=np.int32)
    kept = [
        array.reshape(-1).astype(number.to_pandas_dtype(), copy=False)
        for array in arrays
        if array is not None
    ]
    values = pa.array(np.concatenate(kept)) if kept else pa.array([], number)
    return pa.ListArray.from_arrays(
        pa.array(offsets), values, type=pa.list_(number), mask=pa.array(none)
    )
