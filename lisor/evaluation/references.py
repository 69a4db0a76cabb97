"""Simple predictors that need no network, which automata have to beat.

Shapes: M positions, C classes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from lisor.data.dataset import Dataset, Split


def fitted_split(dataset: Dataset) -> str:
    """The split that the predictors are fitted to: training, or, of the data of an external
    network, which has none, validation."""
    return "train" if "train" in dataset.splits else "validation"


def most_frequent(dataset: Dataset) -> tuple[str, float]:
    """The most frequent class in training, and the share of test positions where it is true."""
    labels = dataset.splits[fitted_split(dataset)].labels
    counts = np.bincount(labels, minlength=len(dataset.classes))
    usual = int(counts.argmax())
    return dataset.classes[usual], float((dataset.splits["test"].labels == usual).mean())


def by_last_symbol(dataset: Dataset) -> float:
    """The share of test positions where the class is true that was most frequent in training after
    the last symbol read; of symbols that training lacks, that after any symbol."""
    train, test = dataset.splits[fitted_split(dataset)], dataset.splits["test"]
    counts = np.zeros((len(dataset.alphabet), len(dataset.classes)), np.int64)
    np.add.at(counts, (last_symbols(train), train.labels), 1)
    usual = np.where(counts.any(axis=1), counts.argmax(axis=1), counts.sum(axis=0).argmax())
    return float((usual[last_symbols(test)] == test.labels).mean())


def last_symbols(split: Split) -> Int[np.ndarray, " M"]:
    """The symbol before each position, of a target that has none before the first symbol."""
    positions, words = split.positions, split.sequences
    last = words.offsets[positions.sequence] + positions.read - 1
    symbols: Int[np.ndarray, " M"] = words.symbols[last]
    return symbols
