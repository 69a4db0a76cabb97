"""Recurrent models of transformers: their cache, what they hand on from symbol to symbol while they
generate, is the state.

Shapes: N states, H numbers of a part of a state, C numbers of an output."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lisor.errors import ModelError, one_line
from lisor.networks.external.recurrence import OTHER, OUTPUT, WORDS, Call, Part, describe
from lisor.networks.external.rounding import same

CACHES = ("cache", "cache_params", "past_key_values", "state")
"""Names under which such models take a cache and return it."""


def find_cached(module: nn.Module) -> tuple[nn.Module, str] | None:
    """The outermost part of a module that returns a cache where it is called with `use_cache`, and
    the name of the cache; None where there is no such part."""
    for part in module.modules():
        if not isinstance(part, torch.jit.ScriptModule):
            taken = inspect.signature(part.forward).parameters
            names = [name for name in CACHES if name in taken]
            if names and "use_cache" in taken:
                return part, names[0]
    return None


class Cached:
    """A module called on one symbol after the other, each time with the cache that a part of it
    returned after the one before.

    The state is what the cache holds of each word, and the output.

    Raises:
        ModelError: no cache is returned, or one that grows with the word."""

    initial: list[Float[Tensor, "1 H"]] | None = None

    def __init__(self, call: Call, symbols: int, part: nn.Module, name: str) -> None:
        self._call, self._part, self._name = call, part, name
        first, other = (torch.arange(count) % symbols for count in (WORDS, OTHER))
        self._cache, outputs = self._run(first)
        again, _ = self._run(first, deepcopy(self._cache))
        tensors, after = _tensors(self._cache), _tensors(again)
        if [one.shape for one in tensors] != [one.shape for one in after]:
            raise ModelError(
                f"the {name} of its {one_line(type(part).__name__, 40)} grows with every symbol, "
                "for attention to earlier ones"
            )
        pairs = list(zip(tensors, _tensors(self._run(other)[0]), strict=True))
        self._at = [at for at, (one, more) in enumerate(pairs) if one.shape != more.shape]
        parts = [describe(name, *pairs[at], is_cell=False) for at in self._at]
        self.parts = (*parts, Part.vector(OUTPUT, outputs.shape[1]))
        # A model may mix the words of a batch on one symbol, though it does not on several.
        self._one_by_one = True
        alone = self.step(self.start(first), first)
        self._one_by_one = False
        together = self.step(self.start(first), first)
        self._one_by_one = not all(map(same, together, alone))

    def start(self, symbols: Int[Tensor, " N"]) -> list[Float[Tensor, "N H"]]:
        """The states after a first symbol."""
        return self._advance([], symbols)

    def step(
        self, states: Sequence[Float[Tensor, "N H"]], symbols: Int[Tensor, " N"]
    ) -> list[Float[Tensor, "N H"]]:
        """The states after one more symbol."""
        return self._advance(states[:-1], symbols)

    def read_out(self, states: Sequence[Float[Tensor, "N H"]]) -> Float[Tensor, "N C"]:
        """The outputs in states."""
        return states[-1]

    def _advance(
        self, before: Sequence[Float[Tensor, "N H"]], symbols: Int[Tensor, " N"]
    ) -> list[Float[Tensor, "N H"]]:
        rows, after = 1 if self._one_by_one else len(symbols), []
        for read, *states in zip(*(one.split(rows) for one in (symbols, *before)), strict=True):
            cache, outputs = self._run(read, self._filled(states) if states else None)
            tensors = [_tensors(cache)[at] for at in self._at]
            flat = [part.flat(one) for part, one in zip(self.parts, tensors, strict=False)]
            after.append([*flat, outputs])
        return [torch.cat(part) for part in zip(*after, strict=True)]

    def _filled(self, states: Sequence[Float[Tensor, "N H"]]) -> Any:
        """A cache of these states."""
        tensors = _tensors(self._cache)
        copies = {
            id(tensors[at]): part.whole(state).to(tensors[at].device)
            for at, part, state in zip(self._at, self.parts, states, strict=False)
        }
        return deepcopy(self._cache, copies)

    def _run(
        self, symbols: Int[Tensor, " N"], cache: Any = None
    ) -> tuple[Any, Float[Tensor, "N C"]]:
        """The cache and the outputs after one more symbol."""
        returned: list[Any] = []

        def give(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
            return given, named | {"use_cache": True, self._name: cache}

        def take(_: nn.Module, __: tuple[Any, ...], result: Any) -> None:
            returned.append(getattr(result, self._name, None))

        hooks = (
            self._part.register_forward_pre_hook(give, with_kwargs=True),
            self._part.register_forward_hook(take),
        )
        try:
            with torch.inference_mode():
                outputs = self._call(symbols[:, None])
        finally:
            for hook in hooks:
                hook.remove()
        if not returned or not _tensors(returned[-1]):
            raise ModelError(
                f"its {one_line(type(self._part).__name__, 40)} returns no {self._name} to go on "
                "from"
            )
        return returned[-1], outputs


def _tensors(value: Any, visited: frozenset[int] = frozenset()) -> list[Tensor]:
    """The tensors in lists, dicts and attributes of an object, always in the same order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, type | nn.Module) or id(value) in visited:
        return []
    if isinstance(value, Mapping):
        inside = [*value.values()]
    elif isinstance(value, list | tuple):
        inside = [*value]
    else:
        inside = [*getattr(value, "__dict__", {}).values()]
    within = visited | {id(value)}
    return [tensor for one in inside for tensor in _tensors(one, within)]
