"""How a torch module is called with words.

It is found by calls: modules take symbol numbers or one-hot vectors, batch or time first, with
lengths, masks or a hidden state beside them, all symbols at once or one after the other.

Shapes: B words, T symbols, S symbols of the alphabet, C numbers of an output."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.utils._pytree import tree_flatten, tree_map

from lisor.errors import DataWarning, ModelError, one_line
from lisor.networks.external.calls import SHOWN, calling, reason
from lisor.networks.external.layers import recurrent_layers, zeros
from lisor.networks.external.outputs import SIZES, Output, find_output
from lisor.networks.external.rounding import same
from lisor.networks.network import check_finite
from lisor.randomness import stream

ROLES = {
    "lengths": ("len",),
    "mask": ("mask",),
    "hidden": ("hid", "state", "h0", "h_0", "hx", "memory", "prev", "context"),
}
"""What an argument is, by a part of its name."""

BEGINNING = ("init_hidden", "inithidden", "init_state", "initial_state", "init_hidden_state",
             "begin_state", "zero_state", "get_initial_state", "init_h")  # fmt: skip
"""Methods that make the state to begin in, in small letters."""

APART = 0.02
"""By which share the outputs for a word may differ from batch to batch: those of quantised modules
do."""

MANY = 50
"""How often words are repeated to see whether outputs are random."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """A way to hand words over: as one-hot `vectors` or as numbers, time or batch first, all
    symbols at once or one after the other; `begin` makes the hidden state that is asked for."""

    vectors: bool
    time_first: bool
    one_by_one: bool
    begin: Callable[[int], Any] | None = None

    def __str__(self) -> str:
        return "one-hot vectors" if self.vectors else "numbers [B, T]"


class Layout:
    """How a module that reads `symbols` is called, and its outputs [B, C], or [B, T, C] where there
    is one after each symbol.

    Of several tensors that a module returns, `find_output` finds those of `width` numbers.

    Raises:
        ModelError: it takes words in none of these ways, or its outputs for a word depend on other
            words."""

    def __init__(self, module: nn.Module, symbols: int, width: int | None) -> None:
        self._module, self._symbols = module, symbols
        self._name = one_line(type(module).__name__, 40)
        weight = next((one for one in module.parameters() if one.is_floating_point()), None)
        self._dtype = torch.float32 if weight is None else weight.dtype
        self._device = torch.device("cpu") if weight is None else weight.device
        self._roles = _roles(module)
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a module warns of is not to decide on its form
            self._form, self._output = self._find(width)
        if self._output.rivals:
            warnings.warn(
                f"{self._name} returns {self._output.rivals + 1} tensors that may be its "
                "outputs: the first is read, though it has more numbers; return them under the "
                "name logits, or alone",
                DataWarning,
                stacklevel=4,
            )

    @property
    def is_per_step(self) -> bool:
        """Whether there is an output after each symbol."""
        return self._output.steps is not None

    def __call__(self, words: Int[Tensor, "B T"]) -> Float[Tensor, "B C"] | Float[Tensor, "B T C"]:
        """The outputs for words."""
        what = "one-hot vectors of" if self._form.vectors else "a batch of"
        with calling(f"{self._name} called with {what} symbols 0 … {self._symbols - 1}"):
            outputs = self._output.take(self._call(self._form, words))
        if outputs.shape[-1] != self._output.width:
            raise ModelError(
                f"expected {self._output.width} numbers for each word from {self._name}, got "
                f"{outputs.shape[-1]} for words of {words.shape[1]} symbols: what it returns must "
                "not change its shape with the word"
            )
        return outputs

    def last(self, words: Int[Tensor, "B T"]) -> Float[Tensor, "B C"]:
        """The outputs after the last symbol."""
        outputs = self(words)
        return outputs[:, -1] if self.is_per_step else outputs

    def _call(self, form: Form, words: Int[Tensor, "B T"]) -> Any:
        with _left_as_it_was(self._module):
            return self._call_as(form, words)

    def _call_as(self, form: Form, words: Int[Tensor, "B T"]) -> Any:
        # Which operators run may depend on how a tensor lies in memory: it always lies alike.
        words = words.to(self._device).clone(memory_format=torch.contiguous_format)
        hidden = None if form.begin is None else form.begin(len(words))
        read = one_hot(words, self._symbols).to(self._dtype) if form.vectors else words
        if not form.one_by_one:
            whole = _time_first(read) if form.time_first else read
            return self._module(whole, **self._extras(form, words, hidden))
        results = []
        for at in range(words.shape[1]):
            extras = self._extras(form, words[:, :1], hidden)
            results.append(self._module(read[:, at], **extras))
            hidden = _next_state(results[-1], hidden)
        return results[-1]

    def _extras(self, form: Form, words: Int[Tensor, "B T"], hidden: Any) -> dict[str, Any]:
        """What is handed over beside the words."""
        given: dict[str, Any] = {}
        for name, role in self._roles.items():
            if role == "lengths":
                given[name] = torch.full((len(words),), words.shape[1])
            elif role == "mask":
                mask = torch.ones_like(words, dtype=torch.bool)
                given[name] = _time_first(mask) if form.time_first else mask
            else:
                given[name] = hidden
        return given

    def _find(self, width: int | None) -> tuple[Form, Output]:
        failed: dict[str, str] = {}
        for form in self._forms():
            try:
                output = find_output(
                    partial(self._call, form),
                    width,
                    set() if form.begin is None else _shapes(form.begin(SIZES[0][0])),
                )
            except (Exception, SystemExit) as error:
                failed.setdefault(str(form), one_line(reason(error), 70))
                continue
            if isinstance(output, str):
                failed.setdefault(str(form), output)
            elif self._is_apart(form, output):
                return form, output
            else:
                failed.setdefault(str(form), "its outputs mix the words of a batch")
        why = ", nor as ".join(f"{form} ({text})" for form, text in failed.items())
        raise ModelError(
            f"{self._name} cannot be called with a batch of symbols 0 … {self._symbols - 1}: not "
            f"as {why}; wrap it so that it takes one of them"
        )

    def _forms(self) -> Iterator[Form]:
        """The ways to hand words over that are tried, in their order."""
        begins = self._begins() if "hidden" in self._roles.values() else [None]
        for one_by_one, vectors, time_first, begin in product(
            (False, True), (False, True), (False, True), begins
        ):
            if not one_by_one or (not time_first and begin is not None):
                yield Form(
                    vectors=vectors, time_first=time_first, one_by_one=one_by_one, begin=begin
                )

    def _begins(self) -> list[Callable[[int], Any]]:
        """Ways to make the state to begin in: a method of the module's, none, or zeros of the size
        of its recurrent layer."""
        methods = [
            getattr(self._module, name)
            for name in dir(type(self._module))
            if name.lower().lstrip("_") in BEGINNING
        ]
        makers: list[Callable[[int], Any]] = []
        for method in methods:
            makers += [method, partial(_repeated, method)]
        makers.append(_nothing)
        return makers + [partial(zeros, layer) for layer in recurrent_layers(self._module)]

    def _is_apart(self, form: Form, output: Output) -> bool:
        """Whether the output for each word depends on that word alone, and one after each symbol on
        what was read so far."""
        self._form, self._output = form, output
        rng = stream(0, "words that find a layout")
        words = torch.from_numpy(rng.integers(self._symbols, size=SIZES[0]))
        other, later = words.clone(), words.clone()
        other[0] = (words[0] + 1) % self._symbols
        later[:, -1] = (words[:, -1] + 1) % self._symbols
        outputs = self(words)
        check_finite("outputs", outputs.numpy())
        many = words.repeat(MANY, 1)
        if not torch.equal(self(many), self(many)):
            raise ModelError(
                f"{self._name} answers the same words differently each time: dropout (call its "
                "eval() first), or a state that it keeps between calls"
            )
        pairs = [(self(other)[1:], outputs[1:]), (self(words[:2]), outputs[:2])]
        if output.steps is not None:
            pairs.append((self(later)[:, :-1], outputs[:, :-1]))
        return all(same(one, expected, APART) for one, expected in pairs)


@contextmanager
def _left_as_it_was(module: nn.Module) -> Iterator[None]:
    """A call after which tensors that a module keeps in attributes, such as its last state, are
    those from before."""
    before = [(part, {**vars(part)}) for part in module.modules()]
    try:
        yield
    finally:
        for part, attributes in before:
            for name, value in [*vars(part).items()]:
                known = name in attributes
                earlier = attributes.get(name)
                if value is not earlier and (_shapes(value) or _shapes(earlier)):
                    if known:
                        vars(part)[name] = attributes[name]
                    else:
                        del vars(part)[name]


def _time_first(batch: Tensor) -> Tensor:
    return batch.transpose(0, 1).clone(memory_format=torch.contiguous_format)


def _roles(module: nn.Module) -> dict[str, str]:
    """What the arguments are that a module asks for beside the words.

    Raises:
        ModelError: one of them has a name that says nothing."""
    if isinstance(module, torch.jit.ScriptModule):
        schema: Any = module.forward
        about = schema.schema.arguments[1:]
        names = [one.name for one in about if not one.has_default_value()]
    else:
        usual = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD,
                 inspect.Parameter.KEYWORD_ONLY)  # fmt: skip
        names = [
            one.name
            for one in inspect.signature(module.forward).parameters.values()
            if one.kind in usual and one.default is inspect.Parameter.empty
        ]
    roles = {}
    for name in names[1:]:
        known = [
            role for role, parts in ROLES.items() if any(part in name.lower() for part in parts)
        ]
        if not known and name.lower() not in ("h", "hc"):
            raise ModelError(
                f"expected {one_line(type(module).__name__, 40)} to be called with words, and with "
                "their lengths, a mask or a hidden state beside them, got the argument "
                f"{one_line(name, SHOWN)!r}; wrap it so that it needs no other"
            )
        roles[name] = known[0] if known else "hidden"
    return roles


def _shapes(state: Any) -> set[tuple[int, ...]]:
    return {tuple(one.shape) for one in tree_flatten(state)[0] if isinstance(one, Tensor)}


def _next_state(result: Any, state: Any) -> Any:
    """The state to go on from among what a module returned, which is like the one it was given.

    Raises:
        ModelError: there is none."""
    if isinstance(result, tuple | list):
        parts = [*result]
    else:
        parts = [*result.values()] if isinstance(result, Mapping) else [result]
    like = [part for part in reversed(parts) if state is None or _shapes(part) == _shapes(state)]
    if not like:
        raise ModelError("it returns no hidden state like the one it was given")
    return like[0]


def _repeated(make: Callable[[], Any], count: int) -> Any:
    """The state of one word for `count` words."""

    def repeat(state: Tensor) -> Tensor:
        axis = 1 if state.ndim == 3 else 0
        return state.expand(*(count if at == axis else size for at, size in enumerate(state.shape)))

    return tree_map(repeat, make())


def _nothing(count: int) -> None:
    """No state: many modules then begin in one of their own."""
