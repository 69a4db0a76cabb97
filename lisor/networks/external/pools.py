"""What pools over the steps of a module, kept up step by step as `lisor.networks.pools` does.

Shapes: N states, D numbers that are pooled, K scores of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lisor.networks.external.recurrence import Part
from lisor.networks.external.trace import Number
from lisor.networks.pools.attention import attend, mix
from lisor.networks.pools.maximum import largest
from lisor.networks.pools.mean import average
from lisor.networks.pools.pool import folded

Pool = Callable[
    [Float[Tensor, "N D"], Float[Tensor, "N K"], Float[Tensor, "N D"]],
    tuple[Float[Tensor, "N D"], Float[Tensor, "N K"]],
]
"""What has been pooled, and its weight, after one more step: of both so far and the step's
value."""


ATTENTION = "weight of attention"
"""What the part of a state is called that says how much weight attention has given so far."""


def _log_mean(pooled: Tensor, weight: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of exponentials: p' = log(exp p + (exp v − exp p) / (t + 1))."""
    after = torch.logaddexp(pooled + torch.log(1 - weight), value + torch.log(weight))
    return after, weight / (1 + weight)


def _attention(
    pooled: Tensor, weight: Tensor, value: Tensor, score: Tensor, *, in_turn: bool
) -> tuple[Tensor, Tensor]:
    """What is pooled, and the weights, of as many scores as divide the numbers of a value: for one
    number after the other `in_turn`, or for as many beside each other."""
    share, after = attend(weight, score)
    times = value.shape[1] // score.shape[1]
    share = share.repeat(1, times) if in_turn else share.repeat_interleave(times, 1)
    return mix(pooled, value, share), after


POOLS: tuple[Pool, ...] = (
    folded(lambda pooled, value: value),
    average,
    _log_mean,
    largest,
    folded(torch.minimum),
)

SUMS: tuple[Pool, ...] = (folded(torch.add), folded(torch.logaddexp))
"""What may also be a mean that is divided later."""


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A tensor that calls on one symbol and on two put out alike: its numbers in both, and the axis
    of its steps, if it has one."""

    one: Number
    two: Number
    axis: int | None

    @property
    def steps(self) -> int:
        """The axis of its steps."""
        return self.axis or 0


@dataclass(frozen=True, kw_only=True)
class Attention:
    """A sum weighted by a softmax of scores, which are the numbers of a tensor or their
    logarithms."""

    number: Number
    part: Part
    is_log: bool
    in_turn: bool

    def __call__(
        self, pooled: Tensor, weight: Tensor, value: Tensor, step: Mapping[Number, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """What has been pooled, and its weight, after a step that put out these tensors."""
        score = self.part.flat(step[self.number])
        score = score.log() if self.is_log else score
        return _attention(pooled, weight, value, score, in_turn=self.in_turn)


@dataclass(frozen=True, kw_only=True)
class Reducer:
    """A tensor made of those of all steps, and by which pool."""

    spot: Spot
    part: Part
    pool: Pool | Attention

    @property
    def weight(self) -> Part:
        """What its weights are like, one for each score."""
        if isinstance(self.pool, Attention):
            return Part.vector(ATTENTION, self.pool.part.size)
        return Part.vector("weight", 1)

    @property
    def wanted(self) -> list[Number]:
        """The tensors of a step that it reads."""
        scores = [self.pool.number] if isinstance(self.pool, Attention) else []
        return [self.spot.one, *scores]

    def nothing(self, count: int) -> list[Float[Tensor, "N D"]]:
        """What has been pooled before the first step, and that the next one is all that counts."""
        return [torch.zeros(count, self.part.size), torch.ones(count, self.weight.size)]

    def add(
        self, pooled: Tensor, weight: Tensor, step: Mapping[Number, Tensor]
    ) -> list[Float[Tensor, "N D"]]:
        """What has been pooled, and its weight, after a step that put out these tensors."""
        value = self.part.flat(step[self.spot.one])
        if isinstance(self.pool, Attention):
            return [*self.pool(pooled, weight, value, step)]
        return [*self.pool(pooled, weight, value)]
