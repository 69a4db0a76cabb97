"""The distribution of the gradients of a network's loss, parameter by parameter.

It shows where gradients vanish or explode, and which parameters decide (Glorot & Bengio, 2010,
"Understanding the difficulty of training deep feedforward neural networks", figures 6 and 7).

Shapes: N sequences, G parameters, L positions of a sequence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from lisor.data.dataset import Split
from lisor.networks.network import Differentiable, Network
from lisor.networks.training import known_labels
from lisor.randomness import stream

MAX_DRAWN = 100
"""Sequences whose gradients are computed."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of so many numbers.

    `quantiles` are those of its gradient over sequences, at `QUANTILES`: of the root mean square
    over its numbers, of the mean loss of a sequence: the cross-entropy, or of numbers the squared
    error. `unmoved` is the share of its numbers
    whose gradient is 0 in each sequence."""

    name: str
    count: int
    quantiles: tuple[float, ...]
    unmoved: float


def parameter_gradients(
    network: Network, through: Differentiable, split: Split, *, seed: int
) -> tuple[Parameter, ...]:
    """The gradients of each parameter, by drawn sequences of a split and their labels; none where
    no sequence has a symbol."""
    rows = np.flatnonzero(split.sequences.lengths > 0)
    drawn = stream(seed, "gradients by parameter").permutation(rows)[:MAX_DRAWN]
    labels, sizes = known_labels(split), dict[str, list[float]]()
    moved: dict[str, torch.Tensor] = {}
    for row in drawn:
        words = split.sequences.select(np.array([row]))
        read = torch.from_numpy(words.padded())[None].to(network.device)
        by_position = labels[split.positions.of_sequences(np.array([row]))]
        known = torch.from_numpy(by_position)[None].to(network.device)
        for name, gradient in through.parameter_gradients(read, known).items():
            size = float(gradient.double().square().mean().sqrt())
            sizes.setdefault(name, []).append(size)
            moves = gradient != 0
            moved[name] = moved.get(name, moves) | moves
    return tuple(
        Parameter(
            name=name,
            count=math.prod(moved[name].shape),
            quantiles=tuple(np.quantile(values, QUANTILES).tolist()),
            unmoved=1 - float(moved[name].double().mean()),
        )
        for name, values in sizes.items()
    )
