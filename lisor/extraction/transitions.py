"""Transitions between clusters: how often each occurred, and the table that is made of them.

Shapes: P points, K clusters, S symbols, Q = K + 1 or K + 2 automaton states, E transitions that
occurred, F numbers of a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from lisor.automata.automaton import CLASSES
from lisor.networks.hidden_states import Points

START = 0
"""The external start state; cluster c becomes state c + 1."""

Unseen = Literal["reject", "stay"]
"""Where a pair of state and symbol leads that validation never showed: to a rejecting sink, or
nowhere."""


def default_unseen(classes: Sequence[str]) -> Unseen:
    """The usual policy: a word of a language that goes where none went is rejected; elsewhere it
    changes nothing."""
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


def count_transitions(
    points: Points, labels: Int[np.ndarray, " P"], *, k: int, symbols: int
) -> TransitionCounts:
    """How often each symbol led from one cluster, or from the start, to another."""
    target = labels.astype(np.int64) + 1
    source = np.where(points.step == 1, START, np.concatenate([[START], target[:-1]]))
    codes = (source * symbols + points.symbol) * (k + 1) + target
    distinct, count = np.unique(codes, return_counts=True)
    pair, target = np.divmod(distinct, k + 1)
    source, symbol = np.divmod(pair, symbols)
    return TransitionCounts(
        states=k + 1, symbols=symbols, source=source, symbol=symbol, target=target, count=count
    )


def most_frequent(
    counts: TransitionCounts,
) -> tuple[Int[np.ndarray, "Q S"], Bool[np.ndarray, "Q S"]]:
    """The most frequent next state of each (state, symbol), and where there was one; a tie goes to
    the lower index."""
    transitions = np.zeros((counts.states, counts.symbols), np.int64)
    seen = np.zeros(transitions.shape, bool)
    # What comes later replaces what came before: the more frequent, then the lower index.
    order = np.lexsort((-counts.target, counts.count))
    transitions[counts.source[order], counts.symbol[order]] = counts.target[order]
    seen[counts.source, counts.symbol] = True
    return transitions, seen


def complete(
    transitions: Int[np.ndarray, "Q S"],
    seen: Bool[np.ndarray, "Q S"],
    outputs: Int[np.ndarray, " Q"],
    unseen: Unseen,
) -> tuple[Int[np.ndarray, "Q S"], Int[np.ndarray, " Q"], Bool[np.ndarray, "Q S"]]:
    """The transitions with a target for those that were never seen, and with a sink where one is
    needed."""
    if unseen == "stay":
        return np.where(seen, transitions, np.arange(len(transitions))[:, None]), outputs, seen
    if seen.all():
        return transitions, outputs, seen
    sink = len(transitions)
    transitions = np.vstack(
        [np.where(seen, transitions, sink), np.full_like(transitions[:1], sink)]
    )
    return transitions, np.append(outputs, 0), np.vstack([seen, np.zeros_like(seen[:1])])


def means_after(
    rows: Float[np.ndarray, "P F"],
    source: Int[np.ndarray, " P"],
    symbols: Int[np.ndarray, " P"],
    shape: tuple[int, ...],
) -> tuple[Float[np.ndarray, "Q S F"], Int[np.ndarray, "Q S 1"]]:
    """The mean of the rows of those points at which each symbol is read in each state, zeros where
    there are none, and how many there are."""
    states, width = shape
    pair = source.astype(np.int64) * width + symbols
    sums = [np.bincount(pair, column, minlength=states * width) for column in rows.T]
    counts = np.bincount(pair, minlength=states * width).reshape(states, width, 1)
    return np.stack(sums, axis=-1).reshape(states, width, -1) / np.maximum(counts, 1), counts
