"""Where the outputs of a torch module stand in what it returns.

It is found by calls on other numbers of words and symbols: modules return tensors alone or among
others.

Shapes: B words, T symbols, C numbers of an output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass, replace
from math import prod
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lisor.errors import one_line
from lisor.networks.external.calls import SHOWN
from lisor.networks.external.trace import Recording

OUTPUT_NAMES = ("logits", "scores", "log_probs", "probabilities", "probs", "predictions",
                "prediction", "output", "outputs", "answer", "y")  # fmt: skip
"""Names under which outputs are returned, the surest first."""

SIZES = ((5, 3), (7, 3), (5, 4))
"""Words and symbols of the calls that show which axis is which."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where the outputs stand among the tensors that a module returns: which one it is, its axis of
    words, that of steps if there is one after each symbol, and how many numbers each has.

    `rivals` are the other ones of fewer numbers that may be the outputs as well."""

    leaf: int
    batch: int
    steps: int | None
    width: int
    rivals: int = 0

    def take(self, result: Any) -> Float[Tensor, "B C"] | Float[Tensor, "B T C"]:
        """The outputs."""
        outputs = list(leaves(result))[self.leaf][1]
        if self.steps is not None:
            outputs = outputs.movedim((self.batch, self.steps), (0, 1))
            return outputs.reshape(*outputs.shape[:2], -1).float().cpu()
        outputs = outputs.movedim(self.batch, 0)
        return outputs.reshape(len(outputs), -1).float().cpu()


def find_output(
    call: Callable[[Int[Tensor, "B T"]], Any], width: int | None, handed: set[tuple[int, ...]]
) -> Output | str:
    """Where the outputs are in what calls on words of symbol 0 return, or why they are nowhere.

    Of several tensors they are the one of `width` numbers, the one of a name of `OUTPUT_NAMES`, or
    else the first that belongs to words and is no state, of the shapes that were `handed` over."""
    words = [torch.zeros(size, dtype=torch.long) for size in SIZES]
    results = [call(batch) for batch in words]
    returned = [list(leaves(result)) for result in results]
    if len({len(one) for one in returned}) > 1 or not returned[0]:
        return f"got {one_line(type(results[0]).__name__, SHOWN)}, without tensors"
    widths = (1, 2) if width == 2 else (width,)
    candidates: list[tuple[tuple[bool, bool, int], Output]] = []
    for at, (name, tensor) in enumerate(returned[0]):
        sizes = [tuple(one[at][1].shape) for one in returned]
        axes = _axes(*sizes)
        if axes is None or not tensor.is_floating_point():
            continue
        numbers = prod(size for axis, size in enumerate(sizes[0]) if axis not in axes)
        output = Output(leaf=at, batch=axes[0], steps=axes[1], width=numbers)
        rank = next(
            (rank for rank, known in enumerate(OUTPUT_NAMES) if _is_named(name, known)),
            len(OUTPUT_NAMES),
        )
        candidates.append(((sizes[0] in handed, output.width not in widths, rank), output))
    if candidates:
        best = min(rank for rank, _ in candidates)
        equal = [output for rank, output in candidates if rank == best]
        first, *others = _last_made(lambda: call(words[0]), equal)
        return replace(first, rivals=sum(output.width < first.width for output in others))
    kinds = {tensor.is_floating_point() for _, tensor in returned[0]}
    what = "numbers" if True in kinds else "whole numbers, which are no scores,"
    shown, longer = (
        one_line(", ".join(str([*tensor.shape]) for _, tensor in one), SHOWN)
        for one in (returned[0], returned[-1])
    )
    grown = f", {longer} of {SIZES[-1][1]}" if longer != shown else ""
    return f"got {what} of shape {shown} for {SIZES[0][0]} words of {SIZES[0][1]} symbols{grown}"


def leaves(result: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in what a module returns, with the names under which they stand there."""
    if isinstance(result, Tensor):
        yield name, result
    elif isinstance(result, Mapping):
        for key, one in result.items():
            yield from leaves(one, str(key))
    elif is_dataclass(result) and not isinstance(result, type):
        for key, one in vars(result).items():
            yield from leaves(one, key)
    elif isinstance(result, tuple | list):
        names = getattr(result, "_fields", [name] * len(result))
        for key, one in zip(names, result, strict=True):
            yield from leaves(one, key)


def _last_made(call: Callable[[], Any], candidates: list[Output]) -> list[Output]:
    """Those of several tensors of a call of which no other one of them is made."""
    if len(candidates) == 1:
        return candidates
    recording = Recording()
    returned = [*leaves(recording.run(call))]
    tensors = [returned[output.leaf][1] for output in candidates]
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
    grown = [at for at, pair in enumerate(zip(size, of_symbols, strict=True)) if len({*pair}) > 1]
    if len(words) != 1 or changed != words or grown != steps or len(steps) > 1:
        return None
    return (words[0], steps[0] if steps else None) if len(size) <= 2 + len(steps) else None
