"""Attributions by removal, which any network has: how far its prediction falls without a symbol.

Shapes: N sequences, P symbols of all of them together, T steps."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from lisor.explain.attributions import Attributions
from lisor.explain.score import predictions_after, score_of
from lisor.networks.network import Network
from lisor.sequences import Sequences

REMOVAL = "removal"

MAX_READ = 1 << 21
"""Symbols that a network reads for the removal of each of many sequences' symbols."""

MAX_SYMBOLS = 1 << 16
"""Symbols of the shortened sequences that are in memory at once, of more than one sequence."""


def affordable(sequences: Sequences) -> Sequences:
    """The first of many sequences, as many as `MAX_READ` symbols suffice for; at least one."""
    cost = np.cumsum(sequences.lengths * np.maximum(sequences.lengths - 1, 0))
    count = max(1, int(np.searchsorted(cost, MAX_READ, side="right")))
    return sequences.select(np.arange(min(count, len(sequences))))


def remove(
    network: Network, sequences: Sequences, *, explained: Int[np.ndarray, " N"] | None = None
) -> Attributions:
    """The score of each prediction less that without the symbol (Li, Monroe & Jurafsky, 2016,
    "Understanding neural networks through representation erasure"); unless it is given which class
    or number is `explained`, it is the score's choice."""
    score, whole = score_of(network.target), predictions_after(network, sequences)
    if explained is None:
        explained = score.explained(whole)
    before = score.of(whole, explained)
    values = np.zeros(len(sequences.symbols), np.float32)
    for rows in _batches(sequences.lengths):
        lengths = sequences.lengths[rows]
        without = predictions_after(network, _without_each(sequences.select(rows)))
        after = score.of(without, np.repeat(explained[rows], lengths))
        first, last = sequences.offsets[rows[0]], sequences.offsets[rows[-1] + 1]
        values[first:last] = np.repeat(before[rows], lengths) - after
    return Attributions(
        method=REMOVAL, sequences=sequences, values=values, explained=explained, whole=whole
    )


def _batches(lengths: Int[np.ndarray, " N"]) -> list[Int[np.ndarray, " B"]]:
    """Consecutive rows whose shortened sequences have about `MAX_SYMBOLS` symbols."""
    number = np.cumsum(lengths * lengths) // MAX_SYMBOLS
    return [np.flatnonzero(number == one) for one in np.unique(number)]


def _without_each(sequences: Sequences) -> Sequences:
    """The sequences that lack one symbol, for each symbol in order."""
    lengths = sequences.lengths
    copies = sequences.select(np.repeat(np.arange(len(sequences)), lengths))
    removed = np.arange(len(sequences.symbols)) - np.repeat(sequences.offsets[:-1], lengths)
    mask = np.ones(len(copies.symbols), bool)
    mask[copies.offsets[:-1] + removed] = False
    return copies.keep(mask)
