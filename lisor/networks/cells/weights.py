"""Weights as they are drawn: R independent sets, set r from generator r alone.

Shapes: R trials, B sequences of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


def glorot(
    generators: Sequence[torch.Generator], rows: int, columns: int, blocks: int
) -> nn.Parameter:
    """A matrix of so many blocks side by side for each generator."""
    drawn = [
        torch.cat(
            [
                nn.init.xavier_uniform_(torch.empty(rows, columns), generator=g)
                for _ in range(blocks)
            ],
            dim=1,
        )
        for g in generators
    ]
    return nn.Parameter(torch.stack(drawn))


def orthogonal(generators: Sequence[torch.Generator], size: int, blocks: int) -> nn.Parameter:
    """A matrix of so many square blocks side by side for each generator."""
    drawn = [
        torch.cat(
            [nn.init.orthogonal_(torch.empty(size, size), generator=g) for _ in range(blocks)],
            dim=1,
        )
        for g in generators
    ]
    return nn.Parameter(torch.stack(drawn))


def constant(
    generators: Sequence[torch.Generator], values: Sequence[float], size: int
) -> nn.Parameter:
    """A row with each value `size` times, for each generator."""
    row = torch.tensor(values).repeat_interleave(size)
    return nn.Parameter(row.repeat(len(generators), 1, 1))


def zeros(like: Tensor, batch: int, size: int) -> Tensor:
    """Zeros for each trial that a parameter has."""
    return like.new_zeros(like.shape[0], batch, size)


def add_product(
    sums: Float[Tensor, "R B G"],
    h: Float[Tensor, "R B H"] | Float[Tensor, "R 1 H"],
    weight: Float[Tensor, "R H G"],
) -> Float[Tensor, "R B G"]:
    """sums + h·W, with the product made once where h has a single row."""
    return torch.baddbmm(sums, h, weight) if h.shape[1] == sums.shape[1] else sums + h @ weight
