"""The mean of all hidden states.

Shapes: R trials, B sequences of a batch, T steps, H hidden units, N states."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lisor.networks.pools.pool import real_steps


def average(
    pooled: Float[Tensor, "*N H"], weight: Float[Tensor, "*N 1"], value: Float[Tensor, "*N H"]
) -> tuple[Float[Tensor, "*N H"], Float[Tensor, "*N 1"]]:
    """p' = p + (v − p) / (t + 1), at the weight 1 / (1 + t) of t steps."""
    return torch.lerp(pooled, value, weight), weight / (1 + weight)


class Mean(nn.Module):
    """p = Σ h_t / T."""

    def __init__(self, hidden_size: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()

    def forward(
        self, hidden: Float[Tensor, "R T+1 B H"], lengths: Int[Tensor, "R B"]
    ) -> Float[Tensor, "R B H"]:
        """The mean of the real steps; zeros for an empty sequence."""
        total = (hidden[:, 1:] * real_steps(hidden, lengths)[..., None]).sum(dim=1)
        return total / lengths.clamp(min=1)[..., None]

    def step(
        self, pooled: Tensor, weight: Tensor, hidden: Tensor
    ) -> tuple[Float[Tensor, "R B H"], Float[Tensor, "R B 1"]]:
        """The mean up to and with a hidden state, and the weight of the next."""
        return average(pooled, weight, hidden)
