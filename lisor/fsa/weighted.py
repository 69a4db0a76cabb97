"""Automata that carry a probability for each state instead of one state.

Shapes: Q states, S symbols, C classes, N sequences, E transitions that occurred."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float, Int

from lisor.data.sequences import Sequences
from lisor.errors import AutomatonError, SchemaError
from lisor.fsa import kernels

SCHEMA = 1
"""Version of the file written by `WeightedAutomaton.write`."""

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

    @cached_property
    def _entries(self) -> tuple[Int[np.ndarray, " Q*S+1"], Int[np.ndarray, " E"], Float[np.ndarray, " E"]]:
        """The targets of each (state, symbol) and how much goes to each, one pair after the other, and where the
        entries of each pair begin."""
        pairs = self.fallback.size
        pair = self.source.astype(np.int64) * len(self.alphabet) + self.symbol
        total = np.bincount(pair, self.count, minlength=pairs)
        never = np.flatnonzero(total == 0)
        target = np.concatenate([self.target, self.fallback.reshape(-1)[never]])
        share = np.concatenate([self.count / total[pair], np.ones(len(never))])
        pair = np.concatenate([pair, never])
        order = np.argsort(pair, kind="stable")
        first = np.concatenate([[0], np.cumsum(np.bincount(pair, minlength=pairs))])
        return first, target[order].astype(np.int64), share[order]

    def probabilities(self, sequences: Sequences) -> Float[np.ndarray, "N C"]:
        """P(class) after each sequence: Σ_q p_q·P(class | q), with p carried on exactly, without sampling.

        Raises:
            AutomatonError: a symbol is not in the alphabet."""
        largest = int(sequences.symbols.max(initial=-1))
        if largest >= len(self.alphabet):
            raise AutomatonError(f"expected symbols below {len(self.alphabet)}, got {largest}")
        answers = self.answers.astype(np.float64)
        answer = np.zeros((len(sequences), len(self.classes)))
        kernels.carry(*self._entries, answers, self.start, sequences.symbols, sequences.offsets, answer)
        return answer.astype(np.float32)

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
