"""Complete deterministic Moore machines.

Shapes: Q states, S symbols of the alphabet, N sequences, P symbols in all sequences together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from lisor.data.quantizer import Quantizer
from lisor.data.sequences import Sequences
from lisor.errors import AutomatonError, SchemaError, show

CLASSES = ("reject", "accept")
"""The classes of a regular language's words."""

SCHEMA = 1
"""Version of the JSON written by `Automaton.to_json`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Automaton:
    """A finite state automaton with a class for each state (Moore, 1956); with two classes, class 1 accepts.

    `transitions[q, a]` is the state after symbol a in state q, and every pair has one. `unknown` is the index of the
    symbol that stands for words outside the alphabet, `tokenizer` the name of the way text becomes symbols, `quantizer`
    what makes symbols of numbers.

    Raises:
        AutomatonError: a target, an output, the start or the unknown symbol does not exist."""

    alphabet: tuple[str, ...]
    classes: tuple[str, ...]
    transitions: Int[np.ndarray, "Q S"]
    outputs: Int[np.ndarray, " Q"]
    start: int = 0
    unknown: int | None = None
    tokenizer: str | None = None
    quantizer: Quantizer | None = None

    def __post_init__(self) -> None:
        transitions, outputs = np.array(self.transitions), np.array(self.outputs)
        if transitions.ndim != 2 or transitions.shape[0] == 0:
            raise AutomatonError(f"transitions must be a table of states by symbols, got shape {transitions.shape}")
        states, symbols = transitions.shape
        if symbols != len(self.alphabet) or symbols == 0 or not _are_different(self.alphabet):
            raise AutomatonError(
                f"{symbols} columns of transitions need as many different symbols, got {show(self.alphabet)}"
            )
        if not _are_different(self.classes):
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
            raise AutomatonError(f"the start must be one of the states 0 … {states - 1}, got {show(self.start)}")
        if self.unknown is not None and not 0 <= self.unknown < symbols:
            raise AutomatonError(f"the unknown symbol must be one of 0 … {symbols - 1}, got {show(self.unknown)}")
        if self.quantizer is not None and len(self.quantizer.prototypes) != symbols:
            raise AutomatonError(f"{symbols} symbols need a quantizer of as many, got {len(self.quantizer.prototypes)}")
        for name, array in (("transitions", transitions.astype(np.int32)), ("outputs", outputs.astype(np.int32))):
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "start", int(self.start))

    @property
    def n_states(self) -> int:
        """The number of states, the start and a sink included."""
        return len(self.outputs)

    def __eq__(self, other: object) -> bool:
        """Whether both are the same table; for the same language see `distinguishing_word`."""
        return isinstance(other, Automaton) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())

    def trace(self, sequences: Sequences) -> Int[np.ndarray, " P"]:
        """The state after each symbol of each sequence, laid out as the symbols are."""
        from lisor.fsa import kernels  # loads numba, which a run from the cache does without

        self._check_symbols(sequences)
        trace = np.empty(len(sequences.symbols), np.int32)
        kernels.all_states(self.transitions, self.start, sequences.symbols, sequences.offsets, trace)
        return trace

    def run(self, sequences: Sequences, *, threads: int = 1) -> Int[np.ndarray, " N"]:
        """The state in which each sequence ends."""
        from lisor.fsa import kernels

        self._check_symbols(sequences)
        width = len(self.alphabet)
        table = self.transitions.reshape(-1).astype(np.int64) * width  # a step is one addition and one look-up
        last = np.empty(len(sequences), np.int64)

        def run_some(rows: slice) -> None:
            offsets = sequences.offsets[rows.start : rows.stop + 1]
            kernels.last_states(table, self.start * width, sequences.symbols, offsets, last[rows])

        if threads == 1:
            run_some(slice(0, len(sequences)))
        else:
            even = np.linspace(0, len(sequences.symbols), threads + 1)[1:-1]
            edges = [0, *np.searchsorted(sequences.offsets, even).tolist(), len(sequences)]
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(run_some, map(slice, edges[:-1], edges[1:])))
        return (last // width).astype(np.int32)

    def final_states(self, sequences: Sequences, trace: Int[np.ndarray, " P"]) -> Int[np.ndarray, " N"]:
        """The last state of each sequence in a `trace`; the start for an empty one."""
        ends = np.full(len(sequences), self.start, np.int32)
        some = sequences.lengths > 0
        ends[some] = trace[sequences.offsets[1:][some] - 1]
        return ends

    def states_before(self, sequences: Sequences, trace: Int[np.ndarray, " P"]) -> Int[np.ndarray, " P"]:
        """The state before each symbol, from the `trace` of those after."""
        before: Int[np.ndarray, " P"] = np.concatenate([[self.start], trace])[:-1]
        before[sequences.offsets[:-1][sequences.lengths > 0]] = self.start
        return before

    def classify(self, sequences: Sequences, *, threads: int = 1) -> Int[np.ndarray, " N"]:
        """The class of each sequence: the output of the state in which it ends."""
        classes: Int[np.ndarray, " N"] = self.outputs[self.run(sequences, threads=threads)]
        return classes

    def encode(self, word: Sequence[str]) -> list[int]:
        """The symbols of a word as indices: `encode("0110")`, `encode(["not", "bad"])`.

        Raises:
            AutomatonError: a symbol is not in the alphabet and no symbol stands for unknown ones."""
        index = {symbol: i for i, symbol in enumerate(self.alphabet)}
        codes = [index.get(symbol, self.unknown) for symbol in word]
        for symbol, code in zip(word, codes, strict=True):
            if code is None:
                raise AutomatonError(f"expected symbols of the alphabet {show(self.alphabet)}, got {show(symbol)}")
        return [code for code in codes if code is not None]

    def accepts(self, word: Sequence[str]) -> bool:
        """Whether a word ends in a state of class 1."""
        return bool(self.classify(Sequences.from_lists([self.encode(word)]))[0] == 1)

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

    def minimized(self) -> Automaton:
        """The smallest automaton that answers every word alike; its states are numbered in breadth-first order.

        Refines the partition by output until symbols no longer split it (Moore, 1956)."""
        reachable = self.reachable()
        small = np.min_scalar_type(self.n_states)  # the signatures below are long where there are many symbols
        renumber = (np.cumsum(reachable) - 1).astype(small)
        table = renumber[self.transitions[reachable]]
        block = np.unique(self.outputs[reachable], return_inverse=True)[1].astype(small)
        count = 0
        while count != (count := int(block.max()) + 1):
            numbers: dict[bytes, int] = {}  # of each signature: the blocks of a state and of its successors
            signatures = (row.tobytes() for row in np.column_stack([block, block[table]]))
            block = np.array([numbers.setdefault(signature, len(numbers)) for signature in signatures], small)
        representative = np.unique(block, return_index=True)[1]
        quotient = block[table[representative]]
        outputs = self.outputs[reachable][representative]
        order = _breadth_first(quotient, int(block[renumber[self.start]]))
        place = np.argsort(order)
        return replace(self, transitions=place[quotient[order]], outputs=outputs[order], start=0)

    def distinguishing_word(self, other: Automaton) -> tuple[str, ...] | None:
        """A shortest word that the two answer differently; None where they are equal on every word.

        Breadth-first search of the product automaton, one level at a time.

        Raises:
            AutomatonError: the alphabets differ."""
        if self.alphabet != other.alphabet:
            raise AutomatonError("only automata over the same alphabet can be compared")
        symbols, width = len(self.alphabet), other.n_states
        differ = self.outputs[:, None] != other.outputs[None, :]
        parent = np.full(self.n_states * width, -1, np.int64)  # of each pair: the pair before * symbols + the symbol
        frontier = np.array([self.start * width + other.start])
        root = int(frontier[0])
        seen = np.zeros(self.n_states * width, bool)
        seen[root] = True
        while len(frontier):
            hit = frontier[differ.reshape(-1)[frontier]]
            if len(hit):
                word, pair = [], int(hit[0])
                while pair != root:
                    pair, symbol = divmod(int(parent[pair]), symbols)
                    word.append(self.alphabet[symbol])
                return tuple(reversed(word))
            left, right = np.divmod(frontier, width)
            targets = (self.transitions[left].astype(np.int64) * width + other.transitions[right]).reshape(-1)
            new, first = np.unique(targets, return_index=True)
            fresh = ~seen[new]
            frontier, first = new[fresh], first[fresh]
            seen[frontier] = True
            source = left * width + right
            parent[frontier] = source[first // symbols] * symbols + first % symbols
        return None

    def to_json(self) -> str:
        """The automaton as JSON text of schema 1; the field `quantizer` is there where it reads numbers."""
        fields = {
            "schema": SCHEMA,
            "alphabet": self.alphabet,
            "classes": self.classes,
            "start": self.start,
            "transitions": self.transitions.tolist(),
            "outputs": self.outputs.tolist(),
            "unknown": self.unknown,
            "tokenizer": self.tokenizer,
        }
        if self.quantizer is not None:
            fields["quantizer"] = self.quantizer.to_json()
        return json.dumps(fields, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Automaton:
        """The automaton that `to_json` wrote.

        Raises:
            AutomatonError: the text is not JSON, lacks a field, or has one of the wrong type.
            DataError: its quantizer is none.
            SchemaError: it was written by another version."""
        try:
            fields = json.loads(text, object_pairs_hook=unique_fields)
        except (ValueError, RecursionError) as error:
            raise AutomatonError(f"expected an automaton as JSON: {error}") from None
        if not isinstance(fields, dict) or "schema" not in fields:
            raise AutomatonError("expected an automaton as a JSON object with the field 'schema'")
        if fields["schema"] != SCHEMA:
            raise SchemaError(f"expected an automaton of schema {SCHEMA}, got {show(fields['schema'])}")
        transitions = _integers(fields, "transitions", 2)
        outputs = _integers(fields, "outputs", 1)
        start, unknown, tokenizer = fields.get("start"), fields.get("unknown"), fields.get("tokenizer")
        if type(start) is not int or type(unknown) not in (int, type(None)):
            found = f"{show(start)}, {show(unknown)}"
            raise AutomatonError(f"'start' and 'unknown' must be state and symbol numbers, got {found}")
        if not isinstance(tokenizer, str | None):
            raise AutomatonError(f"'tokenizer' must be a name or null, got {show(tokenizer)}")
        return cls(
            alphabet=_names(fields, "alphabet"),
            classes=_names(fields, "classes"),
            transitions=transitions,
            outputs=outputs,
            start=start,
            unknown=unknown,
            tokenizer=tokenizer,
            quantizer=None if fields.get("quantizer") is None else Quantizer.from_json(fields["quantizer"]),
        )

    def _check_symbols(self, sequences: Sequences) -> None:
        largest = int(sequences.symbols.max(initial=-1))
        if largest >= len(self.alphabet):
            raise AutomatonError(f"expected symbols below {len(self.alphabet)}, got {largest}")


@lru_cache(maxsize=16)  # a search makes many automata over the same thousands of words
def _are_different(names: tuple[str, ...]) -> bool:
    return len(set(names)) == len(names)


def _breadth_first(table: Int[np.ndarray, "Q S"], start: int) -> Int[np.ndarray, " Q"]:
    """The states in the order in which a breadth-first walk meets them; every state is reachable."""
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
        raise AutomatonError(f"expected '{name}' to hold whole numbers in {dimensions} dimension(s)")
    return array


def _names(fields: dict[str, Any], name: str) -> tuple[str, ...]:
    names = fields.get(name)
    if not isinstance(names, list) or not all(isinstance(item, str) and _is_unicode(item) for item in names):
        raise AutomatonError(f"expected '{name}' to be a list of texts")
    return tuple(names)


def _is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8, which half of a surrogate pair cannot."""
    return not any("\ud800" <= sign <= "\udfff" for sign in text)
