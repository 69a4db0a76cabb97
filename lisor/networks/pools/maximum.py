"""The largest value of each hidden unit.

Shapes: R trials, B sequences of a batch, T steps, H hidden units."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lisor.networks.pools.pool import folded, real_steps

largest = folded(torch.maximum)


class Maximum(nn.Module):
    """p = max_t h_t, unit by unit (Collobert et al., 2011, "Natural language processing (almost)
    from scratch")."""

    def __init__(self, hidden_size: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()

    def forward(
        self, hidden: Float[Tensor, "R T+1 B H"], lengths: Int[Tensor, "R B"]
    ) -> Float[Tensor, "R B H"]:
        """The maximum over the real steps; zeros for an empty sequence."""
        empty = hidden.new_full(hidden[:, :1].shape, -torch.inf)
        real = hidden[:, 1:].masked_fill(~real_steps(hidden, lengths)[..., None], -torch.inf)
        highest = torch.cat([empty, real], dim=1).amax(dim=1)
        return highest.masked_fill(lengths[..., None] == 0, 0.0)

    def step(
        self, pooled: Tensor, weight: Tensor, hidden: Tensor
    ) -> tuple[Float[Tensor, "R B H"], Float[Tensor, "R B 1"]]:
        """The maximum up to and with a hidden state, and the weight 0."""
        return largest(pooled, weight, hidden)
