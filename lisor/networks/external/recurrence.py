"""The recurrent state of a module: the tensors through which a symbol reaches the steps after it.

A call on words of T symbols puts out tensors one after the other. The state after a prefix is made
of those that depend on the prefix, not on what follows, and that something reads which does. They
are found by calls with other symbols, for the module may be of any kind. Put into their place, any
state is the one before the last symbol.

Shapes: N states, B words, T symbols, H numbers of a state, C numbers of an output."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lisor.errors import ModelError
from lisor.networks.external.rounding import same
from lisor.networks.external.trace import Node, Nodes, Number, Recording, Replay
from lisor.randomness import stream

Call = Callable[[Int[Tensor, "B T"]], Float[Tensor, "B C"]]
"""What a module puts out for words of one length, after the last symbol of each."""

WORDS, OTHER = 5, 7
"""Words of a call: two numbers that a size has when it is that of the batch."""

OUTPUT = "output"
"""What puts out a part that is the output itself."""

MAX_TRIED = 64
"""Initial states that are tried."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One tensor of the state: the operator that puts it out, its shape for a batch of none, the
    axis of the batch, and how many rows of the tensor belong to a state."""

    operator: str
    shape: tuple[int, ...]
    axis: int
    rows: int
    dtype: torch.dtype
    is_cell: bool

    @classmethod
    def vector(cls, name: str, size: int) -> Part:
        """A part of so many numbers that no operator of the recurrence puts out."""
        return cls(
            operator=name, shape=(1, size), axis=0, rows=1, dtype=torch.float32, is_cell=False
        )

    @property
    def kind(self) -> str:
        """The kind of recurrent network, or none."""
        name = self.operator.removeprefix("aten.").partition(".")[0].removeprefix("quantized_")
        kind = name.partition("_")[0]
        return kind if kind in ("rnn", "gru", "lstm") else ""

    @property
    def size(self) -> int:
        """Its numbers, H."""
        return math.prod(self.shape[: self.axis] + self.shape[self.axis + 1 :]) * self.rows

    @property
    def layers(self) -> int:
        """The layers whose units it holds."""
        return self.shape[0] if self.axis == 1 and len(self.shape) == 3 else 1

    def flat(self, tensor: Tensor) -> Float[Tensor, "N H"]:
        """The numbers of each state.

        Raises:
            ModelError: the tensor is of another size."""
        if tensor.numel() % self.size:
            raise ModelError(f"a tensor of {self.operator} changes its size from call to call")
        return tensor.movedim(self.axis, 0).reshape(-1, self.size).float().cpu()

    def whole(self, flat: Float[Tensor, "N H"]) -> Tensor:
        """The tensor of these states."""
        rest = self.shape[: self.axis] + self.shape[self.axis + 1 :]
        rows = flat.reshape(len(flat) * self.rows, *rest)
        rows = rows if self.dtype.is_floating_point else rows.round()
        return rows.to(self.dtype).movedim(0, self.axis).contiguous()


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a call came to: the state after its last symbol, the outputs, and tensors by number."""

    states: list[Float[Tensor, "N H"]]
    outputs: Float[Tensor, "N C"]
    values: dict[Number, Tensor]


