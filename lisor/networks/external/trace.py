"""The operators that a call of a torch module runs, written down and run again with other tensors.

The operators of torch see what happens inside any module, scripted and quantised ones too, whatever
its layers are called. One that runs a recurrent layer over all steps is run step by step, so that
the state after each step is a tensor like any other.

Shapes: B sequences of a batch, T steps, L layers, H units."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import conv1d, pad
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

from lisor.errors import ModelError

LAYERS = {
    getattr(torch.ops.aten, name): name.removeprefix("quantized_")
    for name in ("lstm", "gru", "rnn_tanh", "rnn_relu", "quantized_lstm", "quantized_gru")
}
"""Operators that run all layers of a recurrent network over all steps."""


MADE_OF = (
    torch.ops.aten.scaled_dot_product_attention.default,
    torch.ops.aten._scaled_dot_product_attention_math.default,
)
"""Operators that are run as those that they are made of, so that it is seen what they weigh."""


SAME = (torch.ops.aten.detach.default, torch.ops.aten.alias.default)
"""Operators that hand on a tensor as it is. Torch runs them as its memory wants it, so that they
are not counted."""


EMPTY = tuple(
    getattr(torch.ops.aten, name)
    for name in ("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided")
)
"""Operators that hand out memory as they find it."""


Number = tuple[int, int]
"""Which operator of a call has put a tensor out, and which of its tensors it is."""


class Replay(TorchDispatchMode):
    """Runs a call, puts other tensors in the place of some and keeps some.

    Tensors have numbers by the operators that put them out; the same call on words of the same
    length runs the same ones.

    `replace`: what takes the place of a tensor. `wanted`: the numbers of tensors whose values are
    in `values` afterwards."""

    def __init__(
        self, replace: Mapping[Number, Tensor] | None = None, wanted: Sequence[Number] = ()
    ):
        super().__init__()  # type: ignore[no-untyped-call]
        self._replace, self._wanted = replace or {}, frozenset(wanted)
        self.values: dict[Number, Tensor] = {}
        self._operators = 0

    def run(self, call: Callable[[], Any]) -> Any:
        """What the call returns.

        Raises:
            ModelError: it did not put out a tensor that was wanted."""
        with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), self:
            result = call()
        if self._wanted - self.values.keys():
            raise ModelError("the same call does not always run the same operators")
        return result

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operator, a recurrent one step by step."""
        kwargs = kwargs or {}
        if func in MADE_OF:
            with self:
                return func.decompose(*args, **kwargs)
        if func is torch.ops.aten.conv1d.default:
            names = [about.name for about in func._schema.arguments]
            given = dict(zip(names, args, strict=False)) | kwargs
            if given["input"].ndim == 3 and given.get("stride", [1]) == [1]:
                return self._slide(**given)
        layer = LAYERS.get(getattr(func, "overloadpacket", None))
        if layer is not None:
            names = [about.name for about in func._schema.arguments]
            given = dict(zip(names, args, strict=False)) | kwargs
            if not given["bidirectional"] and (split := _steps(given)):
                return self._unroll(layer, func.overloadpacket.input, split, given)
        output = func(*args, **kwargs)
        if func in SAME:
            self.hand_on(args[0], output)
            return output
        in_place = getattr(func, "_schema", None) is not None and func._schema.is_mutable
        if not in_place and args and output is args[0]:
            return output
        if getattr(func, "overloadpacket", None) in EMPTY:
            output.zero_()  # or the same call would put out something else each time
        flat, form = tree_flatten(output)
        read = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, Tensor)]
        written = [one for one in flat if isinstance(one, Tensor)]
        left = iter(self.put_out(str(func), read, written, in_place=in_place))
        return tree_unflatten(
            [next(left) if isinstance(one, Tensor) else one for one in flat], form
        )

    def put_out(
        self,
        operator: str,
        read: Sequence[Tensor],
        written: Sequence[Tensor],
        *,
        in_place: bool = False,
    ) -> list[Tensor]:
        """The tensors that go on in the place of those that an operator has written."""
        left = []
        for at, one in enumerate(written):
            number = (self._operators, at)
            new = self._replace.get(number)
            if new is not None:
                one = (one if in_place else torch.empty_like(one)).copy_(new)
            if number in self._wanted:
                self.values[number] = one.clone()
            left.append(one)
        self._operators += 1
        return left

    def hand_on(self, tensor: Tensor, same: Tensor) -> None:
        """Notice that a tensor goes on as another object."""

    def _slide(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Sequence[int] = (1,),
        padding: Sequence[int] = (0,),
        dilation: Sequence[int] = (1,),
        groups: int = 1,
    ) -> Tensor:
        """What a convolution over steps returns, run step by step; the window of the last steps
        that it reads at each is put out like the state of a layer."""
        length = 1 + dilation[0] * (weight.shape[2] - 1)
        nothing = input.new_zeros(*input.shape[:2], 1)
        (whole,) = self.put_out("conv1d padded", [input], [pad(input, (padding[0], padding[0]))])
        window, outputs = nothing.expand(-1, -1, length).contiguous(), []
        for at, one in enumerate(self.put_out("conv1d input", [whole], whole.split(1, 2))):
            after = torch.cat([window[:, :, 1:], one], 2)
            (window,) = self.put_out("conv1d", [window, one], [after])
            if at >= length - 1:
                output = conv1d(window, weight, bias, 1, 0, dilation[0], groups)
                outputs += self.put_out("conv1d output", [window], [output])
        (output,) = self.put_out("conv1d outputs", outputs, [torch.cat(outputs, 2)])
        return output

    def _unroll(
        self, layer: str, operator: Any, steps: Sequence[Tensor], given: dict[str, Any]
    ) -> Any:
        """What a recurrent operator returns, run step by step; the state after a step is put out
        before the output that is taken from it."""
        is_packed, is_lstm = "data" in given, layer == "lstm"
        axis = 1 if given.get("batch_first") else 0
        known = {about.name: about.kwarg_only for about in operator._schema.arguments[2:]}
        settings = {"batch_first": False} | given
        positional = [settings[name] for name, by_name in known.items() if not by_name]
        named = {
            name: settings[name] for name, by_name in known.items() if by_name & (name in given)
        }
        state = [*given["hx"]] if is_lstm else [given["hx"]]
        outputs = []
        for one in self.put_out(f"{layer} input", [given["data" if is_packed else "input"]], steps):
            before = state if is_lstm else state[0]
            _, *after = operator(one.unsqueeze(axis), before, *positional, **named)
            state = self.put_out(layer, [one, *state], after)
            outputs += self.put_out(f"{layer} output", state[:1], [state[0][-1]])
        (output,) = self.put_out(f"{layer} outputs", outputs, [torch.stack(outputs, axis)])
        if is_packed:
            (output,) = self.put_out(f"{layer} packed", [output], [output.flatten(0, 1)])
        return (output, *state)


