"""What a network's hidden units go with: symbols, states of an automaton, classes. A permutation test decides.

Shapes: M places (steps, or ends of sequences), H hidden units, V things that a place can be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from lisor.randomness import stream

DRAWS = 499
"""Random arrangements that the true one is held against."""

LEVEL = 0.05 / 3
"""A smaller p-value makes a finding: 5 % over symbols, states and classes together (Bonferroni)."""

FEWEST = 10
"""Places of a thing without which it is not looked at."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Links:
    """How each of V things goes with each of H units.

    `correlation` is Pearson's, of being that thing with the unit's number, and `effect` the mean number there, in
    standard deviations from that of all places; both 0 where a thing is met at fewer than `FEWEST` places or at all.
    `p_value` is the share of random arrangements in which some thing correlates with some unit at least as strongly
    (Westfall & Young, 1993), so that many looks alone make no finding."""

    correlation: Float[np.ndarray, "V H"]
    effect: Float[np.ndarray, "V H"]
    p_value: Float[np.ndarray, "V H"]


@dataclass(frozen=True, kw_only=True)
class Link:
    """How one unit goes with one thing: it rises or falls when a "symbol" is read, is high or low in a "state" of the
    automaton, or at the end of sequences of a "class"."""

    kind: str
    name: str
    correlation: float
    effect: float
    p_value: float

    def __str__(self) -> str:
        if self.kind == "symbol":
            return "rises" if self.correlation > 0 else "falls"
        return "high" if self.correlation > 0 else "low"


def links_of_steps(
    things: Int[np.ndarray, " M"], numbers: Float[np.ndarray, "M H"], count: int, *, seed: int = 0
) -> Links:
    """The links of what stands at each step, one of `count` things, with the units' numbers there.

    Neighbouring steps are alike and cannot be shuffled: the things are turned round against the numbers by a random
    number of steps, which leaves both in their order."""
    size = len(things)
    turns = stream(seed, "turns").integers(1, max(2, size), DRAWS)
    return _links(things, numbers, count, ((np.arange(size) + turn) % size for turn in turns))


def links_of_ends(
    things: Int[np.ndarray, " M"], numbers: Float[np.ndarray, "M H"], count: int, *, seed: int = 0
) -> Links:
    """The links of what each sequence is with the units' numbers at its end; the sequences are shuffled."""
    rng = stream(seed, "shuffles")
    return _links(things, numbers, count, (rng.permutation(len(things)) for _ in range(DRAWS)))


def _links(
    things: Int[np.ndarray, " M"],
    numbers: Float[np.ndarray, "M H"],
    count: int,
    arrangements: Iterable[Int[np.ndarray, " M"]],
) -> Links:
    size, often = len(things), np.bincount(things, minlength=count)
    looked = np.flatnonzero((often >= FEWEST) & (often < size))
    correlation, effect = np.zeros((2, count, numbers.shape[1]))
    p_value = np.ones_like(correlation)
    if len(looked):
        n = often[looked][:, None]
        met = csr_array((np.ones(size, np.float32), (things, np.arange(size))), shape=(count, size))[looked]
        met = met.multiply(1 / np.sqrt(n * (size - n)).astype(np.float32)).tocsr()
        spread = numbers.std(axis=0)
        standard = ((numbers - numbers.mean(axis=0)) / np.where(spread > 0, spread, 1)).astype(np.float32)
        correlation[looked] = found = met @ standard
        effect[looked] = found * np.sqrt((size - n) / n)
        strongest = np.sort([np.abs(met @ standard[order]).max() for order in arrangements])
        as_strong = len(strongest) - np.searchsorted(strongest, np.abs(found) * (1 - 1e-6))
        p_value[looked] = (1 + as_strong) / (1 + len(strongest))
    return Links(correlation=correlation, effect=effect, p_value=p_value)
