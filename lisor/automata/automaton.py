"""Complete deterministic Moore machines.

Shapes: Q states, S symbols of the alphabet, N sequences, P symbols in all sequences together."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from lisor.alphabet import Alphabet
from lisor.errors import AutomatonError, SchemaError, show
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from lisor.targets.positions import Positions

CLASSES = ("reject", "accept")
"""The classes of a regular language's words."""

SCHEMA = 2
"""Version of the JSON written by `Automaton.to_json`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Automaton:
    """A finite state automaton with a class for each state (Moore, 1956); with two classes, class 1
    accepts.

    `transitions[q, a]` is the state after symbol a in state q, and every pair has one. An
    `alphabet` that is given as a sequence of symbols is read without a tokenizer. The kind of
    `target` says whether a sequence has one output or one after each symbol.

    Raises:
        AutomatonError: a target, an output or the start does not exist.
        DataError: the symbols are no alphabet."""

    alphabet: Alphabet
    classes: tuple[str, ...]
    transitions: Int[np.ndarray, "Q S"]
    outputs: Int[np.ndarray, " Q"]
    start: int = 0
    target: str = "class"

    def __post_init__(self) -> None:
        object.__setattr__(self, "alphabet", Alphabet.of(self.alphabet))
        transitions, outputs = np.array(self.transitions), np.array(self.outputs)
        if transitions.ndim != 2 or transitions.shape[0] == 0:
            raise AutomatonError(
                f"transitions must be a table of states by symbols, got shape {transitions.shape}"
            )
        states, symbols = transitions.shape
        if symbols != len(self.alphabet):
            raise AutomatonError(
                f"{symbols} columns of transitions need as many symbols, got "
                f"{show(self.alphabet.symbols)}"
            )
        if len(set(self.classes)) < len(self.classes):
            raise AutomatonError(f"expected classes of different names, got {show(self.classes)}")
        if transitions.dtype.kind not in "iub" or outputs.dtype.kind not in "iub":
            raise AutomatonError("transitions and outputs must be whole numbers")
        if transitions.min() < 0 or transitions.max() >= states:
            raise AutomatonError(f"transitions must lead to one of the states 0 … {states - 1}")
        if outputs.shape != (states,):
            raise AutomatonError(f"{states} states need one output each, got {outputs.shape}")
        if outputs.min() < 0 or outputs.max() >= len(self.classes):
            raise AutomatonError(f"outputs must be indices of the {len(self.classes)} classes")
        if not 0 <= self.start < states:
            raise AutomatonError(
                f"the start must be one of the states 0 … {states - 1}, got {show(self.start)}"
            )
        if self.target not in TARGETS:
            raise AutomatonError(
                f"expected one of the targets {', '.join(TARGETS)}, got {show(self.target)}"
            )
        for name, given in (("transitions", transitions), ("outputs", outputs)):
            array = given.astype(np.int32)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "start", int(self.start))

    @property
    def n_states(self) -> int:
        """The number of states, the start and a sink included."""
        return len(self.outputs)

    def __eq__(self, other: object) -> bool:
        """Whether both have the same states and transitions; for the same language see
        `distinguishing_word`."""
        return isinstance(other, Automaton) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())

    def trace(self, sequences: Sequences) -> Int[np.ndarray, " P"]:
        """The state after each symbol of each sequence, laid out as the symbols are."""
        from lisor.automata import kernels  # loads numba, which a run from the cache does without

        check_symbols(sequences, self.alphabet)
        trace = np.empty(len(sequences.symbols), np.int32)
        kernels.all_states(
            self.transitions, self.start, sequences.symbols, sequences.offsets, trace
        )
        return trace

    def run(self, sequences: Sequences, *, threads: int = 1) -> Int[np.ndarray, " N"]:
        """The state in which each sequence ends."""
        from lisor.automata import kernels

        check_symbols(sequences, self.alphabet)
        width = len(self.alphabet)
        # multiplied, so that a step is one addition and one look-up
        table = self.transitions.reshape(-1).astype(np.int64) * width
        last = np.empty(len(sequences), np.int64)

        def run_rows(rows: slice) -> None:
            offsets = sequences.offsets[rows.start : rows.stop + 1]
            kernels.last_states(table, self.start * width, sequences.symbols, offsets, last[rows])

        if threads == 1:
            run_rows(slice(0, len(sequences)))
        else:
            even = np.linspace(0, len(sequences.symbols), threads + 1)[1:-1]
            edges = [0, *np.searchsorted(sequences.offsets, even).tolist(), len(sequences)]
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(run_rows, map(slice, edges[:-1], edges[1:])))
        return np.asarray(last // width, np.int32)

    def final_states(
        self, sequences: Sequences, trace: Int[np.ndarray, " P"]
    ) -> Int[np.ndarray, " N"]:
        """The last state of each sequence in a `trace`; the start for an empty one."""
        ends = np.full(len(sequences), self.start, np.int32)
        read = sequences.lengths > 0
        ends[read] = trace[sequences.offsets[1:][read] - 1]
        return ends

    def states_before(
        self, sequences: Sequences, trace: Int[np.ndarray, " P"]
    ) -> Int[np.ndarray, " P"]:
        """The state before each symbol, from the `trace` of those after."""
        before = np.concatenate([[self.start], trace])[:-1]
        before[sequences.offsets[:-1][sequences.lengths > 0]] = self.start
        return before

    def prefix_states(
        self, sequences: Sequences, trace: Int[np.ndarray, " P"]
    ) -> Int[np.ndarray, " P+N"]:
        """The state after each prefix, the empty one of each sequence first, from the `trace`."""
        return np.insert(trace, sequences.offsets[:-1], self.start)

    def classify(self, sequences: Sequences, *, threads: int = 1) -> Int[np.ndarray, " M"]:
        """The class at each position: the output of the state that its prefix leads to."""
        if TARGETS[self.target].predicts_once:
            return np.take(self.outputs, self.run(sequences, threads=threads))
        return np.take(self.outputs, self.states_at(sequences, self.trace(sequences)))

    def states_at(
        self, sequences: Sequences, trace: Int[np.ndarray, " P"]
    ) -> Int[np.ndarray, " M"]:
        """The state at each position, from the `trace` of the sequences."""
        positions = Positions.of(sequences, self.target)
        return np.take(self.prefix_states(sequences, trace), positions.at)

    def encode(self, word: Sequence[str]) -> list[int]:
        """The symbols of a word as numbers: `encode("0110")`, `encode(["not", "bad"])`.

        Raises:
            DataError: a symbol is not in the alphabet and no symbol stands for unknown ones."""
        return list(map(int, self.alphabet.encode([word]).symbols))

    def accepts(self, word: Sequence[str]) -> bool:
        """Whether a word ends in a state of class 1."""
        return bool(self.outputs[self.run(self.alphabet.encode([word]))][0] == 1)

    def reachable(self) -> Bool[np.ndarray, " Q"]:
        """Whether some word leads to each state."""
        seen = np.zeros(self.n_states, bool)
        frontier = np.array([self.start])
        while len(frontier):
            seen[frontier] = True
            reached = np.zeros_like(seen)
            reached[self.transitions[frontier]] = True
            frontier = np.flatnonzero(reached & ~seen)
        return seen

    def minimized(self, *, empty: bool | None = None) -> Automaton:
        """The smallest automaton of the same outputs on every word; its states are numbered in
        breadth-first order.

        `empty` says whether the output on the empty word counts; unless given, it does where a
        sequence has one output. Where it does not, the start gets the output that makes the
        automaton smallest; of a tie it keeps its own."""
        counts = TARGETS[self.target].predicts_once if empty is None else empty
        candidates = [self]
        if not counts and not (self.transitions[self.reachable()] == self.start).any():
            is_start = np.arange(self.n_states) == self.start
            candidates += [
                replace(self, outputs=np.where(is_start, output, self.outputs))
                for output in range(len(self.classes))
            ]
        quotients = (automaton._quotient() for automaton in candidates)
        return min(quotients, key=lambda automaton: automaton.n_states)

    def _quotient(self) -> Automaton:
        """The smallest automaton of the same outputs on every word, the empty one too.

        Refines the partition by output until symbols no longer split it (Moore, 1956)."""
        reachable = self.reachable()
        # a small type, since the signatures below are long where there are many symbols
        small = np.min_scalar_type(self.n_states)
        renumber = (np.cumsum(reachable) - 1).astype(small)
        table = renumber[self.transitions[reachable]]
        block = np.unique(self.outputs[reachable], return_inverse=True)[1].astype(small)
        count = 0
        while count != (count := int(block.max()) + 1):
            # the signature of a state: its block and those of its successors
            numbers: dict[bytes, int] = {}
            signatures = (row.tobytes() for row in np.column_stack([block, block[table]]))
            block = np.array(
                [numbers.setdefault(signature, len(numbers)) for signature in signatures], small
            )
        representative = np.unique(block, return_index=True)[1]
        quotient = block[table[representative]]
        outputs = self.outputs[reachable][representative]
        order = _breadth_first(quotient, int(block[renumber[self.start]]))
        number = np.argsort(order)
        return replace(self, transitions=number[quotient[order]], outputs=outputs[order], start=0)

    def distinguishing_word(self, other: Automaton) -> tuple[str, ...] | None:
        """A shortest word on which the outputs of the two differ; None where there is none.

        The empty word counts where a sequence has one output in both. Breadth-first search of the
        product automaton, one level at a time.

        Raises:
            AutomatonError: the alphabets differ."""
        if self.alphabet.symbols != other.alphabet.symbols:
            raise AutomatonError("only automata over the same alphabet can be compared")
        symbols, width = len(self.alphabet), other.n_states
        differ = self.outputs[:, None] != other.outputs[None, :]
        # of each pair of states: the pair before it * symbols + the symbol between them
        parent = np.full(self.n_states * width, -1, np.int64)
        frontier = np.array([self.start * width + other.start])
        seen = np.zeros(self.n_states * width, bool)
        length = 0
        counts = TARGETS[self.target].predicts_once and TARGETS[other.target].predicts_once
        while len(frontier):
            hit = frontier[differ.reshape(-1)[frontier]] if length or counts else []
            if len(hit):
                word, pair = [], int(hit[0])
                for _ in range(length):
                    pair, symbol = divmod(int(parent[pair]), symbols)
                    word.append(self.alphabet[symbol])
                return tuple(reversed(word))
            length += 1
            left, right = np.divmod(frontier, width)
            targets = (
                self.transitions[left].astype(np.int64) * width + other.transitions[right]
            ).reshape(-1)
            new, first = np.unique(targets, return_index=True)
            fresh = ~seen[new]
            frontier, first = new[fresh], first[fresh]
            seen[frontier] = True
            source = left * width + right
            parent[frontier] = source[first // symbols] * symbols + first % symbols
        return None

    def to_json(self) -> str:
        """The automaton as JSON text of schema 2."""
        fields = {
            "schema": SCHEMA,
            "alphabet": self.alphabet.to_json(),
            "classes": self.classes,
            "target": self.target,
            "start": self.start,
            "transitions": self.transitions.tolist(),
            "outputs": self.outputs.tolist(),
        }
        return json.dumps(fields, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Automaton:
        """The automaton that `to_json` wrote, in this version or in the first.

        Raises:
            AutomatonError: the text is not JSON, lacks a field, or has one of the wrong type.
            DataError: its alphabet is none.
            SchemaError: it was written by another version."""
        try:
            fields = json.loads(text, object_pairs_hook=unique_fields)
        except (ValueError, RecursionError) as error:
            raise AutomatonError(f"expected an automaton as JSON: {error}") from None
        if not isinstance(fields, dict) or "schema" not in fields:
            raise AutomatonError("expected an automaton as a JSON object with the field 'schema'")
        if fields["schema"] not in (1, SCHEMA):
            raise SchemaError(
                f"expected an automaton of schema {SCHEMA}, got {show(fields['schema'])}"
            )
        transitions = _integers(fields, "transitions", 2)
        outputs = _integers(fields, "outputs", 1)
        alphabet = fields.get("alphabet")
        if fields["schema"] == 1:  # in which the parts of an alphabet stand side by side
            parts = {name: fields.get(name) for name in ("unknown", "tokenizer", "quantizer")}
            alphabet = {"symbols": alphabet, **parts}
        if type(fields.get("start")) is not int:
            raise AutomatonError(
                f"'start' must be a state's number, got {show(fields.get('start'))}"
            )
        return cls(
            alphabet=Alphabet.from_json(alphabet),
            classes=_names(fields, "classes"),
            transitions=transitions,
            outputs=outputs,
            start=fields["start"],
            target=str(fields.get("target", "class")),
        )


def check_symbols(sequences: Sequences, alphabet: Alphabet) -> None:
    """Raises AutomatonError where a symbol is not in the alphabet."""
    largest = int(sequences.symbols.max(initial=-1))
    if largest >= len(alphabet):
        raise AutomatonError(f"expected symbols below {len(alphabet)}, got {largest}")


def _breadth_first(table: Int[np.ndarray, "Q S"], start: int) -> Int[np.ndarray, " Q"]:
    """The states in the order in which a breadth-first search reaches them, all of them."""
    order, seen = [start], {start}
    for state in order:
        targets, first = np.unique(table[state], return_index=True)
        for target in targets[np.argsort(first)].tolist():
            if target not in seen:
                seen.add(target)
                order.append(target)
    return np.array(order)


def unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The fields of a JSON object: of two of one name Python would drop the first without a word.

    Raises:
        ValueError: a field is there twice."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise ValueError(f"the field {show(name)} is there twice")
        fields[name] = value
    return fields


def _integers(fields: dict[str, Any], name: str, dimensions: int) -> Int[np.ndarray, "..."]:
    try:
        array = np.array(fields[name])
    except (KeyError, ValueError):
        raise AutomatonError(f"expected the field '{name}' with rows of equal length") from None
    if array.ndim != dimensions or array.dtype.kind != "i" or array.size == 0:
        raise AutomatonError(
            f"expected '{name}' to hold whole numbers in {dimensions} dimension(s)"
        )
    return array


def _names(fields: dict[str, Any], name: str) -> tuple[str, ...]:
    names = fields.get(name)
    if not isinstance(names, list) or not all(
        # half of a surrogate pair cannot be written as UTF-8
        isinstance(item, str) and not re.search("[\ud800-\udfff]", item)
        for item in names
    ):
        raise AutomatonError(f"expected '{name}' to be a list of texts")
    return tuple(names)
