"""Rank correlation of attributions with the changes of an automaton's state.

Shapes: P symbols of all sequences together, T steps of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata

from lisor.automata.automaton import Automaton
from lisor.explain.attributions import Attributions, by_sequence
from lisor.randomness import stream

DRAWS = 20
"""Random attributions with which the others are compared."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Spearman's rank correlation of |attribution| and change of state, mean over `sequences`.

    `shuffled` and `deviation` are its mean and standard deviation for attributions that are
    shuffled within each sequence."""

    correlation: float
    shuffled: float
    deviation: float
    sequences: int


def agreement(automaton: Automaton, attributions: Attributions, *, seed: int = 0) -> Agreement:
    """The rank correlation of attributions and changes of state.

    A sequence counts if the state changes at one of its steps and stays at another, and if its
    attributions differ. The correlations are NaN where no sequence counts."""
    sequences = attributions.sequences
    all_sizes = by_sequence(sequences, np.abs(attributions.values))
    all_changes = by_sequence(sequences, state_changes(automaton, attributions))
    rng = stream(seed, "agreement")
    correlations, shuffled = [], []
    for sizes, moved in zip(all_sizes, all_changes, strict=True):
        if sizes.size and moved.any() and not moved.all() and sizes.min() < sizes.max():
            ranks, moves = _standard(rankdata(sizes)), _standard(moved)
            correlations.append(ranks @ moves / len(sizes))
            shuffled.append(rng.permuted(np.tile(ranks, (DRAWS, 1)), axis=1) @ moves / len(sizes))
    if not correlations:
        return Agreement(correlation=np.nan, shuffled=np.nan, deviation=np.nan, sequences=0)
    draws = np.mean(shuffled, axis=0)
    return Agreement(
        correlation=float(np.mean(correlations)),
        shuffled=float(draws.mean()),
        deviation=float(draws.std(ddof=1)),
        sequences=len(correlations),
    )


def state_changes(automaton: Automaton, attributions: Attributions) -> Bool[np.ndarray, " P"]:
    """Whether the automaton's state changes at each symbol."""
    after = automaton.trace(attributions.sequences)
    return np.asarray(automaton.states_before(attributions.sequences, after) != after)


def _standard(numbers: Float[np.ndarray, " T"] | Bool[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    """The numbers with mean 0 and variance 1.

    The mean product of two such rows is Pearson's correlation, and Spearman's if they were ranks.
    Two values such as yes and no have the same correlation as their ranks."""
    return np.asarray((numbers - numbers.mean()) / numbers.std())