def _steps(given: dict[str, Any]) -> list[Tensor]:
    """What a recurrent operator reads at each step [B, D]; nothing where packed sequences are of
    different lengths."""
    if "data" not in given:
        return [*given["input"].unbind(1 if given["batch_first"] else 0)]
    sizes = given["batch_sizes"].tolist()
    return [*given["data"].split(sizes)] if len(set(sizes)) == 1 else []


@dataclass(frozen=True, kw_only=True)
class Node:
    """A tensor that an operator put out, its value then, the numbers of those that it was made of,
    and what the operator read."""

    number: Number
    operator: str
    value: Tensor
    sources: frozenset[Number]
    read: tuple[Tensor, ...]

    @property
    def name(self) -> str:
        """What a message calls the operator."""
        return self.operator.removeprefix("aten.").partition(".")[0].strip("_")


Nodes = dict[Number, Node]
"""The tensors of a call."""


def ancestors(nodes: Nodes, numbers: Iterable[Number]) -> set[Number]:
    """The tensors of a call that some of them are made of."""
    ahead, visited = [*numbers], set[Number]()
    while ahead:
        number = ahead.pop()
        new = nodes[number].sources - visited if number in nodes else set()
        visited |= new
        ahead += new
    return visited


class Recording(Replay):
    """A replay that writes down every tensor; for a few short words."""

    def __init__(self, replace: Mapping[Number, Tensor] | None = None) -> None:
        super().__init__(replace)
        self.nodes: Nodes = {}
        self._held: list[Tensor] = []  # so that no tensor gets the identity of an earlier one
        self._numbers: dict[int, Number] = {}
        self._writers: dict[int, list[Number]] = {}

    def put_out(
        self,
        operator: str,
        read: Sequence[Tensor],
        written: Sequence[Tensor],
        *,
        in_place: bool = False,
    ) -> list[Tensor]:
        """The tensors that an operator has written, each with a node."""
        made_of = (
            read[1:] if operator.startswith("aten.copy_.") else read
        )  # it overwrites the first
        sources = frozenset(number for one in made_of for number in self._sources(one))
        values = tuple(one.clone() for one in read)
        before = self._operators
        left = super().put_out(operator, read, written, in_place=in_place)
        for at, one in enumerate(left):
            node = Node(
                number=(before, at),
                operator=operator,
                value=one.clone(),
                sources=sources,
                read=values,
            )
            self._numbers[id(one)] = node.number
            if in_place:
                memory = one.untyped_storage()
                is_whole = one.numel() * one.element_size() == memory.nbytes()
                earlier = [] if is_whole else self._writers.get(memory.data_ptr(), [])
                self._writers[memory.data_ptr()] = [*earlier, node.number]
            self.nodes[node.number] = node
        self._held += [*read, *left]
        return left

    def hand_on(self, tensor: Tensor, same: Tensor) -> None:
        """Give the other object the number of the tensor."""
        if id(tensor) in self._numbers:
            self._numbers[id(same)] = self._numbers[id(tensor)]
        self._held += [tensor, same]

    def ancestors(self, tensor: Tensor) -> list[Node]:
        """The tensors that one which the call returned was made of."""
        number = self._numbers.get(id(tensor))
        numbers = () if number is None else (number,)
        return [self.nodes[one] for one in ancestors(self.nodes, numbers)]

    def _sources(self, tensor: Tensor) -> list[Number]:
        """The node of a tensor, and those that wrote into the memory in which it lies."""
        number = self._numbers.get(id(tensor))
        writers = self._writers.get(tensor.untyped_storage().data_ptr(), [])
        return writers if number is None else [number, *writers]
