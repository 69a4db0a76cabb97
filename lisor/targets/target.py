"""What a network should predict, and after which prefixes of a sequence.

A sequence of T symbols has T + 1 prefixes, the empty one first. Those of N sequences of P symbols
have the indices 0 … P + N − 1.

Shapes: N sequences, M positions, R trials, B sequences of a batch, T steps, L positions of the
longest sequence, H numbers of a prefix."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from jaxtyping import Int


class Target(Protocol):
    """One kind of target. Predictions, outputs of automata and labels have a row for each of the M
    positions, those of a sequence one after the other."""

    name: str
    position: str
    """What a person calls one position."""
    predicts_once: bool
    """Whether there is a single position for a whole sequence."""
    reads_empty: bool
    """Whether the empty prefix can be a position."""
    is_distribution: bool
    """Whether the class probabilities themselves are predicted, and not the most likely class
    alone: a state of an automaton has a distribution as its output."""
    is_numeric: bool
    """Whether numbers are predicted: a transition of an automaton has them."""
    predicted: str
    """What a person calls what is predicted."""
    names_classes: bool
    """Whether a class is predicted, and neither a distribution nor numbers."""

    def counts(self, lengths: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
        """How many positions each sequence has."""

    def at(self, lengths: Int[np.ndarray, " N"]) -> Int[np.ndarray, " M"]:
        """The index of each position among the prefixes."""

    def take(self, prefixes: Any, lengths: Any) -> Any:
        """Of numbers of every prefix [R, T + 1, B, H] those of the positions [R, B, L, H]; what
        stands after the last position of a sequence [R, B] means nothing."""
