"""How a torch module is called with words, and where its outputs stand in what it returns.

Both are found by calls: modules take symbol numbers or one-hot vectors, batch or time first, with
lengths, masks or a hidden state beside them, all symbols at once or one after the other, and return
tensors alone or among others.

Shapes: B words, T symbols, S symbols of the alphabet, C numbers of an output."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
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
from lisor.networks.external.trace import Recording
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

OUTPUT_NAMES = ("logits", "scores", "log_probs", "probabilities", "probs", "predictions",
                "prediction", "output", "outputs", "answer", "y")  # fmt: skip
"""Names under which outputs are returned, the surest first."""

NEAR = 1e-2
"""By how much outputs may differ that are the same but for rounding."""

MANY = 50
"""How often words are repeated to see whether outputs are random."""

SIZES = ((5, 3), (7, 3), (5, 4))
"""Words and symbols of the calls that show which axis is which."""


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


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where the outputs stand among the tensors that a module returns: which one it is, its axis of
    words, and that of steps if there is one after each symbol."""

    leaf: int
    batch: int
    steps: int | None

    def take(self, result: Any) -> Float[Tensor, "B C"] | Float[Tensor, "B T C"]:
        """The outputs."""
        outputs = list(_leaves(result))[self.leaf][1]
        if self.steps is not None:
            outputs = outputs.movedim((self.batch, self.steps), (0, 1))
            return outputs.reshape(*outputs.shape[:2], -1).float().cpu()
        outputs = outputs.movedim(self.batch, 0)
        return outputs.reshape(len(outputs), -1).float().cpu()


