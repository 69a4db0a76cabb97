"""How a torch module is called with words, and where its answers stand in what it returns.

Both are found by calls: modules take symbol numbers or one-hot vectors, batch or time first, with
lengths, masks or a hidden state beside them, all symbols at once or one after the other, and return
tensors alone or among others.

Shapes: B words, T symbols, S symbols of the alphabet, C numbers of an answer."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
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

ANSWERS = ("logits", "scores", "log_probs", "probabilities", "probs", "predictions", "prediction",
           "output", "outputs", "answer", "y")  # fmt: skip
"""Names under which answers are returned, the surest first."""

NEAR = 1e-2
"""By how much answers may differ that are the same but for rounding."""

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
class Place:
    """Where answers stand among the tensors that a module returns: which one it is, its axis of
    words, and that of steps if it answers after each."""

    leaf: int
    batch: int
    steps: int | None
    name: str

    def take(self, result: Any) -> Float[Tensor, "B C"] | Float[Tensor, "B T C"]:
        """The answers."""
        answers = list(_leaves(result))[self.leaf][1]
        if self.steps is not None:
            answers = answers.movedim((self.batch, self.steps), (0, 1))
            return answers.reshape(*answers.shape[:2], -1).float()
        answers = answers.movedim(self.batch, 0)
        return answers.reshape(len(answers), -1).float()


class Layout:
    """How a module that reads `symbols` is called, and its answers [B, C], or [B, T, C] where it
    answers after each symbol.

    Of several tensors that a module returns the answers are the one of a name of `ANSWERS`, the one
    of `width` numbers for each word, or else the first that belongs to words and is no state.

    Raises:
        ModelError: it takes words in none of these ways, or its answers to one word depend on other
            words."""

    def __init__(self, module: nn.Module, symbols: int, width: int | None) -> None:
        self._module, self._symbols = module, symbols
        self._name = one_line(type(module).__name__, 40)
        weight = next((one for one in module.parameters() if one.is_floating_point()), None)
        self._dtype = torch.float32 if weight is None else weight.dtype
        self.device = torch.device("cpu") if weight is None else weight.device
        self._roles = _roles(module)
        self._rivals = 0
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a module warns of is not to decide on its form
            self._form, self._place = self._find(width)
        if self._rivals:
            warnings.warn(
                f"{self._name} returns {self._rivals + 1} tensors that may be its answers: the "
                "first is read, though it has more numbers; return them under the name logits, or "
                "alone",
                DataWarning,
                stacklevel=4,
            )

    @property
    def answers_steps(self) -> bool:
        """Whether the module answers after each symbol."""
        return self._place.steps is not None

    @property
    def answers_name(self) -> str:
        """The name under which the module returns its answers, or none."""
        return self._place.name

    def __call__(self, words: Int[Tensor, "B T"]) -> Float[Tensor, "B C"] | Float[Tensor, "B T C"]:
        """What the module answers."""
        what = "one-hot vectors of" if self._form.vectors else "a batch of"
        with calling(f"{self._name} called with {what} symbols 0 … {self._symbols - 1}"):
            return self._place.take(self._call(self._form, words))

    def last(self, words: Int[Tensor, "B T"]) -> Float[Tensor, "B C"]:
        """What the module answers after the last symbol."""
        answers = self(words)
        return answers[:, -1] if self.answers_steps else answers

    def _call(self, form: Form, words: Int[Tensor, "B T"]) -> Any:
        # Which operators run may depend on how a tensor lies in memory: it always lies alike.
        words = words.to(self.device).clone(memory_format=torch.contiguous_format)
        hidden = None if form.begin is None else form.begin(len(words))
        read = one_hot(words, self._symbols).to(self._dtype) if form.vectors else words
        if not form.one_by_one:
            whole = _time_first(read) if form.time_first else read
            return self._module(whole, **self._beside(form, words, hidden))
        results = []
        for at in range(words.shape[1]):
            beside = self._beside(form, words[:, :1], hidden)
            results.append(self._module(read[:, at], **beside))
            hidden = _next_state(results[-1], hidden)
        return results[-1]

    def _beside(self, form: Form, words: Int[Tensor, "B T"], hidden: Any) -> dict[str, Any]:
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

    def _find(self, width: int | None) -> tuple[Form, Place]:
        failed: dict[str, str] = {}
        for form in self._forms():
            try:
                results = [self._call(form, torch.zeros(size, dtype=torch.long)) for size in SIZES]
            except (Exception, SystemExit) as error:
                failed.setdefault(str(form), one_line(reason(error), 70))
                continue
            place = self._find_place(form, results, width)
            if isinstance(place, Place) and self._is_apart(form, place):
                return form, place
            failed.setdefault(
                str(form), place if isinstance(place, str) else "answers mix the words of a batch"
            )
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
        ways: list[Callable[[int], Any]] = []
        for method in methods:
            ways += [method, partial(_repeated, method)]
        ways.append(_nothing)
        layers = [part for part in self._module.modules() if isinstance(part, nn.RNNBase)]
        return ways + [partial(_zeros, layer) for layer in layers]

    def _find_place(self, form: Form, results: list[Any], width: int | None) -> Place | str:
        """Where the answers are in the results of three calls, or why they are nowhere."""
        leaves = [list(_leaves(result)) for result in results]
        if len({len(one) for one in leaves}) > 1 or not leaves[0]:
            return f"got {one_line(type(results[0]).__name__, SHOWN)}, without tensors"
        handed = set() if form.begin is None else _shapes(form.begin(SIZES[0][0]))
        found: list[tuple[tuple[bool, bool, int], Place]] = []
        for at, (name, tensor) in enumerate(leaves[0]):
            sizes = [tuple(one[at][1].shape) for one in leaves]
            axes = _axes(*sizes)
            if axes is None or not tensor.is_floating_point():
                continue
            place = Place(leaf=at, batch=axes[0], steps=axes[1], name=name)
            numbers = place.take(results[0]).shape[-1]
            rank = ANSWERS.index(name) if name in ANSWERS else len(ANSWERS)
            found.append(((sizes[0] in handed, numbers != width, rank), place))
        if found:
            best = min(rank for rank, _ in found)
            first, *others = [place for rank, place in found if rank == best]
            sizes = [place.take(results[0]).shape[-1] for place in (first, *others)]
            self._rivals = sum(size < sizes[0] for size in sizes)
            return first
        kinds = {tensor.is_floating_point() for _, tensor in leaves[0]}
        what = "numbers" if True in kinds else "whole numbers, which are no scores,"
        shown = one_line(", ".join(str([*tensor.shape]) for _, tensor in leaves[0]), SHOWN)
        return f"got {what} of shape {shown} for {SIZES[0][0]} words of {SIZES[0][1]} symbols"

    def _is_apart(self, form: Form, place: Place) -> bool:
        """Whether the answer to each word depends on that word alone, and one after each symbol on
        what was read so far."""
        self._form, self._place = form, place
        rng = stream(0, "words that find a layout")
        words = torch.from_numpy(rng.integers(self._symbols, size=SIZES[0]))
        other, later = words.clone(), words.clone()
        other[0] = (words[0] + 1) % self._symbols
        later[:, -1] = (words[:, -1] + 1) % self._symbols
        answers = self(words)
        check_finite("answers", answers.cpu().numpy())
        if not torch.equal(answers, self(words)):
            raise ModelError(
                f"{self._name} answers the same words differently each time; call its eval() first"
            )
        fewer = self(words[:2])
        apart = torch.allclose(answers[1:], self(other)[1:], rtol=NEAR, atol=NEAR)
        apart = apart and torch.allclose(answers[:2], fewer, rtol=NEAR, atol=NEAR)
        if place.steps is None:
            return apart
        before = answers[:, :-1], self(later)[:, :-1]
        return apart and torch.allclose(*before, rtol=NEAR, atol=NEAR)


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
