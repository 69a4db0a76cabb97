"""Sequences completed by a network that predicts the next symbol.

Shapes: N sequences."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from lisor.automata.pdfa import MAX_LENGTH
from lisor.errors import ModelError
from lisor.networks.network import Predictor
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from lisor.targets.positions import Positions


def complete(
    network: Predictor, prefixes: Sequences, *, max_length: int = MAX_LENGTH
) -> tuple[Sequences, Bool[np.ndarray, " N"]]:
    """What the network holds most likely after each of N prefixes, symbol by symbol until the end
    (greedy decoding), and whether each has ended within `max_length` symbols.

    Symbols are read, whatever numbers they were made from. Of a tie the lower number is taken.

    Raises:
        ModelError: the network does not predict the next symbol."""
    if not TARGETS[network.target].is_distribution:
        raise ModelError(
            f"expected a network that predicts the next symbol, got one of the target "
            f"{network.target!r}"
        )
    words = [list(prefixes[row]) for row in range(len(prefixes))]
    drawn: list[list[int]] = [[] for _ in words]
    live, ended = np.arange(len(words)), np.zeros(len(words), bool)
    for _ in range(max_length):
        if not len(live):
            break
        read = Sequences.from_lists([words[row] for row in live])
        last = Positions.of(read, network.target).offsets[1:] - 1
        picked = network.predict(read)[last].argmax(axis=1)
        is_end = picked == len(network.alphabet)
        ended[live[is_end]] = True
        live, picked = live[~is_end], picked[~is_end]
        for row, symbol in zip(live.tolist(), picked.tolist(), strict=True):
            words[row].append(symbol)
            drawn[row].append(symbol)
    return Sequences.from_lists(drawn), ended
