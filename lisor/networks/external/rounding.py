"""Whether numbers are the same but for rounding."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

EXACT, STEPS = 1e-3, 8
"""By which share numbers may differ that are the same, or by how many of the smallest steps of
their type if that is more."""


def bound_of(types: Iterable[torch.dtype]) -> float:
    """By which share numbers of some types may differ that are the same."""
    steps = (torch.finfo(one).eps for one in types if one.is_floating_point)
    return max(EXACT, STEPS * max(steps, default=0.0))


def same(one: Tensor, other: Tensor, bound: float | None = None) -> bool:
    """Whether two tensors have one shape and the same numbers but for `bound`, by default that of
    their type.

    It is a share of each number, and a tenth of that share of the largest one of all, or of 1 if
    that is more. A NaN is like nothing."""
    if one.shape != other.shape or torch.equal(one, other):
        return one.shape == other.shape
    if bound is None:
        bound = bound_of([one.dtype])
    sizes = other.double().abs()
    allowed = bound * (0.1 * (1 + sizes.max()) + sizes)
    return bool(((one.double() - other.double()).abs() <= allowed).all())
