"""Tables of transitions from the states and edges that a file lists.

Shapes: Q states, S symbols."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
from jaxtyping import Int

from lisor.automata.automaton import CLASSES
from lisor.errors import AutomatonError

MISSING = -1
"""Where a table has no target."""


def tabulate(
    states: Sequence[str], symbols: Sequence[str], steps: Iterable[tuple[str, str, str]]
) -> Int[np.ndarray, "Q S"]:
    """The number of the state after each symbol in each state, `MISSING` where no step (state,
    symbol, state) says it.

    Raises:
        AutomatonError: a step has a state or symbol that is not listed, or a state has two
            transitions on a symbol."""
    row = {state: number for number, state in enumerate(states)}
    column = {symbol: number for number, symbol in enumerate(symbols)}
    table = np.full((len(row), len(column)), MISSING)
    for source, symbol, target in steps:
        if source not in row or target not in row or symbol not in column:
            raise AutomatonError(
                f"the transition from {source!r} on {symbol!r} to {target!r} names "
                "what is not listed"
            )
        cell = row[source], column[symbol]
        if table[cell] not in (MISSING, row[target]):
            raise AutomatonError(f"state {source} has two transitions on {symbol!r}")
        table[cell] = row[target]
    return table


def check_complete(
    table: Int[np.ndarray, "Q S"], states: Sequence[str], symbols: Sequence[str]
) -> None:
    """Refuses a table with a target missing.

    Raises:
        AutomatonError: a state has no transition on some symbol."""
    if (table == MISSING).any():
        state, symbol = np.argwhere(table == MISSING)[0]
        raise AutomatonError(f"state {states[state]} has no transition on {symbols[symbol]!r}")


def name_classes(names: Collection[str]) -> tuple[str, ...]:
    """The classes of an automaton whose states name theirs: reject and accept, or the others
    sorted."""
    return CLASSES if set(names) <= set(CLASSES) else tuple(sorted(set(names)))
