"""Networks whose outputs come from all their steps at once, as state machines.

What pools over steps can be kept up step by step: a mean with the number of steps, attention with
the logarithm of the sum of its weights before they are divided, z' = log(exp z + exp e). Beside the
recurrent state stands what has been pooled so far, and a number that says how much the next step
counts, from 1 before the first to 0: 1 / (1 + t) for a mean of t steps, (1 − z / (1 + |z|)) / 2 for
attention.

Shapes: N states, T steps, H numbers of a part of a state, D numbers that are pooled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lisor.errors import ModelError
from lisor.networks.external.recurrence import OTHER, WORDS, Nodes, Part, Recurrence, describe, near
from lisor.networks.external.trace import Node, Number
from lisor.randomness import stream

Pool = Callable[
    [Float[Tensor, "N D"], Float[Tensor, "N 1"], Float[Tensor, "N D"], Float[Tensor, "N 1"] | None],
    tuple[Float[Tensor, "N D"], Float[Tensor, "N 1"]],
]
"""What has been pooled, and its weight, after one more step: of both so far, the step's value and
its score."""


def _mean(
    pooled: Tensor, weight: Tensor, value: Tensor, score: Tensor | None
) -> tuple[Tensor, Tensor]:
    """p' = p + (v − p) / (t + 1), at the weight 1 / (1 + t)."""
    return torch.lerp(pooled, value, weight), weight / (1 + weight)


def _largest(
    pooled: Tensor, weight: Tensor, value: Tensor, score: Tensor | None
) -> tuple[Tensor, Tensor]:
    """p' = max(p, v); the weight is 1 before the first step and then 0."""
    return torch.where(weight > 0.5, value, torch.maximum(pooled, value)), torch.zeros_like(weight)


def _last(
    pooled: Tensor, weight: Tensor, value: Tensor, score: Tensor | None
) -> tuple[Tensor, Tensor]:
    """p' = v."""
    return value, torch.zeros_like(weight)


def _attention(
    pooled: Tensor, weight: Tensor, value: Tensor, score: Tensor | None
) -> tuple[Tensor, Tensor]:
    """p' = p + exp(e − z') (v − p)."""
    if score is None:
        return pooled, weight
    squashed = 1 - 2 * weight.double()
    total = torch.logaddexp(squashed / (1 - squashed.abs()), score.double())
    share = torch.exp(score.double() - total)
    after = (1 - total / (1 + total.abs())) / 2
    return torch.lerp(pooled.double(), value.double(), share).float(), after.float()


def _sum(
    pooled: Tensor, weight: Tensor, value: Tensor, score: Tensor | None
) -> tuple[Tensor, Tensor]:
    """p' = p + v."""
    return pooled + value, torch.zeros_like(weight)


POOLS: tuple[Pool, ...] = (_last, _mean, _largest, _attention)

