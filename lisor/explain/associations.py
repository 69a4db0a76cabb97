"""Associations of a network's hidden units with symbols, states of an automaton and classes, by a
permutation test.

Shapes: M observations (steps, or ends of sequences), H hidden units, V categories (symbols, states
or classes)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from lisor.randomness import stream

DRAWS = 499
"""Random permutations of a test."""

LEVEL = 0.05 / 3
"""A smaller p-value supports an association: 5 % over symbols, states and classes (Bonferroni)."""

MIN_COUNT = 10
"""A category with fewer observations is not tested."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Associations:
    """The association of each of V categories with each of H units.

    `correlation` is Pearson's, of the category's indicator with the unit's value. `effect` is the
    unit's mean value in the category, in standard deviations from its mean over all observations.
    Both are 0 for a category that is not tested. `p_value` is the share of random permutations in
    which any category correlates with any unit at least as strongly (Westfall & Young, 1993), so
    it is corrected for the number of categories and units."""

    correlation: Float[np.ndarray, "V H"]
    effect: Float[np.ndarray, "V H"]
    p_value: Float[np.ndarray, "V H"]


@dataclass(frozen=True, kw_only=True)
class Association:
    """The association of one unit with one category: it rises or falls when a "symbol" is read, is
    high or low in a "state" of the automaton, or at the end of sequences of a "class"."""

    kind: str
    name: str
    correlation: float
    effect: float
    p_value: float

    def __str__(self) -> str:
        if self.kind == "symbol":
            return "rises" if self.correlation > 0 else "falls"
        return "high" if self.correlation > 0 else "low"


def associations_of_steps(
    categories: Int[np.ndarray, " M"],
    values: Float[np.ndarray, "M H"],
    count: int,
    *,
    seed: int = 0,
) -> Associations:
    """The associations of the category of each step, one of `count`, with the units' values there.

    Neighbouring steps are similar and cannot be shuffled. A permutation rotates the values against
    the categories by a random number of steps, which keeps the order of both."""
    size = len(categories)
    turns = stream(seed, "turns").integers(1, max(2, size), DRAWS)
    permutations = ((np.arange(size) + turn) % size for turn in turns)
    return _associations(categories, values, count, permutations)


def associations_of_ends(
    categories: Int[np.ndarray, " M"],
    values: Float[np.ndarray, "M H"],
    count: int,
    *,
    seed: int = 0,
) -> Associations:
    """The associations of the category of each sequence with the units' values at its end; a
    permutation shuffles the sequences."""
    rng = stream(seed, "shuffles")
    permutations = (rng.permutation(len(categories)) for _ in range(DRAWS))
    return _associations(categories, values, count, permutations)


def _associations(
    categories: Int[np.ndarray, " M"],
    values: Float[np.ndarray, "M H"],
    count: int,
    permutations: Iterable[Int[np.ndarray, " M"]],
) -> Associations:
    size = len(categories)
    counts = np.bincount(categories, minlength=count)
    tested = np.flatnonzero((counts >= MIN_COUNT) & (counts < size))
    correlation, effect = np.zeros((2, count, values.shape[1]))
    p_value = np.ones_like(correlation)
    if len(tested):
        n = counts[tested][:, None]
        ones = np.ones(size, np.float32)
        indicators = csr_array((ones, (categories, np.arange(size))), shape=(count, size))[tested]
        scaled = indicators.multiply(1 / np.sqrt(n * (size - n)).astype(np.float32)).tocsr()
        spread = values.std(axis=0)
        centered = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)
        standard = centered.astype(np.float32)
        correlation[tested] = correlations = scaled @ standard
        effect[tested] = correlations * np.sqrt((size - n) / n)
        strongest = np.sort([np.abs(scaled @ standard[order]).max() for order in permutations])
        as_strong = DRAWS - np.searchsorted(strongest, np.abs(correlations) * (1 - 1e-6))
        p_value[tested] = (1 + as_strong) / (1 + DRAWS)
    return Associations(correlation=correlation, effect=effect, p_value=p_value)