class Recurrence:
    """The state of a module that is called on words of `symbols`, and how it is stepped.

    `initial` is the state before the first symbol, or None where there is none that the module
    steps on from as from any other.

    Raises:
        ModelError: no tensor leads from one step to the next, or those that do have another number
            or other shapes after each."""

    def __init__(self, call: Call, symbols: int) -> None:
        self._call, self._symbols = call, symbols
        rng = stream(0, "words that find a state")
        self._words = torch.from_numpy(rng.integers(symbols, size=(OTHER, 3)))
        one, two = self.record(1), self.record(2)
        first, _ = self._crossing(one, 1)
        second, is_derived = self._crossing(two, 2)
        described = [[(node.operator, node.value.shape) for node in cut] for cut in (first, second)]
        if described[0] != described[1]:
            odd = [
                node.name
                for node, about in zip(second, described[1], strict=True)
                if about not in described[0]
            ] or [second[0].name]
            raise ModelError(f"what one step leaves to the next changes with the step, at {odd[0]}")
        kept = [at for at, derived in enumerate(is_derived) if not derived]
        first, second = [first[at] for at in kept], [second[at] for at in kept]
        self._before = [node.number for node in first]
        self._ends = [next(_find(one, node)) for node in first]
        self._after = [next(_find(two, node)) for node in second]
        self.parts = self._describe(first)
        self.initial = self._find_initial(one)

    def start(self, symbols: Int[Tensor, " N"]) -> list[Float[Tensor, "N H"]]:
        """The states after a first symbol."""
        return self.run(symbols[:, None]).states

    def step(
        self, states: Sequence[Float[Tensor, "N H"]], symbols: Int[Tensor, " N"]
    ) -> list[Float[Tensor, "N H"]]:
        """The states after one more symbol."""
        return self.run(symbols[:, None], before=states).states

    def read_out(self, states: Sequence[Float[Tensor, "N H"]]) -> Float[Tensor, "N C"]:
        """The outputs in states, if they follow from the states alone."""
        return self.run(torch.zeros(len(states[0]), 1, dtype=torch.long), after=states).outputs

    def run(
        self,
        symbols: Int[Tensor, "N 1"],
        *,
        before: Sequence[Float[Tensor, "N H"]] | None = None,
        after: Sequence[Float[Tensor, "N H"]] | None = None,
        replace: Mapping[Number, Tensor] | None = None,
        wanted: Sequence[Number] = (),
    ) -> Ran:
        """A call on one symbol, after the states `before` if there are any, with the states `after`
        in the place of those that the module comes to.

        `replace` and `wanted` are tensors of that call."""
        numbers, replaced = self._ends, dict(replace or {})
        if before is not None:
            numbers, replaced = self._after, replaced | self._replacing(self._before, before)
            symbols = torch.cat([torch.zeros_like(symbols), symbols], dim=1)
        if after is not None:
            replaced |= self._replacing(numbers, after)
        replay = Replay(replaced, [*numbers, *wanted])
        outputs = replay.run(lambda: self._call(symbols))
        values = [replay.values[number] for number in numbers]
        return Ran(
            states=[part.flat(value) for part, value in zip(self.parts, values, strict=True)],
            outputs=outputs,
            values=replay.values,
        )

    def middle(self) -> tuple[dict[Number, Tensor], dict[Number, Tensor]]:
        """A state after the first and after the second symbol of a call on two, as tensors."""
        state = self.start(torch.zeros(WORDS, dtype=torch.long))
        return self._replacing(self._before, state), self._replacing(self._after, state)

    def record(
        self,
        length: int,
        words: int = WORDS,
        changed: int | slice | None = None,
        replaced: Mapping[Number, Tensor] | None = None,
    ) -> Nodes:
        """The tensors of a call on random words of some length; their symbols at some steps may be
        `changed`, and tensors be `replaced`."""
        read = self._words[:words, :length].clone()
        if changed is not None:
            read[:, changed] = (read[:, changed] + 1) % self._symbols
        recording = Recording(replaced)
        recording.run(lambda: self._call(read))
        return recording.nodes

    def _replacing(
        self, numbers: Sequence[Number], states: Sequence[Float[Tensor, "N H"]]
    ) -> dict[Number, Tensor]:
        tensors = [part.whole(state) for part, state in zip(self.parts, states, strict=True)]
        return dict(zip(numbers, tensors, strict=True))

    def _crossing(self, shorter: Nodes, prefix: int) -> tuple[list[Node], list[bool]]:
        """The tensors through which the last symbol of a prefix reaches the one after it, and which
        of them are made of the others.

        A call on the prefix alone puts them out too, and something reads them that it does not."""
        nodes = self.record(prefix + 1)
        follows = differ(nodes, self.record(prefix + 1, changed=prefix))
        depends = differ(nodes, self.record(prefix + 1, changed=prefix - 1))
        varies = differ(nodes, self.record(prefix + 1, changed=slice(prefix)))
        is_new = {
            number: follows[number] or not any(True for _ in _find(shorter, node))
            for number, node in nodes.items()
        }
        read = {source for number in nodes if is_new[number] for source in nodes[number].sources}
        crossing = [
            node
            for number, node in nodes.items()
            if depends[number] and not is_new[number] and number in read
        ]
        if self._symbols == 1:
            raise ModelError("one symbol alone does not show what a step changes: name another")
        if not crossing:
            raise ModelError("no tensor leads from one step to the next")
        return crossing, [_is_derived(node, crossing, nodes, varies) for node in crossing]

    def _describe(self, first: list[Node]) -> tuple[Part, ...]:
        """What the tensors of a state are like, by those of a call on more words."""
        others, parts = self.record(2, OTHER), []
        for node in first:
            twins = [one.number for one in first if one.sources == node.sources]
            is_cell = "lstm" in node.operator and node.number > min(twins)
            other = others[node.number].value
            parts.append(describe(node.operator, node.value, other, is_cell=is_cell))
        return tuple(parts)

    def _find_initial(self, nodes: Nodes) -> list[Float[Tensor, "1 H"]] | None:
        """The state from which the module's step leads to the states after a first symbol."""
        symbols = self._words[:WORDS, 0]
        first = self.start(symbols)
        constant = _constants(nodes, self.record(1, changed=0))
        tried = [
            list(_initials(part, nodes[end], constant))
            for part, end in zip(self.parts, self._ends, strict=True)
        ]
        for states in islice(product(*tried), MAX_TRIED):
            after = self.step([state.expand(WORDS, -1) for state in states], symbols)
            if all(map(same, after, first)):
                return [*states]
        return None


