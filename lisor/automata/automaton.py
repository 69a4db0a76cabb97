"""Complete deterministic Moore machines, and Mealy machines of numbers.

Shapes: Q states, S symbols of the alphabet, C classes or numbers, N sequences, P symbols in all
sequences together, M positions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from lisor.alphabet import Alphabet
from lisor.automata.json_fields import floats, integers, texts, unique_fields
from lisor.errors import AutomatonError, SchemaError, show
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from lisor.targets.positions import Positions

CLASSES = ("reject", "accept")
"""The classes of a regular language's words."""

SCHEMA = 2
"""Version of the JSON written by `Automaton.to_json`."""

ROUNDING = 1e-6
"""By how much the sum of probabilities may differ from 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Automaton:
    """A finite state automaton with a class for each state (Moore, 1956); with two classes, class 1
    accepts.

    `transitions[q, a]` is the state after symbol a in state q, and every pair has one. An
    `alphabet` that is given as a sequence of symbols is read without a tokenizer. The kind of
    `target` says whether a sequence has one output or one after each symbol.

    With the target "next" it is a probabilistic automaton (PDFA): the classes are the symbols and
    the end, `probabilities[q, c]` is that of each in state q, and the output is the most likely.
    Where the target is numeric it is a Mealy machine (1955): the classes are the names of numbers,
    `values[q, a, c]` is that of each on reading symbol a in state q, and outputs mean nothing.

    Raises:
        AutomatonError: a target, an output or the start does not exist, probabilities are none, or
            values are not finite.
        DataError: the symbols are no alphabet."""

    alphabet: Alphabet
    classes: tuple[str, ...]
    transitions: Int[np.ndarray, "Q S"]
    outputs: Int[np.ndarray, " Q"]
    start: int = 0
    target: str = "class"
    probabilities: Float[np.ndarray, "Q C"] | None = None
    values: Float[np.ndarray, "Q S C"] | None = None

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
        self._check_probabilities(outputs)
        self._check_values(transitions)
        for name, given in (("transitions", transitions), ("outputs", outputs)):
            array = given.astype(np.int32)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "start", int(self.start))

    def _check_probabilities(self, outputs: Int[np.ndarray, " Q"]) -> None:
        if (self.probabilities is not None) != TARGETS[self.target].is_distribution:
            raise AutomatonError(
                f"the target {self.target!r} takes "
                f"{'no ' if self.probabilities is not None else ''}probabilities"
            )
        if self.probabilities is None:
            return
        shares = np.array(self.probabilities, np.float64)
        if shares.shape != (len(outputs), len(self.classes)):
            raise AutomatonError(
                f"{len(outputs)} states need a probability of each of {len(self.classes)} classes, "
                f"got a table of shape {shares.shape}"
            )
        if not (shares >= 0).all() or not np.allclose(shares.sum(axis=1), 1, atol=ROUNDING):
            raise AutomatonError("the probabilities of a state must be at least 0 and 1 in sum")
        if (shares.argmax(axis=1) != outputs).any():
            raise AutomatonError("the output of a state must be its most likely class")
        shares.setflags(write=False)
        object.__setattr__(self, "probabilities", shares)

    def _check_values(self, transitions: Int[np.ndarray, "Q S"]) -> None:
        if (self.values is not None) != TARGETS[self.target].is_numeric:
            raise AutomatonError(
                f"the target {self.target!r} takes {'no ' if self.values is not None else ''}values"
            )
        if self.values is None:
            return
        values, expected = (
            np.array(self.values, np.float64),
            (*transitions.shape, len(self.classes)),
        )
        if values.shape != expected or not np.isfinite(values).all():
            raise AutomatonError(
                f"expected a finite number for each of {expected[0]} states, {expected[1]} symbols "
                f"and {expected[2]} names, got a table of shape {values.shape}"
            )
        values.setflags(write=False)
        object.__setattr__(self, "values", values)

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
        """The state after each symbol of each sequence, laid out as the symbols are; what numbers
        were made into symbols is read anew."""
        from lisor.automata import kernels  # loads numba, which a run from the cache does without

        sequences = self.alphabet.reread(sequences)
        check_symbols(sequences, self.alphabet)
        trace = np.empty(len(sequences.symbols), np.int32)
        kernels.all_states(
            self.transitions, self.start, sequences.symbols, sequences.offsets, trace
        )
        return trace

    def run(self, sequences: Sequences, *, threads: int = 1) -> Int[np.ndarray, " N"]:
        """The state in which each sequence ends."""
        from lisor.automata import kernels

        sequences = self.alphabet.reread(sequences)
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

    @property
    def distributions(self) -> Float[np.ndarray, "Q C"]:
        """The probability of each class in each state, of an automaton that has any.

        Raises:
            AutomatonError: it has none."""
        if self.probabilities is None:
            raise AutomatonError(
                "expected an automaton with probabilities of the next symbol, got one of the "
                f"target {self.target!r}"
            )
        return self.probabilities

    def numbers_at(
        self, sequences: Sequences, trace: Int[np.ndarray, " P"]
    ) -> Float[np.ndarray, "M C"]:
        """The numbers at the positions of sequences, from their `trace`, of an automaton that has
        any.

        Raises:
            AutomatonError: it has none."""
        if self.values is None:
            raise AutomatonError(
                f"expected an automaton with numbers, got one of the target {self.target!r}"
            )
        sequences = self.alphabet.reread(sequences)
        positions = Positions.of(sequences, self.target)
        last = sequences.offsets[positions.sequence] + positions.read - 1
        before = self.states_before(sequences, trace)
        return np.asarray(self.values[before[last], sequences.symbols[last]])

    def encode(self, word: Sequence[str]) -> list[int]:
        """The symbols of a word as numbers: `encode("0110")`, `encode(["not", "bad"])`.

        Raises:
            DataError: a symbol is not in the alphabet and no symbol stands for unknown ones."""
        return list(map(int, self.alphabet.encode([word]).symbols))

    def accepts(self, word: Sequence[str]) -> bool:
        """Whether a word ends in a state of class 1.

        Raises:
            AutomatonError: the automaton predicts the next symbol or numbers, and accepts no
                words."""
        if not TARGETS[self.target].names_classes:
            raise AutomatonError(
                "an automaton that predicts the next symbol or numbers accepts no words; see its "
                "probabilities or values"
            )
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
        """The smallest automaton of the same outputs on every word, of the same probabilities or
        values where it has any; its states are numbered in breadth-first order.

        `empty` says whether the output on the empty word counts; unless given, it does where the
        empty prefix can be a position. Where it does not, the start gets the output that makes the
        automaton smallest; of a tie it keeps its own."""
        counts = TARGETS[self.target].reads_empty if empty is None else empty
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
        kinds = self._kinds()[reachable]
        block = np.unique(kinds, axis=0, return_inverse=True)[1].astype(small)
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
        order = _breadth_first(quotient, int(block[renumber[self.start]]))
        kept = np.flatnonzero(reachable)[representative[order]]
        return replace(
            self,
            transitions=np.argsort(order)[quotient[order]],
            outputs=self.outputs[kept],
            start=0,
            probabilities=None if self.probabilities is None else self.probabilities[kept],
            values=None if self.values is None else self.values[kept],
        )

    def _kinds(self) -> Shaped[np.ndarray, "Q *N"]:
        """The output of a state, by which states are distinguished."""
        if self.values is not None:
            return self.values.reshape(self.n_states, -1)
        return self.outputs if self.probabilities is None else self.probabilities

    def distinguishing_word(self, other: Automaton) -> tuple[str, ...] | None:
        """A shortest word on which the outputs of the two differ, or the probabilities or values
        where both have any; None where there is none.

        The empty word counts where the empty prefix can be a position of both. Breadth-first
        search of the product automaton, one level at a time.

        Raises:
            AutomatonError: the alphabets differ."""
        if self.alphabet.symbols != other.alphabet.symbols:
            raise AutomatonError("only automata over the same alphabet can be compared")
        symbols, width = len(self.alphabet), other.n_states
        differ = self.outputs[:, None] != other.outputs[None, :]
        if self.probabilities is not None and other.probabilities is not None:
            apart = self.probabilities[:, None] - other.probabilities[None]
            differ = np.abs(apart).max(axis=-1) > ROUNDING
        last = None
        if self.values is not None and other.values is not None:
            apart = np.abs(self.values[:, None] - other.values[None]).max(axis=-1) > ROUNDING
            differ, last = apart.any(axis=-1), apart.argmax(axis=-1)
        # of each pair of states: the pair before it * symbols + the symbol between them
        parent = np.full(self.n_states * width, -1, np.int64)
        frontier = np.array([self.start * width + other.start])
        seen = np.zeros(self.n_states * width, bool)
        length = 0
        counts = TARGETS[self.target].reads_empty and TARGETS[other.target].reads_empty
        while len(frontier):
            # numbers stand on a transition, so that those of the start count too
            hit = (
                frontier[differ.reshape(-1)[frontier]]
                if length or counts or last is not None
                else []
            )
            if len(hit):
                word, pair = [], int(hit[0])
                if last is not None:
                    word.append(self.alphabet[int(last.reshape(-1)[pair])])
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
        for name, table in (("probabilities", self.probabilities), ("values", self.values)):
            if table is not None:
                fields[name] = table.tolist()
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
        transitions = integers(fields, "transitions", 2)
        outputs = integers(fields, "outputs", 1)
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
            classes=texts(fields, "classes"),
            transitions=transitions,
            outputs=outputs,
            start=fields["start"],
            target=str(fields.get("target", "class")),
            probabilities=floats(fields, "probabilities"),
            values=floats(fields, "values"),
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
