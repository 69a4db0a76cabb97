"""Whether the symbols that move an automaton to another state are those that count for its network's answer.

Shapes: P symbols of all sequences together, T steps of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata

from lisor.explain.gradients import Attributions
from lisor.fsa.automaton import Automaton
from lisor.randomness import stream

DRAWS = 20
"""Of random attributions, to hold the others against."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Spearman's rank correlation of |attribution| and change of state, mean over `sequences`, beside the mean and the
    standard deviation of the same for attributions that were shuffled within each sequence."""

    correlation: float
    shuffled: float
    deviation: float
    sequences: int


def agreement(automaton: Automaton, attributions: Attributions, *, seed: int = 0) -> Agreement:
    """How well attributions and changes of state agree.

    Counted are the sequences that have both a step which changes the state and one which does not, and attributions
    that are not all alike; without any the correlations are not numbers."""
    changes, rng = state_changes(automaton, attributions), stream(seed, "agreement")
    found, shuffled = [], []
    for first, last in zip(attributions.sequences.offsets[:-1], attributions.sequences.offsets[1:], strict=True):
        own, moved = np.abs(attributions.values[first:last]), changes[first:last]
        if own.size and moved.any() and not moved.all() and own.min() < own.max():
            ranks, moves = _standard(rankdata(own)), _standard(moved)
            found.append(ranks @ moves / len(own))
            shuffled.append(rng.permuted(np.tile(ranks, (DRAWS, 1)), axis=1) @ moves / len(own))
    if not found:
        return Agreement(correlation=np.nan, shuffled=np.nan, deviation=np.nan, sequences=0)
    draws = np.mean(shuffled, axis=0)
    return Agreement(
        correlation=float(np.mean(found)),
        shuffled=float(draws.mean()),
        deviation=float(draws.std(ddof=1)),
        sequences=len(found),
    )


def state_changes(automaton: Automaton, attributions: Attributions) -> Bool[np.ndarray, " P"]:
    """Whether each symbol leads the automaton out of the state that it is in."""
    after = automaton.trace(attributions.sequences)
    changed: Bool[np.ndarray, " P"] = automaton.states_before(attributions.sequences, after) != after
    return changed


def _standard(numbers: Float[np.ndarray, " T"] | Bool[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    """Numbers of mean 0 and variance 1: the mean product of two such rows is Pearson's correlation, and Spearman's
    where they were ranks, since a yes and no correlates as its ranks do."""
    standard: Float[np.ndarray, " T"] = (numbers - numbers.mean()) / numbers.std()
    return standard