WEIGHT = Part.vector("weight", 1)


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A tensor near the end of a call: its numbers in calls on one symbol and on two, and the axis
    of its steps, if it has one."""

    one: Number
    two: Number
    axis: int | None


@dataclass(frozen=True, kw_only=True)
class Reducer:
    """A tensor made of those of all steps, by which pool, and the number of the scores that weigh
    them where they are weighed."""

    spot: Spot
    part: Part
    pool: Pool
    score: Number | None


class Pooled:
    """A recurrence whose outputs come from what is pooled over its steps, beside its last state.

    A sum may be a mean that is divided later, so that `sums` are pools only where that is said.

    Raises:
        ModelError: they come from more than its last state in another way."""

    def __init__(self, recurrence: Recurrence, *, sums: bool = False) -> None:
        self._recurrence, self._pools = recurrence, (*POOLS, _sum) if sums else POOLS
        one, two = recurrence.record(1), recurrence.record(2)
        tail = list(_tail([*one.values()], [*two.values()]))
        others = recurrence.record(1, OTHER)
        self._reducers: list[Reducer] = []
        for spot in tail:
            if spot.axis is not None and self._says_all(spot, two):
                self._piece = spot
                self._reducers = self._find(spot, tail, one, others)
            if self._reducers:
                break
        else:
            raise ModelError("the outputs come from more than the last state")
        self.parts = recurrence.parts + tuple(
            part for reducer in self._reducers for part in (reducer.part, WEIGHT)
        )
        self.initial = None
        if recurrence.initial is not None:
            self.initial = [*recurrence.initial, *self._nothing(1)]

    def start(self, symbols: Int[Tensor, " N"]) -> list[Float[Tensor, "N H"]]:
        """The states after a first symbol."""
        ran = self._recurrence.run(symbols[:, None], wanted=[self._piece.one])
        value = ran.values[self._piece.one]
        return ran.states + self._pool(self._nothing(len(symbols)), value)

    def step(
        self, states: Sequence[Float[Tensor, "N H"]], symbols: Int[Tensor, " N"]
    ) -> list[Float[Tensor, "N H"]]:
        """The states after one more symbol."""
        count = len(self._recurrence.parts)
        ran = self._recurrence.run(
            symbols[:, None], before=states[:count], wanted=[self._piece.two]
        )
        value = ran.values[self._piece.two].narrow(self._steps, 1, 1)
        return ran.states + self._pool(states[count:], value)

    def read_out(self, states: Sequence[Float[Tensor, "N H"]]) -> Float[Tensor, "N C"]:
        """The outputs in states."""
        count = len(self._recurrence.parts)
        replaced = {
            reducer.spot.one: reducer.part.whole(pooled)
            for reducer, pooled in zip(self._reducers, states[count::2], strict=True)
        }
        symbols = torch.zeros(len(states[0]), 1, dtype=torch.long)
        return self._recurrence.run(symbols, after=states[:count], replace=replaced).outputs

    @property
    def _steps(self) -> int:
        """The axis of the steps of what is pooled."""
        return self._piece.axis or 0

    def _nothing(self, count: int) -> list[Float[Tensor, "N D"]]:
        """What has been pooled before the first step, and that the next one is all that counts."""
        return [
            number
            for reducer in self._reducers
            for number in (torch.zeros(count, reducer.part.size), torch.ones(count, 1))
        ]

    def _pool(
        self, pooled: Sequence[Float[Tensor, "N D"]], value: Tensor
    ) -> list[Float[Tensor, "N D"]]:
        """What has been pooled after one more step."""
        wanted = [reducer.spot.one for reducer in self._reducers]
        wanted += [reducer.score for reducer in self._reducers if reducer.score is not None]
        single, after = self._alone(value, len(pooled[0]), wanted), list[Tensor]()
        for reducer, before, weight in zip(self._reducers, pooled[::2], pooled[1::2], strict=True):
            score = _scores(single, reducer.score)
            after += reducer.pool(
                before, weight, reducer.part.flat(single[reducer.spot.one]), score
            )
        return after

    def _alone(self, value: Tensor, count: int, wanted: Sequence[Number]) -> dict[Number, Tensor]:
        """The tensors wanted of a call on one symbol whose step puts out `value`."""
        symbols = torch.zeros(count, 1, dtype=torch.long)
        replaced = {self._piece.one: value}
        return self._recurrence.run(symbols, replace=replaced, wanted=wanted).values

    def _says_all(self, spot: Spot, two: Nodes) -> bool:
        """Whether the outputs come from this tensor and the last state alone, whatever was read."""
        value = _random(two[spot.two].value)
        symbols = torch.zeros(WORDS, 1, dtype=torch.long)
        after = self._recurrence.start(symbols[:, 0])
        outputs = [
            self._recurrence.run(
                read,
                before=self._recurrence.start(read[:, 0]),
                after=after,
                replace={spot.two: value},
            ).outputs
            for read in (symbols, symbols + 1)
        ]
        return near(*outputs)

    def _find(self, piece: Spot, tail: Sequence[Spot], one: Nodes, others: Nodes) -> list[Reducer]:
        """What is made of the steps of a tensor, and how: the first tensors without an axis of
        steps that a pool gives."""
        timed = {spot.one for spot in tail if spot.axis is not None and spot.one >= piece.one}
        after = [spot for spot in reversed(tail) if spot.axis is None and spot.one > piece.one]
        scores = [
            max(node.sources & timed)
            for node in one.values()
            if "softmax" in node.operator and node.sources & timed
        ]
        scores = [number for number in scores if one[number].value.numel() == WORDS]
        wanted = [spot.one for spot in after]
        value = _random(torch.cat([one[piece.one].value] * 2, self._steps))
        single = [self._alone(part, WORDS, wanted + scores) for part in value.split(1, self._steps)]
        symbols = torch.zeros(WORDS, 1, dtype=torch.long)
        both = self._recurrence.run(
            symbols,
            before=self._recurrence.start(symbols[:, 0]),
            replace={piece.two: value},
            wanted=[spot.two for spot in after],
        ).values
        reducers, unknown = list[Reducer](), set(timed)
        for spot in after:
            if not one[spot.one].sources & unknown:
                continue
            reducer = self._reducer(spot, one, others, single, both, scores)
            if reducer is None:
                unknown.add(spot.one)
            else:
                reducers.append(reducer)
        return reducers

    def _reducer(
        self,
        spot: Spot,
        one: Nodes,
        others: Nodes,
        single: Sequence[Mapping[Number, Tensor]],
        both: Mapping[Number, Tensor],
        scores: Sequence[Number],
    ) -> Reducer | None:
        """The pool that makes of what a tensor is for each of two steps what it is for both."""
        try:
            part = describe(one[spot.one], others[spot.one], is_cell=False)
        except ModelError:
            return None
        sizes = {values[spot.one].numel() for values in single} | {both[spot.two].numel()}
        if sizes != {WORDS * part.size}:
            return None
        for pool, score in product(self._pools, (None, *scores)):
            pooled, weight = torch.zeros(WORDS, part.size), torch.ones(WORDS, 1)
            for values in single:
                value = part.flat(values[spot.one])
                pooled, weight = pool(pooled, weight, value, _scores(values, score))
            if near(pooled, part.flat(both[spot.two])):
                return Reducer(spot=spot, part=part, pool=pool, score=score)
        return None


def _tail(one: Sequence[Node], two: Sequence[Node]) -> Iterator[Spot]:
    """The tensors that calls on one and on two symbols put out alike after their last step, the
    last one first."""
    for first, second in zip(reversed(one), reversed(two), strict=False):
        if first.operator != second.operator:
            return
        sizes = first.value.shape, second.value.shape
        axes = [at for at, pair in enumerate(zip(*sizes, strict=False)) if pair == (1, 2)]
        if first.value.is_floating_point() and len(sizes[0]) == len(sizes[1]):
            is_same = sizes[0] == sizes[1]
            if is_same or len(axes) == 1:
                axis = None if is_same else axes[0]
                yield Spot(one=first.number, two=second.number, axis=axis)


def _scores(values: Mapping[Number, Tensor], number: Number | None) -> Float[Tensor, "N 1"] | None:
    return None if number is None else values[number].reshape(-1, 1).float().cpu()


def _random(like: Tensor) -> Tensor:
    numbers = stream(0, "steps that find a pool").standard_normal(tuple(like.shape))
    return torch.from_numpy(numbers).to(like.dtype).to(like.device)
