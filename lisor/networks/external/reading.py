"""How what a network puts out is read: as classes, as the next symbol, as numbers.

Shapes: N sequences, M other states, W numbers that a network puts out, C classes or numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lisor.automata.automaton import CLASSES
from lisor.errors import ModelError, one_line, show
from lisor.networks.external.calls import SHOWN
from lisor.networks.network import check_finite
from lisor.registry import TARGETS
from lisor.targets.next import END

MIN_PROBABILITY = 1e-12
"""Smaller probabilities are taken for this one in logarithms."""

NUMBER = "number"
"""What a single number is called."""

Outputs = Float[np.ndarray, "N W"]


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What the outputs of an external network are read as.

    They are a class of the sequence or after each symbol, whichever it puts out, unless there is a
    `target`. For "next" they are scores of what comes next: one for each symbol, the last one for
    the end, or one of the symbols is the `end`; where the network reads the symbol `begin` before
    each sequence, that is read first. For "number" and "regression" they are numbers."""

    target: str | None = None
    begin: str | None = None
    end: str | None = None

    @property
    def is_next(self) -> bool:
        """Whether they are scores of what comes next."""
        return self.target is not None and TARGETS[self.target].is_distribution

    def check(self, alphabet: Sequence[str]) -> None:
        """Raises ModelError where there is no such target, or a symbol that is not in the
        alphabet or has no meaning for the target."""
        if self.target is not None and self.target not in TARGETS:
            raise ModelError(
                f"expected one of the targets {', '.join(TARGETS)}, got {show(self.target)}"
            )
        for symbol in (self.begin, self.end):
            if symbol is not None and not self.is_next:
                raise ModelError(
                    f"expected the target next with {show(symbol)}, which begins or ends "
                    f"sequences, got {self.target or 'none'}"
                )
            if symbol is not None and symbol not in tuple(alphabet):
                raise ModelError(
                    f"expected {show(symbol)}, which begins or ends sequences, among the symbols "
                    "of the alphabet"
                )


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """The names of classes or of numbers, and how outputs [..., W] become their probabilities, or
    the numbers themselves [..., C]."""

    classes: tuple[str, ...]
    convert: Callable[[Tensor], Tensor]
    is_numeric: bool = False

    def __call__(self, raw: Outputs) -> Float[np.ndarray, "N C"]:
        """The probability of each class, or the numbers."""
        read: Float[np.ndarray, "N C"] = (
            self.convert(torch.from_numpy(raw.astype(np.float64))).numpy().astype(np.float32)
        )
        check_finite("answers", read)
        return read

    def through(self, raw: Float[Tensor, "*N W"]) -> Float[Tensor, "*N C"]:
        """The logarithm of the probability of each class, or the numbers, through which gradients
        go back."""
        read = self.convert(raw.double())
        return read if self.is_numeric else read.clamp_min(MIN_PROBABILITY).log()


def make_reading(
    target: str,
    seen: Outputs,
    extreme: Float[np.ndarray, "M W"],
    *,
    alphabet: Sequence[str],
    classes: Sequence[str] | None,
    end: str | None,
) -> Reading:
    """How outputs are read of which those `seen` are some, and others are those read out at
    `extreme` states that no word leads to.

    One number for a sequence is that of the second of two classes: a probability if all lie from 0
    to 1, and else a logit. Rows that are probabilities in the same sense are taken as such; others
    are logits or log-probabilities. What is read as the next symbol has an output for each, in the
    order of the alphabet, and the last one for the end; or the symbol `end` of the alphabet is
    that. Numbers are what they are.

    Raises:
        ModelError: `seen` is not one number or one row of numbers for each sequence, or not as many
            as there are names."""
    check_finite("answers", seen)
    kind, width = TARGETS[target], seen.shape[1]
    if kind.is_numeric:
        usual = (NUMBER,) if width == 1 else tuple(map(str, range(width)))
        names = _named(classes, usual, "numbers")
        return Reading(classes=names, convert=lambda raw: raw, is_numeric=True)
    raw = np.concatenate([seen, extreme])
    if kind.is_distribution:
        return _next_reading(raw, tuple(alphabet), end)
    count = max(2, width)
    usual = CLASSES if count == 2 else tuple(map(str, range(count)))
    return Reading(classes=_named(classes, usual, "classes"), convert=_conversion(raw))


def _next_reading(raw: Outputs, alphabet: tuple[str, ...], end: str | None) -> Reading:
    expected = len(alphabet) + (end is None)
    if raw.shape[1] != expected:
        meant = "one for each symbol" + (", the last one for the end" if end is None else "")
        hint = ""
        if end is None and raw.shape[1] == len(alphabet):
            hint = "; if one of the symbols ends a sequence, name it (end)"
        raise ModelError(
            f"expected {expected} scores of the next symbol, {meant}, got {raw.shape[1]}{hint}"
        )
    convert, classes = _conversion(raw), (*alphabet, END)
    if end is None:
        return Reading(classes=classes, convert=convert)
    at = alphabet.index(end)

    def with_end(raw: Tensor) -> Tensor:
        shares = convert(raw)
        apart = torch.zeros(shares.shape[-1] + 1, dtype=shares.dtype)
        order = torch.arange(shares.shape[-1] + 1)
        order[-1], apart[at] = at, 1
        return shares[..., order] * (1 - apart)

    return Reading(classes=classes, convert=with_end)


def _named(given: Sequence[str] | None, usual: tuple[str, ...], what: str) -> tuple[str, ...]:
    """The names given of classes or numbers, or else the usual ones."""
    names = usual if given is None else tuple(given)
    if len(names) != len(usual) or len(set(names)) < len(usual):
        raise ModelError(
            f"expected {len(usual)} different names, as many as the network has {what}, got "
            f"{one_line(', '.join(map(str, names)), SHOWN)}"
        )
    return names


def _conversion(raw: Outputs) -> Callable[[Tensor], Tensor]:
    """How outputs become probabilities."""
    shares = bool(((raw >= 0) & (raw <= 1)).all())
    if raw.shape[1] == 1:
        return _pair if shares else lambda raw: _pair(raw.sigmoid())
    if shares and np.allclose(raw.sum(axis=1), 1, atol=1e-4):
        return lambda raw: raw
    return partial(torch.softmax, dim=-1)


def _pair(accepted: Float[Tensor, "*N 1"]) -> Float[Tensor, "*N 2"]:
    return torch.cat([1 - accepted, accepted], dim=-1)
