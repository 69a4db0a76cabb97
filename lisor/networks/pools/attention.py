"""The sum of all hidden states, weighted by attention.

Shapes: R trials, B sequences of a batch, T steps, H hidden units, N states, K scores of a
step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lisor.networks.cells.weights import glorot
from lisor.networks.pools.pool import real_steps


def attend(
    weight: Float[Tensor, "*N K"], score: Float[Tensor, "*N K"]
) -> tuple[Float[Tensor, "*N K"], Float[Tensor, "*N K"]]:
    """The share s = exp(e − z') of a step with a score e, with z' = log(exp z + exp e), and the
    weight after it; what is pooled becomes p' = p + s (v − p).

    The logarithm z of the sum of all weights before they are divided is kept as (1 − z / (1 +
    |z|)) / 2, a number that can be clustered. Shares are of double precision."""
    total = torch.logaddexp(log_total(weight), score.double())
    after = (1 - total / (1 + total.abs())) / 2
    return torch.exp(score.double() - total), after.to(weight.dtype)


def log_total(weight: Float[Tensor, "*N K"]) -> Float[Tensor, "*N K"]:
    """The logarithm z of the sum of all weights, from the number that is kept of it."""
    squashed = 1 - 2 * weight.double()
    return squashed / (1 - squashed.abs())


def shares_of(weights: Float[Tensor, "T *N K"]) -> Float[Tensor, "T *N K"]:
    """The share of each step in the sum after the last one, from what is kept after each step:
    exp(z_t − z_T) − exp(z_(t−1) − z_T)."""
    totals = log_total(weights)
    sums = torch.exp(totals - totals[-1])
    return torch.diff(sums, dim=0, prepend=torch.zeros_like(sums[:1]))


def mix(
    pooled: Float[Tensor, "*N H"], value: Float[Tensor, "*N H"], share: Float[Tensor, "*N H"]
) -> Float[Tensor, "*N H"]:
    """p + s (v − p), computed in double precision."""
    return torch.lerp(pooled.double(), value.double(), share).to(pooled.dtype)


class Attention(nn.Module):
    """Softmax over a linear score of every hidden state (Zhou et al., 2016, "Attention-based
    bidirectional long short-term memory networks for relation classification", without their tanh):
    α = softmax(w·h_t), p = Σ α_t h_t."""

    def __init__(self, hidden_size: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.score = glorot(generators, hidden_size, 1, 1)

    def weights(
        self, hidden: Float[Tensor, "R T+1 B H"], lengths: Int[Tensor, "R B"]
    ) -> Float[Tensor, "R T B"]:
        """How much each step counts: 0 after the last real one, and 1 in sum but for an empty
        sequence."""
        scores = (hidden[:, 1:] @ self.score[:, None])[..., 0]
        real = real_steps(hidden, lengths)
        masked = scores.masked_fill(~real & (lengths > 0)[:, None, :], -torch.inf)
        return masked.softmax(dim=1) * real

    def forward(
        self, hidden: Float[Tensor, "R T+1 B H"], lengths: Int[Tensor, "R B"]
    ) -> Float[Tensor, "R B H"]:
        """The weighted sum of the hidden states; zeros for an empty sequence."""
        return (self.weights(hidden, lengths)[..., None] * hidden[:, 1:]).sum(dim=1)

    def step(
        self, pooled: Tensor, weight: Tensor, hidden: Tensor
    ) -> tuple[Float[Tensor, "R B H"], Float[Tensor, "R B 1"]]:
        """The weighted sum up to and with a hidden state, and the weight that follows from the sum
        of all weights."""
        share, after = attend(weight, hidden @ self.score)
        return mix(pooled, hidden, share), after
