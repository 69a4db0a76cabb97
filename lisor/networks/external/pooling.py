"""Networks whose outputs come from all their steps at once, as state machines: beside the recurrent
state stands what has been pooled over the steps so far.

Shapes: N states, H numbers of a part of a state, D numbers that are pooled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lisor.errors import ModelError
from lisor.networks.external.mixing import more
from lisor.networks.external.pools import POOLS, SUMS, Attention, Pool, Reducer, Spot
from lisor.networks.external.recurrence import (
    OTHER,
    WORDS,
    Part,
    Ran,
    Recurrence,
    describe,
)
from lisor.networks.external.rounding import same
from lisor.networks.external.trace import Node, Nodes, Number
from lisor.randomness import stream


class Pooled:
    """A recurrence whose outputs come from what is pooled over its steps, beside its last state.

    What is pooled is made of one tensor of all steps, or of two, of which the recurrence reads one.
    `SUMS` are pools only where that is said.

    Raises:
        ModelError: they come from more than its last state in another way."""

    def __init__(self, recurrence: Recurrence, *, sums: bool = False) -> None:
        self._recurrence, self._pools = recurrence, (*POOLS, *SUMS) if sums else POOLS
        one, two = recurrence.record(1), recurrence.record(2)
        before, after = _spots([*one.values()], [*two.values()])
        others = recurrence.record(1, OTHER)
        self._pieces: tuple[Spot, ...] = ()
        self._reducers: list[Reducer] = []
        for pieces in _choices(before, after):
            if self._say_all(pieces, two):
                self._pieces = pieces
                self._reducers = self._find(after + before, one, others)
            if self._reducers:
                break
        else:
            raise ModelError(more(recurrence))
        self.parts = recurrence.parts + tuple(
            part for reducer in self._reducers for part in (reducer.part, reducer.weight)
        )
        self.initial = None
        if recurrence.initial is not None:
            self.initial = [*recurrence.initial, *self._nothing(1)]

    def start(self, symbols: Int[Tensor, " N"]) -> list[Float[Tensor, "N H"]]:
        """The states after a first symbol."""
        wanted = [piece.one for piece in self._pieces]
        ran = self._recurrence.run(symbols[:, None], wanted=wanted)
        values = [ran.values[number] for number in wanted]
        return ran.states + self._pool(self._nothing(len(symbols)), values)

    def step(
        self, states: Sequence[Float[Tensor, "N H"]], symbols: Int[Tensor, " N"]
    ) -> list[Float[Tensor, "N H"]]:
        """The states after one more symbol."""
        count = len(self._recurrence.parts)
        wanted = [piece.two for piece in self._pieces]
        ran = self._recurrence.run(symbols[:, None], before=states[:count], wanted=wanted)
        values = [ran.values[piece.two].narrow(piece.steps, 1, 1) for piece in self._pieces]
        return ran.states + self._pool(states[count:], values)

    def read_out(self, states: Sequence[Float[Tensor, "N H"]]) -> Float[Tensor, "N C"]:
        """The outputs in states."""
        count = len(self._recurrence.parts)
        replaced = {
            reducer.spot.one: reducer.part.whole(pooled)
            for reducer, pooled in zip(self._reducers, states[count::2], strict=True)
        }
        symbols = torch.zeros(len(states[0]), 1, dtype=torch.long)
        return self._recurrence.run(symbols, after=states[:count], replace=replaced).outputs

    def _nothing(self, count: int) -> list[Float[Tensor, "N D"]]:
        return [number for reducer in self._reducers for number in reducer.nothing(count)]

    def _pool(
        self, pooled: Sequence[Float[Tensor, "N D"]], values: Sequence[Tensor]
    ) -> list[Float[Tensor, "N D"]]:
        """What has been pooled after one more step."""
        wanted = [number for reducer in self._reducers for number in reducer.wanted]
        step, after = self._alone(values, len(pooled[0]), wanted), list[Tensor]()
        for reducer, before, weight in zip(self._reducers, pooled[::2], pooled[1::2], strict=True):
            after += reducer.add(before, weight, step)
        return after

    def _alone(
        self, values: Sequence[Tensor], count: int, wanted: Sequence[Number]
    ) -> dict[Number, Tensor]:
        """The tensors wanted of a call on one symbol whose step puts out `values`."""
        symbols = torch.zeros(count, 1, dtype=torch.long)
        numbers = [piece.one for piece in self._pieces]
        replaced = dict(zip(numbers, values, strict=True))
        return self._recurrence.run(symbols, replace=replaced, wanted=wanted).values

    def _say_all(self, pieces: Sequence[Spot], two: Nodes) -> bool:
        """Whether the outputs come from these tensors and the last state alone, whatever was
        read."""
        replaced = {piece.two: _random(two[piece.two].value, piece) for piece in pieces}
        one, other = (self._both(replaced, symbol=symbol).outputs for symbol in (0, 1))
        return same(one, other)

    def _find(self, spots: Sequence[Spot], one: Nodes, others: Nodes) -> list[Reducer]:
        """What is made of the steps of the pieces, and how: the first tensors without an axis of
        steps that pools give, if the outputs come from them."""
        first = min(piece.one for piece in self._pieces)
        timed = {spot.one for spot in spots if spot.axis is not None and spot.one >= first}
        after = [spot for spot in spots if spot.axis is None and spot.one > first]
        parts = _describe({*timed, *(spot.one for spot in after)}, one, others)
        values = [
            _random(torch.cat([one[piece.one].value] * 2, piece.steps), piece)
            for piece in self._pieces
        ]
        cuts = (
            value.split(1, piece.steps) for value, piece in zip(values, self._pieces, strict=True)
        )
        steps = [self._alone(step, WORDS, [*parts]) for step in zip(*cuts, strict=True)]
        replaced = {piece.two: value for piece, value in zip(self._pieces, values, strict=True)}
        both = self._both(replaced, [spot.two for spot in after])
        scores = [
            Attention(number=number, part=parts[number], is_log=is_log, in_turn=in_turn)
            for number in sorted(timed & parts.keys())
            for is_log, in_turn in product((False, True), repeat=2)
        ]
        reducers, unknown = list[Reducer](), set(timed)
        for spot in sorted(after, key=lambda spot: spot.one):
            if not one[spot.one].sources & unknown:
                continue
            reducer = self._reducer(spot, parts.get(spot.one), steps, both.values[spot.two], scores)
            if reducer is None:
                unknown.add(spot.one)
            else:
                reducers.append(reducer)
        fixed = {reducer.spot.two: both.values[reducer.spot.two] for reducer in reducers}
        others_replaced = {number: -value for number, value in replaced.items()}
        again = self._both({**others_replaced, **fixed})
        return reducers if same(again.outputs, self._both({**replaced, **fixed}).outputs) else []

    def _both(
        self, replaced: Mapping[Number, Tensor], wanted: Sequence[Number] = (), symbol: int = 0
    ) -> Ran:
        """A call on a symbol twice, with other tensors and always the same last state."""
        symbols = torch.full((WORDS, 1), symbol)
        before = self._recurrence.start(symbols[:, 0])
        after = self._recurrence.start(torch.zeros(WORDS, dtype=torch.long))
        return self._recurrence.run(
            symbols, before=before, after=after, replace=replaced, wanted=wanted
        )

    def _reducer(
        self,
        spot: Spot,
        part: Part | None,
        steps: Sequence[Mapping[Number, Tensor]],
        both: Tensor,
        scores: Sequence[Attention],
    ) -> Reducer | None:
        """The pool that makes of what a tensor is for each of two steps what it is for both."""
        sizes = {step[spot.one].numel() for step in steps} | {both.numel()}
        if part is None or sizes != {WORDS * part.size}:
            return None
        fitting = [score for score in scores if part.size % score.part.size == 0]
        pools: list[Pool | Attention] = [*self._pools, *fitting]
        for pool in pools:
            reducer = Reducer(spot=spot, part=part, pool=pool)
            pooled, weight = reducer.nothing(WORDS)
            for step in steps:
                pooled, weight = reducer.add(pooled, weight, step)
            if same(pooled, part.flat(both)):
                return reducer
        return None


def _spots(one: Sequence[Node], two: Sequence[Node]) -> tuple[list[Spot], list[Spot]]:
    """The tensors that calls on one and on two symbols put out alike before what is done step by
    step, and after it, the last ones first."""
    after = list(_alike(one[::-1], two[::-1]))
    known = {spot.one for spot in after}
    before = [spot for spot in _alike(one, two) if spot.one not in known]
    return before[::-1], after


def _alike(one: Sequence[Node], two: Sequence[Node]) -> Iterator[Spot]:
    for first, second in zip(one, two, strict=False):
        if first.operator != second.operator:
            return
        sizes = first.value.shape, second.value.shape
        axes = [at for at, pair in enumerate(zip(*sizes, strict=False)) if pair == (1, 2)]
        if first.value.is_floating_point() and len(sizes[0]) == len(sizes[1]):
            is_same = sizes[0] == sizes[1]
            if is_same or len(axes) == 1:
                axis = None if is_same else axes[0]
                yield Spot(one=first.number, two=second.number, axis=axis)


def _choices(before: Sequence[Spot], after: Sequence[Spot]) -> Iterator[tuple[Spot, ...]]:
    """The tensors of all steps that what is pooled may be made of, in the order of trial."""
    early, late = ([spot for spot in spots if spot.axis is not None] for spots in (before, after))
    yield from ((spot,) for spot in (*late, *early))
    yield from product(late, early)


def _describe(numbers: set[Number], one: Nodes, others: Nodes) -> dict[Number, Part]:
    """What tensors are like; those that do not belong to words one by one are left out."""
    parts = {}
    for number in numbers:
        node, other = one[number], others[number]
        with suppress(ModelError):
            parts[number] = describe(node.operator, node.value, other.value, is_cell=False)
    return parts


def _random(like: Tensor, spot: Spot) -> Tensor:
    rng = stream(0, f"steps of {spot.one} that find a pool")
    numbers = rng.standard_normal(tuple(like.shape))
    return torch.from_numpy(numbers).to(like.dtype).to(like.device)