class Layout:
    """How a module that reads `symbols` is called, and its outputs [B, C], or [B, T, C] where there
    is one after each symbol.

    Of several tensors that a module returns the outputs are the one of `width` numbers, the one of
    a name of `OUTPUT_NAMES`, or else the first that belongs to words and is no state.

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
        self._rivals = 0
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a module warns of is not to decide on its form
            self._form, self._output = self._find(width)
        if self._rivals:
            warnings.warn(
                f"{self._name} returns {self._rivals + 1} tensors that may be its outputs: the "
                "first is read, though it has more numbers; return them under the name logits, or "
                "alone",
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
            return self._output.take(self._call(self._form, words))

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
                results = [self._call(form, torch.zeros(size, dtype=torch.long)) for size in SIZES]
            except (Exception, SystemExit) as error:
                failed.setdefault(str(form), one_line(reason(error), 70))
                continue
            output = self._find_output(form, results, width)
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
        layers = [part for part in self._module.modules() if isinstance(part, nn.RNNBase)]
        return makers + [partial(_zeros, layer) for layer in layers]

    def _find_output(self, form: Form, results: list[Any], width: int | None) -> Output | str:
        """Where the outputs are in the results of three calls, or why they are nowhere."""
        leaves = [list(_leaves(result)) for result in results]
        if len({len(one) for one in leaves}) > 1 or not leaves[0]:
            return f"got {one_line(type(results[0]).__name__, SHOWN)}, without tensors"
        handed = set() if form.begin is None else _shapes(form.begin(SIZES[0][0]))
        widths = (1, 2) if width == 2 else (width,)
        candidates: list[tuple[tuple[bool, bool, int], Output]] = []
        for at, (name, tensor) in enumerate(leaves[0]):
            sizes = [tuple(one[at][1].shape) for one in leaves]
            axes = _axes(*sizes)
            if axes is None or not tensor.is_floating_point():
                continue
            output = Output(leaf=at, batch=axes[0], steps=axes[1])
            size = output.take(results[0]).shape[-1]
            rank = next(
                (rank for rank, known in enumerate(OUTPUT_NAMES) if _is_named(name, known)),
                len(OUTPUT_NAMES),
            )
            candidates.append(((sizes[0] in handed, size not in widths, rank), output))
        if candidates:
            best = min(rank for rank, _ in candidates)
            first, *others = self._last_made(
                form, [output for rank, output in candidates if rank == best]
            )
            size = first.take(results[0]).shape[-1]
            self._rivals = sum(output.take(results[0]).shape[-1] < size for output in others)
            return first
        kinds = {tensor.is_floating_point() for _, tensor in leaves[0]}
        what = "numbers" if True in kinds else "whole numbers, which are no scores,"
        shown = one_line(", ".join(str([*tensor.shape]) for _, tensor in leaves[0]), SHOWN)
        return f"got {what} of shape {shown} for {SIZES[0][0]} words of {SIZES[0][1]} symbols"

    def _last_made(self, form: Form, candidates: list[Output]) -> list[Output]:
        """Those of several tensors of which no other one of them is made."""
        if len(candidates) == 1:
            return candidates
        recording, words = Recording(), torch.zeros(SIZES[0], dtype=torch.long)
        leaves = [*_leaves(recording.run(lambda: self._call(form, words)))]
        tensors = [leaves[output.leaf][1] for output in candidates]
        made_of = [recording.ancestors(tensor) for tensor in tensors]
        return [
            output
            for output, tensor in zip(candidates, tensors, strict=True)
            if not any(
                tensor.shape == node.value.shape and torch.equal(tensor, node.value)
                for ancestors in made_of
                for node in ancestors
            )
        ] or candidates

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
        fewer = self(words[:2])
        apart = torch.allclose(outputs[1:], self(other)[1:], rtol=NEAR, atol=NEAR)
        apart = apart and torch.allclose(outputs[:2], fewer, rtol=NEAR, atol=NEAR)
        if output.steps is None:
            return apart
        before = outputs[:, :-1], self(later)[:, :-1]
        return apart and torch.allclose(*before, rtol=NEAR, atol=NEAR)


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


def _leaves(result: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in what a module returns, with the names under which they stand there."""
    if isinstance(result, Tensor):
        yield name, result
    elif isinstance(result, Mapping):
        for key, one in result.items():
            yield from _leaves(one, str(key))
    elif is_dataclass(result) and not isinstance(result, type):
        for key, one in vars(result).items():
            yield from _leaves(one, key)
    elif isinstance(result, tuple | list):
        names = getattr(result, "_fields", [name] * len(result))
        for key, one in zip(names, result, strict=True):
            yield from _leaves(one, key)


def _is_named(name: str, known: str) -> bool:
    """Whether a name is a known one, by itself or with a word before or after it."""
    return name == known or name.endswith(f"_{known}") or name.startswith(f"{known}_")


def _axes(
    size: tuple[int, ...], of_words: tuple[int, ...], of_symbols: tuple[int, ...]
) -> tuple[int, int | None] | None:
    """The axes of words and of steps of a tensor, by its sizes in three calls; None where it has
    none, or more than one beside them."""
    if not len(size) == len(of_words) == len(of_symbols) <= 3:
        return None
    words = [at for at, pair in enumerate(zip(size, of_words, strict=True)) if pair == (5, 7)]
    steps = [at for at, pair in enumerate(zip(size, of_symbols, strict=True)) if pair == (3, 4)]
    changed = [at for at, pair in enumerate(zip(size, of_words, strict=True)) if len({*pair}) > 1]
    if len(words) != 1 or changed != words or len(steps) > 1:
        return None
    return (words[0], steps[0] if steps else None) if len(size) <= 2 + len(steps) else None


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


def _zeros(layer: nn.RNNBase, count: int) -> Any:
    """The state in which a recurrent layer begins by itself."""
    layers, like = layer.num_layers * (1 + layer.bidirectional), next(layer.parameters())
    hidden = like.new_zeros(layers, count, layer.proj_size or layer.hidden_size)
    if layer.mode != "LSTM":
        return hidden
    return hidden, like.new_zeros(layers, count, layer.hidden_size)
