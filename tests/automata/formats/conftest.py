"""What tests of several formats share."""

from __future__ import annotations

import numpy as np

from lisor.automata.automaton import Automaton
from lisor.sequences import Sequences

ODD_NAMES = (
    'a "quoted" name',
    "a|b",
    "-> é",
    "__start0 ->",
    "{0}",
    "<&>",
    "00",
    "7",
    "??/ */ \\",
    " ",
    "",
)
"""Class names that files of some format have to escape."""


def aligned(read: Automaton, like: Automaton) -> Automaton:
    """The automaton with symbols and classes numbered as in another; of two classes, the second is
    the second."""
    columns = [read.alphabet.index(symbol) for symbol in like.alphabet]
    classes = (
        [0, 1] if len(like.classes) == 2 else [like.classes.index(name) for name in read.classes]
    )
    return Automaton(
        alphabet=like.alphabet,
        classes=like.classes,
        transitions=read.transitions[:, columns],
        outputs=np.array(classes)[read.outputs],
        start=read.start,
    )


def large_automaton(states: int = 300, symbols: int = 5, classes: int = 3) -> Automaton:
    """An automaton of more states than a byte can number."""
    rng = np.random.default_rng(0)
    return Automaton(
        alphabet=tuple(f"symbol {number}" for number in range(symbols)),
        classes=ODD_NAMES[:classes],
        transitions=rng.integers(0, states, (states, symbols)),
        outputs=rng.integers(0, classes, states),
        start=states - 1,
    )


def many_words(symbols: int, count: int = 10_000) -> Sequences:
    """Words of up to 30 symbols."""
    rng = np.random.default_rng(1)
    return Sequences.from_lists(
        [rng.integers(0, symbols, rng.integers(0, 31)) for _ in range(count)]
    )
