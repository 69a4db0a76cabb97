"""Words of a regular language as series of numbers: up to 0.3 stands for 0, above for 1.

tomita-1    0.9 0.4 0.7 -> accept    0.9 0.2 0.7 -> reject"""

from __future__ import annotations

import numpy as np
import pandas as pd

import lisor
from lisor.automata.automaton import Automaton
from lisor.automata.languages import find
from lisor.data.dataset import Dataset
from lisor.data.series import build
from lisor.randomness import stream
from lisor.sequences import Sequences

CUT = 0.3
"""The largest number that stands for 0; the least is 0, the greatest 1."""

LANGUAGES = tuple(f"tomita-{number}" for number in range(1, 8))

SIZES = {"train": 8000, "validation": 1000, "selection": 1000, "test": 2000}

MAX_LENGTH = 15

SYMBOLS = 8


def real_language(name: str, seed: int = 0) -> Dataset:
    """The dataset of a language over numbers: of each split words of both classes alike, each with
    numbers of its own, which are drawn evenly for each letter."""
    words, rows = lisor.words(name, max_length=MAX_LENGTH, seed=seed), []
    for split, count in SIZES.items():
        rng, part = stream(seed, "numbers for letters", split), words.splits[split]
        for label, word_class in enumerate(words.classes):
            known = np.flatnonzero((part.labels == label) & (part.sequences.lengths > 0))
            for row in rng.choice(known, count // 2):
                letters = part.sequences[row]
                low, high = np.where(letters == 0, 0, CUT), np.where(letters == 0, CUT, 1)
                rows.append((rng.uniform(low, high)[:, None], word_class, split))
    table = pd.DataFrame(rows, columns=["series", "label", "split"])
    # both halves of it are drawn anew by the seed
    table["split"] = table["split"].replace("selection", "validation")
    return build(
        table,
        method="kmeans",
        symbol_count=SYMBOLS,
        window=1,
        sizes={},
        held_out=0.5,
        folds=None,
        fold=0,
        seed=seed,
    )


def cuts_of(automaton: Automaton) -> np.ndarray:
    """The edges of an automaton's intervals, in the units of the series."""
    quantizer = automaton.alphabet.quantizer
    if quantizer is None or quantizer.breakpoints is None:
        return np.empty(0)
    return np.asarray(quantizer.breakpoints * quantizer.deviations[0] + quantizer.means[0])


def is_exact(automaton: Automaton, name: str) -> bool:
    """Whether an automaton over intervals has the language's graph: as many states as its minimal
    automaton, and the same classes of words whose numbers are the middle one of a letter.

    The empty word, which is no series, counts for neither."""
    language = find(name).automaton
    middles = automaton.alphabet.read([f"{CUT / 2} {(1 + CUT) / 2}"]).symbols
    letters = Automaton(
        alphabet=language.alphabet,
        classes=language.classes,
        transitions=automaton.transitions[:, middles],
        outputs=np.array([language.classes.index(automaton.classes[c]) for c in automaton.outputs]),
        start=automaton.start,
    )
    shortest = language.minimized(empty=False)
    known = Sequences.from_lists(
        [[*map(int, f"{n:0{length}b}")] for length in range(1, 9) for n in range(2**length)]
    )
    same = (letters.classify(known) == language.classify(known)).all()
    return bool(same) and automaton.minimized(empty=False).n_states == shortest.n_states
