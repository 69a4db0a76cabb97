"""What a pool over hidden states is: how a network reads out all steps of a sequence at once.

A pool is a state machine too: beside the hidden state it keeps what has been pooled so far, p, and
a weight that says how much the next step counts, from 1 before the first step to 0. A pool is added
by one file and one line of `lisor.registry.POOLS`.

Shapes: R trials, B sequences of a batch, T steps, H hidden units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Pool(Protocol):
    """What the classifier needs of a pool, which is made of a number of hidden units and a
    generator for each trial."""

    def __call__(
        self, hidden: Float[Tensor, "R T+1 B H"], lengths: Int[Tensor, "R B"]
    ) -> Float[Tensor, "R B H"]:
        """What is pooled over the real steps of whole sequences; zeros for an empty one."""

    def step(
        self,
        pooled: Float[Tensor, "R B H"],
        weight: Float[Tensor, "R B 1"],
        hidden: Float[Tensor, "R B H"],
    ) -> tuple[Float[Tensor, "R B H"], Float[Tensor, "R B 1"]]:
        """What is pooled, and the weight, after the step that ends in a hidden state."""


def folded(
    operator: Callable[[Tensor, Tensor], Tensor],
) -> Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
    """A step that makes p' = p ∘ v of what is pooled and a value, and v at the first step; the
    weight is 1 before it and then 0."""

    def step(pooled: Tensor, weight: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        after = torch.where(weight > 0.5, value, operator(pooled, value))
        return after, torch.zeros_like(weight)

    return step


def real_steps(
    hidden: Float[Tensor, "R T+1 B H"], lengths: Int[Tensor, "R B"]
) -> Bool[Tensor, "R T B"]:
    """Which of the steps that left hidden states are none of padding."""
    return torch.arange(hidden.shape[1] - 1, device=hidden.device)[:, None] < lengths[:, None, :]
