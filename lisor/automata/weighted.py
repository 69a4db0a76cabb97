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

from lisor.alphabet import Alphabet
from lisor.automata import kernels
from lisor.automata.automaton import check_symbols
from lisor.errors import AutomatonError, SchemaError
from lisor.sequences import Sequences
from lisor.targets.positions import Positions

SCHEMA = 2
"""Version of the file written by `WeightedAutomaton.write`."""

_STORED = {name: name for name in ("fallback", "source", "symbol", "target", "count")} | {
    "class_probabilities": "answers"
}
"""The arrays, and their names in the file."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WeightedAutomaton:
    """A probability for each next state of (state, symbol), and one for each class of a state.

    Transition e led `count[e]` times from `source[e]` on `symbol[e]` to `target[e]`; a (state,
    symbol) that never occurred leads to `fallback` for certain. `class_probabilities[q, y]` is
    P(class y | state q)."""

    alphabet: Alphabet
    classes: tuple[str, ...]
    fallback: Int[np.ndarray, "Q S"]
    source: Int[np.ndarray, " E"]
    symbol: Int[np.ndarray, " E"]
    target: Int[np.ndarray, " E"]
    count: Int[np.ndarray, " E"]
    class_probabilities: Float[np.ndarray, "Q C"]
    start: int = 0
    target_kind: str = "class"

    def __post_init__(self) -> None:
        object.__setattr__(self, "alphabet", Alphabet.of(self.alphabet))
        if self.fallback.ndim != 2 or self.class_probabilities.ndim != 2:
            raise AutomatonError(
                "expected a table of states by symbols and one of states by classes"
            )
        states, symbols = self.fallback.shape
        shape = self.class_probabilities.shape
        if symbols != len(self.alphabet) or shape != (states, len(self.classes)):
            raise AutomatonError(
                f"expected tables of {len(self.alphabet)} symbols and {len(self.classes)} classes, "
                f"got {self.fallback.shape} and {shape}"
            )
        limits = {"source": states, "symbol": symbols, "target": states, "fallback": states}
        for name, limit in limits.items():
            array = getattr(self, name)
            if array.min(initial=0) < 0 or array.max(initial=-1) >= limit:
                raise AutomatonError(f"{name} must hold numbers from 0 to {limit - 1}")
        if len({len(self.source), len(self.symbol), len(self.target), len(self.count)}) > 1:
            raise AutomatonError(
                "source, symbol, target and count need one number for each transition"
            )
        if not 0 <= self.start < states:
            raise AutomatonError("the start must be one of the states")
        if self.count.min(initial=1) < 1:
            raise AutomatonError("a transition that is counted has occurred at least once")

    @property
    def n_states(self) -> int:
        """The number of states, the start included."""
        return len(self.class_probabilities)

    @cached_property
    def _entries(
        self,
    ) -> tuple[Int[np.ndarray, " Q*S+1"], Int[np.ndarray, " E"], Float[np.ndarray, " E"]]:
        """The targets of each (state, symbol) and how much goes to each, one pair after the other,
        and where the entries of each pair begin."""
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

    def probabilities(self, sequences: Sequences) -> Float[np.ndarray, "M C"]:
        """P(class) at each position: Σ_q p_q·P(class | q), with p carried on exactly, without
        sampling.

        Raises:
            AutomatonError: a symbol is not in the alphabet."""
        check_symbols(sequences, self.alphabet)
        positions = Positions.of(sequences, self.target_kind)
        rows = np.full(len(sequences.symbols) + len(sequences), -1)
        rows[positions.at] = np.arange(positions.count)
        probabilities = np.zeros((positions.count, len(self.classes)))
        kernels.carry(
            *self._entries,
            self.class_probabilities.astype(np.float64),
            self.start,
            sequences.symbols,
            sequences.offsets,
            rows,
            probabilities,
        )
        return probabilities.astype(np.float32)

    def classify(self, sequences: Sequences) -> Int[np.ndarray, " M"]:
        """The most probable class at each position; a tie goes to the lower index."""
        return np.asarray(self.probabilities(sequences).argmax(axis=1), np.int32)

    def write(self, path: Path) -> None:
        """Write the automaton as .npz, without pickled objects."""
        about = {
            "schema": SCHEMA,
            "alphabet": self.alphabet.to_json(),
            "classes": self.classes,
            "start": self.start,
            "target_kind": self.target_kind,
        }
        arrays = {stored: getattr(self, name) for name, stored in _STORED.items()}
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
                arrays = {name: file[stored] for name, stored in _STORED.items()}
                about = json.loads(file["about"].tobytes())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, BadZipFile) as error:
            raise AutomatonError(
                f"{path.name} does not hold a weighted automaton: {error}"
            ) from None
        if about["schema"] != SCHEMA:
            raise SchemaError(
                f"expected a weighted automaton of schema {SCHEMA}, got {about['schema']}; "
                "extract it again"
            )
        return cls(
            alphabet=Alphabet.from_json(about["alphabet"]),
            classes=tuple(about["classes"]),
            start=about["start"],
            target_kind=about["target_kind"],
            **arrays,
        )
