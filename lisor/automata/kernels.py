"""Inner loops over the symbols of words, compiled.

They hold no lock, so that threads can run them side by side. Arguments are not checked: callers see
to it that every symbol and state exists.

Shapes: Q states, S symbols, N words, P symbols of all of them together, E entries, C classes, M
positions."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numba import njit


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def last_states(
    table: Int[np.ndarray, " Q*S"],
    start: int,
    symbols: Int[np.ndarray, " P"],
    offsets: Int[np.ndarray, " N+1"],
    last: Int[np.ndarray, " N"],
) -> None:
    """Fill `last` with S times the state in which each word ends; `table` and `start` hold S times
    each state too."""
    for word in range(len(last)):
        state = start
        for symbol in symbols[offsets[word] : offsets[word + 1]]:
            state = table[state + symbol]
        last[word] = state


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def all_states(
    table: Int[np.ndarray, "Q S"],
    start: int,
    symbols: Int[np.ndarray, " P"],
    offsets: Int[np.ndarray, " N+1"],
    trace: Int[np.ndarray, " P"],
) -> None:
    """Fill `trace` with the state after each symbol."""
    for word in range(len(offsets) - 1):
        state = start
        for step in range(offsets[word], offsets[word + 1]):
            state = table[state, symbols[step]]
            trace[step] = state


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def carry(
    first: Int[np.ndarray, " Q*S+1"],
    target: Int[np.ndarray, " E"],
    share: Float[np.ndarray, " E"],
    class_probabilities: Float[np.ndarray, "Q C"],
    start: int,
    symbols: Int[np.ndarray, " P"],
    offsets: Int[np.ndarray, " N+1"],
    rows: Int[np.ndarray, " P+N"],
    probabilities: Float[np.ndarray, "M C"],
) -> None:
    """Add to `probabilities` those of the states after the prefixes that have a row in it, each by
    how much of the word is there.

    `rows` has the row of each prefix, the empty one of each word first, or -1. The targets of state
    q and symbol a, and how much of q goes to each, are the entries from `first[q·S + a]` on."""
    states = len(class_probabilities)
    width = (len(first) - 1) // states
    now, later = np.zeros(states), np.zeros(states)
    for word in range(len(offsets) - 1):
        now[:] = 0
        now[start] = 1
        for step in range(offsets[word], offsets[word + 1] + 1):
            row = rows[step + word]
            if row >= 0:
                for state in range(states):
                    probabilities[row] += now[state] * class_probabilities[state]
            if step == offsets[word + 1]:
                break
            later[:] = 0
            for state in range(states):
                if now[state] > 0:
                    pair = state * width + symbols[step]
                    for entry in range(first[pair], first[pair + 1]):
                        later[target[entry]] += now[state] * share[entry]
            now, later = later, now
