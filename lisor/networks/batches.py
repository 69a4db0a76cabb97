"""Sequences in batches of similar length.

Shapes: R trials, B sequences of a batch, T steps, D numbers of a step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lisor.sequences import Sequences

Inputs: TypeAlias = Int[Tensor, "R B T"] | Float[Tensor, "R B T D"]
"""What a batch of sequences is read from: symbols, or the numbers that symbols were made from."""


def length_batches(
    sequences: Sequences, device: torch.device, most_symbols: int = 1 << 15
) -> Iterator[tuple[Int[np.ndarray, " B"], Inputs, Int[Tensor, "1 B"]]]:
    """Batches of sequences of similar length, shortest first: their rows, what is read of them,
    padded, and lengths.

    A batch holds at most `most_symbols` symbols, padding included, and at least one sequence."""
    lengths = sequences.lengths
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        # Lengths rise, so the padded size of a batch rises with its end, which is found by halving.
        ahead = np.maximum(lengths[order[start : start + most_symbols]], 1)
        sizes = ahead * np.arange(1, len(ahead) + 1)
        end = start + max(1, int(np.searchsorted(sizes, most_symbols, side="right")))
        rows = order[start:end]
        read = torch.from_numpy(sequences.select(rows).padded())[None].to(device)
        yield rows, read, torch.from_numpy(lengths[rows])[None].to(device)
        start = end


def equal_batches(
    sequences: Sequences, device: torch.device, most_symbols: int = 1 << 14
) -> Iterator[tuple[Int[np.ndarray, " B"], Inputs]]:
    """Batches of sequences of one length, shortest first, without the empty ones: their rows and
    what is read of them, nothing of it padding.

    A batch holds at most `most_symbols` symbols, and at least one sequence."""
    lengths = sequences.lengths
    for length in np.unique(lengths[lengths > 0]).tolist():
        rows = np.flatnonzero(lengths == length)
        count = max(1, most_symbols // length)
        for start in range(0, len(rows), count):
            batch = rows[start : start + count]
            yield batch, torch.from_numpy(sequences.select(batch).padded())[None].to(device)
