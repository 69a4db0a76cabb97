"""How well numbers are predicted.

Shapes: M positions, D numbers at each, C channels, S symbols."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lisor.data.dataset import Dataset
from lisor.evaluation.references import fitted_split, last_symbols


def r2(true: Float[np.ndarray, "M D"], predicted: Float[np.ndarray, "M D"]) -> float:
    """The coefficient of determination R², mean over the numbers (scikit-learn's `r2_score`); NaN
    of fewer than two positions."""
    from sklearn.metrics import r2_score  # takes a second to load

    if len(true) < 2:
        return float("nan")
    return float(r2_score(true, predicted))


def naive(dataset: Dataset) -> tuple[str, Float[np.ndarray, "M D"]]:
    """A simple predictor's name, and its numbers on the test set: of a forecast the last value
    read, else the mean in training after the last symbol read."""
    train, test = dataset.splits[fitted_split(dataset)], dataset.splits["test"]
    quantizer, words = dataset.alphabet.quantizer, test.sequences
    if dataset.target == "number" and quantizer is not None and words.numbers is not None:
        last = words.numbers[:, -quantizer.channels :].astype(np.float64)
        return "The last value, once more", last * quantizer.deviations + quantizer.means
    sums = np.zeros((len(dataset.alphabet), train.labels.shape[1]))
    symbols = last_symbols(train)
    np.add.at(sums, symbols, train.labels)
    counts = np.bincount(symbols, minlength=len(sums))[:, None]
    means = np.where(counts > 0, sums / np.maximum(counts, 1), train.labels.mean(axis=0))
    return "The mean in training after the same symbol", means[last_symbols(test)]