def describe(operator: str, tensor: Tensor, other: Tensor, *, is_cell: bool) -> Part:
    """What a tensor of WORDS words is like, by that of OTHER.

    Raises:
        ModelError: it is not made of as many rows for each word."""
    sizes, larger = tuple(tensor.shape), tuple(other.shape)
    axes = [at for at, pair in enumerate(zip(sizes, larger, strict=True)) if len({*pair}) > 1]
    if len(axes) != 1 or sizes[axes[0]] * OTHER != larger[axes[0]] * WORDS:
        raise ModelError(f"a tensor of shape {list(sizes)} does not belong to sequences one by one")
    return Part(
        operator=operator,
        shape=sizes,
        axis=axes[0],
        rows=sizes[axes[0]] // WORDS,
        dtype=tensor.dtype,
        is_cell=is_cell,
    )


def differ(nodes: Nodes, others: Nodes) -> dict[Number, bool]:
    """Which tensors of two calls are not the same.

    Raises:
        ModelError: they did not put out as many."""
    if nodes.keys() != others.keys():
        raise ModelError("other symbols make it run other operators")
    return {
        number: one.value.shape != others[number].value.shape
        or not torch.equal(one.value, others[number].value)
        for number, one in nodes.items()
    }


def _is_derived(
    node: Node, crossing: list[Node], nodes: Nodes, varies: Mapping[Number, bool]
) -> bool:
    """Whether a tensor is made of other ones of the crossing and of what does not vary."""
    others = {one.number for one in crossing} - {node.number}
    ahead, visited = [node], set[Number]()
    while ahead:
        sources = [number for number in ahead.pop().sources if varies[number]]
        if not sources:
            return False
        new = {*sources} - others - visited
        visited |= new
        ahead += [nodes[number] for number in new]
    return True


def _find(nodes: Nodes, node: Node) -> Iterator[Number]:
    """The numbers of the tensors of a call that are the same as one of another call."""
    for other in nodes.values():
        if other.operator == node.operator and same(other.value, node.value):
            yield other.number


def _constants(nodes: Nodes, others: Nodes) -> list[Tensor]:
    """What operators read that is the same for other symbols."""
    read = (
        pair
        for one, other in zip(nodes.values(), others.values(), strict=True)
        for pair in zip(one.read, other.read, strict=True)
    )
    return [one for one, other in read if one.shape == other.shape and torch.equal(one, other)]


def _initials(part: Part, node: Node, constant: list[Tensor]) -> Iterator[Float[Tensor, "1 H"]]:
    """Initial states of a part that are worth a try, each once: zeros, and constants of its shape,
    first those that the operator read itself."""
    tried: list[Tensor] = []
    known = {id(one) for one in node.read}
    for tensor in sorted(constant, key=lambda one: id(one) not in known):
        is_like = tensor.shape == part.shape and tensor.is_floating_point()
        if is_like and bool(tensor.isfinite().all()):
            row = part.flat(tensor)[:1]
            is_same = same(row.expand(WORDS, -1), part.flat(tensor))
            if is_same and not any(same(row, other) for other in tried):
                tried.append(row)
    zeros = torch.zeros(1, part.size)
    yield from tried or [zeros]
    if tried and not any(same(zeros, other) for other in tried):
        yield zeros
