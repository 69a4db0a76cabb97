"""The state machine inside a module: its recurrent state, with all that its outputs need beside it.

Shapes: N states, H numbers of a part of a state, C numbers of an output, B words, T symbols."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lisor.errors import ModelError
from lisor.networks.external.cached import Cached, find_cached
from lisor.networks.external.mixing import more
from lisor.networks.external.pooling import Pooled
from lisor.networks.external.recurrence import OUTPUT, Call, Part, Recurrence
from lisor.networks.external.rounding import same


class Stepper(Protocol):
    """How a state machine is stepped, and what it puts out in a state.

    A state has `parts`; `initial` is the one before the first symbol, None where the module steps
    on from none as it does from others."""

    parts: tuple[Part, ...]
    initial: list[Float[Tensor, "1 H"]] | None

    def start(self, symbols: Int[Tensor, " N"]) -> list[Float[Tensor, "N H"]]:
        """The states after a first symbol."""

    def step(
        self, states: Sequence[Float[Tensor, "N H"]], symbols: Int[Tensor, " N"]
    ) -> list[Float[Tensor, "N H"]]:
        """The states after one more symbol."""

    def read_out(self, states: Sequence[Float[Tensor, "N H"]]) -> Float[Tensor, "N C"]:
        """The outputs in states."""


class WithOutput:
    """A recurrence whose outputs follow from the state before and the last symbol: the output is
    a part of the state."""

    def __init__(self, recurrence: Recurrence) -> None:
        self._recurrence = recurrence
        outputs = recurrence.run(torch.zeros(2, 1, dtype=torch.long)).outputs
        self.parts = (*recurrence.parts, Part.vector(OUTPUT, outputs.shape[1]))
        begin = recurrence.initial
        self.initial = None if begin is None else [*begin, torch.zeros(1, outputs.shape[1])]

    def start(self, symbols: Int[Tensor, " N"]) -> list[Float[Tensor, "N H"]]:
        """The states after a first symbol."""
        ran = self._recurrence.run(symbols[:, None])
        return [*ran.states, ran.outputs]

    def step(
        self, states: Sequence[Float[Tensor, "N H"]], symbols: Int[Tensor, " N"]
    ) -> list[Float[Tensor, "N H"]]:
        """The states after one more symbol."""
        ran = self._recurrence.run(symbols[:, None], before=states[:-1])
        return [*ran.states, ran.outputs]

    def read_out(self, states: Sequence[Float[Tensor, "N H"]]) -> Float[Tensor, "N C"]:
        """The outputs in states."""
        return states[-1]


class Started:
    """A stepper whose first step is unlike its others: a number says whether it has begun."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self.parts = (*stepper.parts, Part.vector("begun", 1))
        self.initial: list[Float[Tensor, "1 H"]] | None = [
            torch.zeros(1, part.size) for part in self.parts
        ]

    def start(self, symbols: Int[Tensor, " N"]) -> list[Float[Tensor, "N H"]]:
        """The states after a first symbol."""
        return [*self._stepper.start(symbols), torch.ones(len(symbols), 1)]

    def step(
        self, states: Sequence[Float[Tensor, "N H"]], symbols: Int[Tensor, " N"]
    ) -> list[Float[Tensor, "N H"]]:
        """The states after one more symbol."""
        begun, first = states[-1] > 0.5, self.start(symbols)
        after = [*self._stepper.step(states[:-1], symbols), torch.ones(len(symbols), 1)]
        return [torch.where(begun, one, other) for one, other in zip(after, first, strict=True)]

    def read_out(self, states: Sequence[Float[Tensor, "N H"]]) -> Float[Tensor, "N C"]:
        """The outputs in states."""
        return self._stepper.read_out(states[:-1])


def find_stepper(
    module: nn.Module,
    call: Call,
    symbols: int,
    words: Sequence[Int[Tensor, "B T"]],
    outputs: Float[Tensor, "N C"],
    rounding: float,
) -> tuple[Stepper, list[bool]]:
    """The state machine that gives a module's `outputs` to words where it is `call`ed, but for
    rounding, and which parts of its states the outputs do not look at, the cell states of LSTMs.

    Raises:
        ModelError: there is none; why."""
    recurrence = cache(partial(Recurrence, call, symbols))
    reasons = list[str]()
    for kind in _kinds(module, call, symbols, recurrence):
        try:
            stepper = kind()
        except ModelError as error:
            reasons.append(str(error))
            continue
        if stepper.initial is None:
            stepper = Started(stepper)
        ends = [run(stepper, batch) for batch in words]
        cells = [part.is_cell for part in stepper.parts]
        for unread in [cells, [False] * len(cells)] if any(cells) else [cells]:
            stepped = [stepper.read_out(without(states, unread)) for states in ends]
            if same(torch.cat(stepped), outputs, rounding):
                return stepper, unread
    raise ModelError(reasons[0] if reasons else more(recurrence()))


def run(stepper: Stepper, words: Int[Tensor, "B T"]) -> list[Float[Tensor, "B H"]]:
    """The states after words."""
    states = stepper.start(words[:, 0])
    for symbols in words[:, 1:].unbind(dim=1):
        states = stepper.step(states, symbols)
    return states


def without(
    states: Sequence[Float[Tensor, "N H"]], unread: Sequence[bool]
) -> list[Float[Tensor, "N H"]]:
    """States with zeros in the parts that are not read."""
    return [
        torch.zeros_like(state) if drop else state
        for state, drop in zip(states, unread, strict=True)
    ]


def _kinds(
    module: nn.Module, call: Call, symbols: int, recurrence: Callable[[], Recurrence]
) -> Iterator[Callable[[], Stepper]]:
    """The state machines that may be in a module, the simplest first."""
    cached = find_cached(module)
    if cached is not None:
        part, name = cached
        yield lambda: Cached(call, symbols, part, name)
    yield recurrence
    yield lambda: Pooled(recurrence())
    yield lambda: Pooled(recurrence(), sums=True)
    yield lambda: WithOutput(recurrence())
