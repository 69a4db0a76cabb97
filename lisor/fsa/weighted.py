"""Automata that carry a probability for each state instead of one state.

Shapes: Q states, S symbols, C classes, N sequences, E transitions that occurred, U symbols that occur."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float, Int

from lisor.data.sequences import Sequences
from lisor.errors import AutomatonError, SchemaError

SCHEMA = 1
"""Version of the file written by `WeightedAutomaton.write`."""

MOST_NUMBERS = 1 << 22
"""Numbers of transition matrices that are gathered at a time."""

_ARRAYS = ("fallback", "source", "symbol", "target", "count", "answers")


@dataclass(frozen=True, kw_only=True, eq=False)
class WeightedAutomaton:
    """A probability for each next state of (state, symbol), and one for each class of a state.

    Transition e led `count[e]` times from `source[e]` on `symbol[e]` to `target[e]`; a (state, symbol) that never
    occurred leads to `fallback` for certain. `answers[q, y]` is P(class y | state q)."""

    alphabet: tuple[str, ...]
    classes: tuple[str, ...]
    fallback: Int[np.ndarray, "Q S"]
    source: Int[np.ndarray, " E"]
    symbol: Int[np.ndarray, " E"]
    target: Int[np.ndarray, " E"]
    count: Int[np.ndarray, " E"]
    answers: Float[np.ndarray, "Q C"]
    start: int = 0
    unknown: int | None = None
    tokenizer: str | None = None

    def __post_init__(self) -> None:
        if self.fallback.ndim != 2 or self.answers.ndim != 2:
            raise AutomatonError("expected a table of states by symbols and one of states by classes")
        states, symbols = self.fallback.shape
        if symbols != len(self.alphabet) or self.answers.shape != (states, len(self.classes)):
            raise AutomatonError(
                f"expected tables of {len(self.alphabet)} symbols and {len(self.classes)} classes, got "
                f"{self.fallback.shape} and {self.answers.shape}"
            )
        limits = {"source": states, "symbol": symbols, "target": states, "fallback": states}
        for name, limit in limits.items():
            array = getattr(self, name)
            if array.min(initial=0) < 0 or array.max(initial=-1) >= limit:
                raise AutomatonError(f"{name} must hold numbers from 0 to {limit - 1}")
        if len({len(self.source), len(self.symbol), len(self.target), len(self.count)}) > 1:
            raise AutomatonError("source, symbol, target and count need one number for each transition")
        if not 0 <= self.start < states or (self.unknown is not None and not 0 <= self.unknown < symbols):
            raise AutomatonError("the start must be a state, and the unknown symbol one of the alphabet")
        if self.count.min(initial=1) < 1:
            raise AutomatonError("a transition that is counted has occurred at least once")

    @property
    def n_states(self) -> int:
        """The number of states, the start included."""
        return len(self.answers)

    def matrices(self, symbols: Int[np.ndarray, " U"]) -> Float[np.ndarray, "U Q Q"]:
        """The transition matrix of each symbol: from the row's state to the column's; rows sum to 1."""
        place = np.full(len(self.alphabet), -1)
        place[symbols] = np.arange(len(symbols))
        dense = np.zeros((len(symbols), self.n_states, self.n_states), np.float32)
        known = place[self.symbol] >= 0
        np.add.at(dense, (place[self.symbol[known]], self.source[known], self.target[known]), self.count[known])
        totals = dense.sum(axis=2, keepdims=True)
        never = np.argwhere(totals[:, :, 0] == 0)
        dense[never[:, 0], never[:, 1], self.fallback[never[:, 1], symbols[never[:, 0]]]] = 1
        dense /= totals + (totals == 0)
        return dense

    def probabilities(self, sequences: Sequences) -> Float[np.ndarray, "N C"]:
        """P(class) after each sequence: Σ_q p_q·P(class | q), with p carried on exactly, without sampling.

        Raises:
            AutomatonError: a symbol is not in the alphabet."""
        largest = int(sequences.symbols.max(initial=-1))
        if largest >= len(self.alphabet):
            raise AutomatonError(f"expected symbols below {len(self.alphabet)}, got {largest}")
        symbols, places = np.unique(sequences.symbols, return_inverse=True)
        matrices = self.matrices(symbols)
        order = np.argsort(-sequences.lengths, kind="stable")  # the running ones are a prefix, as in Automaton.trace
        lengths, starts = sequences.lengths[order], sequences.offsets[:-1][order]
        carried = np.zeros((len(order), 1, self.n_states), np.float32)
        carried[:, 0, self.start] = 1
        size = max(1, MOST_NUMBERS // self.n_states**2)
        for step in range(int(lengths.max(initial=0))):
            running = int(np.searchsorted(-lengths, -step, side="left"))
            for first in range(0, running, size):
                chunk = slice(first, min(first + size, running))
                carried[chunk] = carried[chunk] @ matrices[places[starts[chunk] + step]]
        answer = np.empty((len(order), len(self.classes)), np.float32)
        answer[order] = carried[:, 0] @ self.answers
        return answer

    def classify(self, sequences: Sequences) -> Int[np.ndarray, " N"]:
        """The most probable class of each sequence; a tie goes to the lower index."""
        classes: Int[np.ndarray, " N"] = self.probabilities(sequences).argmax(axis=1).astype(np.int32)
        return classes

    def write(self, path: Path) -> None:
        """Write the automaton as .npz, without pickled objects."""
        about = {
            "schema": SCHEMA,
            "alphabet": self.alphabet,
            "classes": self.classes,
            "start": self.start,
            "unknown": self.unknown,
            "tokenizer": self.tokenizer,
        }
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
        with path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    @classmethod
    def read(cls, path: Path) -> WeightedAutomaton:
        """The automaton that `write` left at `path`.

        Raises:
            AutomatonError: the file holds no weighted automaton.
            SchemaError: it was written by another version."""
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in (*_ARRAYS, "about")}
            about = json.loads(arrays.pop("about").tobytes())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, BadZipFile) as error:
            raise AutomatonError(f"{path.name} does not hold a weighted automaton: {error}") from None
        if about["schema"] != SCHEMA:
            raise SchemaError(
                f"expected a weighted automaton of schema {SCHEMA}, got {about['schema']}; extract it again"
            )
        return cls(
            alphabet=tuple(about["alphabet"]),
            classes=tuple(about["classes"]),
            start=about["start"],
            unknown=about["unknown"],
            tokenizer=about["tokenizer"],
            **arrays,
        )
