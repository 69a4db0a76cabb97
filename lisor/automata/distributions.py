"""How well distributions over what comes next are predicted.

Shapes: M positions, C classes, Q rows of a table of distributions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lisor.automata.automaton import Automaton
from lisor.automata.weighted import WeightedAutomaton
from lisor.sequences import Sequences

MAX_NUMBERS = 1 << 23
"""Probabilities that are held at once."""

TOLERANCE = 0.01
"""Nats of mean divergence by which a smaller automaton may be further from its network: no more
than a small error of many probabilities causes, and far less than a state that is missing."""

MIN_PROBABILITY = 1e-30
"""The least probability that is distinguished from 0 in a logarithm."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Distributions:
    """The distribution over classes at each of M positions: row `index[m]` of a `table`."""

    table: Float[np.ndarray, "Q C"]
    index: Int[np.ndarray, " M"]

    @classmethod
    def of(cls, automaton: Automaton | WeightedAutomaton, sequences: Sequences) -> Distributions:
        """Those of an automaton at the positions of sequences."""
        if isinstance(automaton, WeightedAutomaton):
            return cls.rows(automaton.probabilities(sequences))
        states = automaton.states_at(sequences, automaton.trace(sequences))
        return cls(table=automaton.distributions, index=states)

    @classmethod
    def rows(cls, probabilities: Float[np.ndarray, "M C"]) -> Distributions:
        """Those that stand in a row each."""
        return cls(table=probabilities, index=np.arange(len(probabilities)))

    def blocks(self) -> Iterator[tuple[slice, Float[np.ndarray, "B C"]]]:
        """The distributions of some positions at a time, and which these are."""
        rows = max(1, MAX_NUMBERS // self.table.shape[1])
        for start in range(0, len(self.index), rows):
            part = slice(start, start + rows)
            yield part, self.table[self.index[part]]

    def log_probabilities(self, labels: Int[np.ndarray, " M"]) -> Float[np.ndarray, " M"]:
        """The natural logarithm of the probability of the label at each position."""
        taken = self.table[self.index, labels].astype(np.float64)
        logs: Float[np.ndarray, " M"] = np.log(np.maximum(taken, MIN_PROBABILITY))
        return logs

    def most_likely(self) -> Int[np.ndarray, " M"]:
        """The most likely class at each position; a tie goes to the lower index."""
        classes: Int[np.ndarray, " M"] = self.table.argmax(axis=1)[self.index]
        return classes

    def total_variation(self, other: Distributions) -> Float[np.ndarray, " M"]:
        """Half of Σ_c |p_c − q_c| at each position: the most by which the probabilities of any set
        of classes differ."""
        apart = np.empty(len(self.index))
        for part, shares in self.blocks():
            difference = shares - other.table[other.index[part]]
            apart[part] = np.abs(difference).sum(axis=1) / 2
        return apart

    def divergence(self, other: Distributions) -> Float[np.ndarray, " M"]:
        """The divergence of the other's distributions from these at each position."""
        apart = np.empty(len(self.index))
        for part, shares in self.blocks():
            apart[part] = divergence(shares, other.table[other.index[part]])
        return apart


def divergence(
    p: Float[np.ndarray, "*M C"], q: Float[np.ndarray, "*M C"]
) -> Float[np.ndarray, "*M"]:
    """Σ_c p_c ln(p_c / q_c), in nats (Kullback & Leibler, 1951)."""
    first, second = (np.maximum(shares.astype(np.float64), MIN_PROBABILITY) for shares in (p, q))
    nats = (first * np.log(first / second)).sum(axis=-1)
    apart: Float[np.ndarray, "*M"] = np.maximum(nats, 0.0)  # but for rounding it is so already
    return apart


def perplexity(log_probabilities: Float[np.ndarray, " M"]) -> float:
    """exp of the mean negative log-probability of a position (Jelinek et al., 1977, "Perplexity—a
    measure of the difficulty of speech recognition tasks"): among how many equally likely
    classes one has to guess."""
    if not len(log_probabilities):
        return float("nan")
    return float(np.exp(-log_probabilities.mean()))


def sequence_log_probabilities(
    log_probabilities: Float[np.ndarray, " M"], offsets: Int[np.ndarray, " N+1"]
) -> Float[np.ndarray, " N"]:
    """The log-probability of each whole sequence, whose positions begin at the `offsets`."""
    sums: Float[np.ndarray, " N"] = np.add.reduceat(log_probabilities, offsets[:-1])
    return sums


def pautomac_score(
    true: Float[np.ndarray, " N"], log_probabilities: Float[np.ndarray, " N"]
) -> float:
    """2^(−Σ p log₂ q) over test strings, with both normalised over them (Verwer et al., 2014,
    "PAutomaC: a probabilistic automata and hidden Markov models learning competition", section
    4)."""
    p = true / true.sum()
    largest = log_probabilities.max()
    logs = log_probabilities - largest
    logs -= np.log(np.exp(logs).sum())
    return float(2 ** -(p * logs / np.log(2)).sum())
