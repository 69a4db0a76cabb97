"""Hypothesis strategies for the values of the library."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.automata.weighted import WeightedAutomaton
from lisor.clustering.clustering import Clustering
from lisor.extraction.extraction import Extraction
from lisor.extraction.transitions import Unseen
from lisor.networks.hidden_states import Points
from lisor.registry import CELLS
from lisor.sequences import Sequences
from tests.conftest import random_network
from tests.extracting import extract

WITH_CELL_STATE = tuple(name for name in CELLS if "cell_state" in CELLS[name].parts)
"""Cells whose state is (h, c)."""


@st.composite
def automata(
    draw: st.DrawFn,
    *,
    alphabet: tuple[str, ...] | None = None,
    classes: int | None = None,
    max_states: int = 6,
) -> Automaton:
    """Complete automata of few states, by default over any alphabet of up to three symbols and up
    to three classes."""
    if alphabet is None:
        alphabet = tuple(
            draw(st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=3, unique=True))
        )
    count = classes or draw(st.integers(1, 3))
    states = draw(st.integers(1, max_states))
    state, symbol = st.integers(0, states - 1), st.integers(0, len(alphabet) - 1)
    row = st.lists(state, min_size=len(alphabet), max_size=len(alphabet))
    return Automaton(
        alphabet=Alphabet(
            symbols=alphabet,
            unknown=draw(st.none() | symbol),
            tokenizer=draw(st.none() | st.text(max_size=3)),
        ),
        classes=tuple(f"class {i}" for i in range(count)),
        transitions=np.array(draw(st.lists(row, min_size=states, max_size=states))),
        outputs=np.array(
            draw(st.lists(st.integers(0, count - 1), min_size=states, max_size=states))
        ),
        start=draw(state),
    )


ODD = (
    *(
        "'",
        '"',
        "<",
        "&",
        "&amp;",
        "->",
        "\\",
        "\\n",
        ",",
        "a,b",
        "{x}",
        "|",
        "]",
        "^",
        "-",
        "%",
        "%41",
        "0",
        "00",
        "²",
    ),
    *(
        "é",
        "日本",
        "😀",
        "??/",
        "*/",
        "label",
        "__start0",
        "not",
        " ",
        " a ",
        "a b",
        "\n",
        "\r",
        "\t",
        "\x7f",
        "\x85",
        "\u2028",
    ),
)
odd_symbols = st.sampled_from(ODD) | st.text(min_size=1, max_size=3)
"""Symbols that files of some format have to escape, and others."""

odd_alphabets = st.lists(odd_symbols, min_size=1, max_size=4, unique=True).map(tuple)


@st.composite
def weighted_automata(
    draw: st.DrawFn, *, symbols: int | None = None, classes: int | None = None, max_states: int = 4
) -> WeightedAutomaton:
    """Weighted automata of few states, in which some transitions occurred several times and others
    never."""
    size = symbols or draw(st.integers(1, 3))
    letters = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=3)
    alphabet = draw(st.lists(letters, min_size=size, max_size=size, unique=True))
    states, width = draw(st.integers(1, max_states)), classes or draw(st.integers(1, 3))
    state, symbol = st.integers(0, states - 1), st.integers(0, size - 1)
    row = st.lists(state, min_size=size, max_size=size)
    counts = draw(st.dictionaries(st.tuples(state, symbol, state), st.integers(1, 9), max_size=12))
    source, symbol_read, target = np.array(list(counts), np.int64).reshape(-1, 3).T
    shares = st.lists(st.integers(1, 9), min_size=width, max_size=width)
    answers = np.array(draw(st.lists(shares, min_size=states, max_size=states)), np.float32)
    return WeightedAutomaton(
        alphabet=Alphabet(
            symbols=tuple(alphabet),
            unknown=draw(st.none() | symbol),
            tokenizer=draw(st.none() | letters),
        ),
        classes=tuple(f"class {i}" for i in range(width)),
        fallback=np.array(draw(st.lists(row, min_size=states, max_size=states))),
        source=source,
        symbol=symbol_read,
        target=target,
        count=np.array(list(counts.values()), np.int64),
        class_probabilities=answers / answers.sum(axis=1, keepdims=True),
        start=draw(state),
    )


def words(symbols: int = 2, max_length: int = 8) -> st.SearchStrategy[list[list[int]]]:
    """Lists of words, empty ones among them, as lists of symbols."""
    return st.lists(st.lists(st.integers(0, symbols - 1), max_size=max_length), max_size=8)


def ragged_sequences(symbols: int = 2, max_length: int = 8) -> st.SearchStrategy[Sequences]:
    """Sequences of unequal lengths, empty ones among them."""
    return words(symbols, max_length).map(Sequences.from_lists)


@st.composite
def extractions(
    draw: st.DrawFn, *, symbols: int = 2, classes: int = 2, k: int = 3, unseen: Unseen = "reject"
) -> Extraction:
    """What a network of random weights gives where the steps of a few words lie in clusters drawn
    at random."""
    sequences = draw(words(symbols))
    steps = [
        (row, step, symbol)
        for row, word in enumerate(sequences)
        for step, symbol in enumerate(word, 1)
    ]
    sequence, step, symbol = np.array(steps, np.int32).reshape(-1, 3).T
    labels = draw(st.lists(st.integers(0, k - 1), min_size=len(steps), max_size=len(steps)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return extract(
        random_network(symbols=symbols, classes=classes),
        Points(
            sequence=sequence, step=step, symbol=symbol, state=np.zeros((len(steps), 4), np.float32)
        ),
        Clustering(
            method="kmeans",
            k=k,
            centers=rng.normal(size=(k, 4)).astype(np.float32),
            labels=np.array(labels, np.int32),
            inertia=0.0,
        ),
        unseen=unseen,
    )
