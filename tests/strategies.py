"""Hypothesis strategies for the values of the library."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from lisor.data.sequences import Sequences
from lisor.fsa.automaton import Automaton


@st.composite
def automata(
    draw: st.DrawFn, *, alphabet: tuple[str, ...] | None = None, classes: int | None = None, max_states: int = 6
) -> Automaton:
    """Complete automata of few states, by default over any alphabet of up to three symbols and up to three classes."""
    if alphabet is None:
        alphabet = tuple(draw(st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=3, unique=True)))
    count = classes or draw(st.integers(1, 3))
    states = draw(st.integers(1, max_states))
    state, symbol = st.integers(0, states - 1), st.integers(0, len(alphabet) - 1)
    row = st.lists(state, min_size=len(alphabet), max_size=len(alphabet))
    return Automaton(
        alphabet=alphabet,
        classes=tuple(f"class {i}" for i in range(count)),
        transitions=np.array(draw(st.lists(row, min_size=states, max_size=states))),
        outputs=np.array(draw(st.lists(st.integers(0, count - 1), min_size=states, max_size=states))),
        start=draw(state),
        unknown=draw(st.none() | symbol),
        tokenizer=draw(st.none() | st.text(max_size=3)),
    )


def words(symbols: int = 2, max_length: int = 8) -> st.SearchStrategy[list[list[int]]]:
    """Lists of words, empty ones among them, as lists of symbols."""
    return st.lists(st.lists(st.integers(0, symbols - 1), max_size=max_length), max_size=8)


def ragged_sequences(symbols: int = 2, max_length: int = 8) -> st.SearchStrategy[Sequences]:
    """Sequences of unequal lengths, empty ones among them."""
    return words(symbols, max_length).map(Sequences.from_lists)
