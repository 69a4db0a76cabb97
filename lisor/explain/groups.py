"""The steps of sequences in groups: by their class, or by thirds of the number that is true there.

Shapes: P symbols of all sequences together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Int

from lisor.data.dataset import Split
from lisor.explain.score import labels_of_steps
from lisor.registry import TARGETS

THIRDS = (1 / 3, 2 / 3)


@dataclass(frozen=True, kw_only=True, eq=False)
class Groups:
    """The `names` of groups, and the number of that of each symbol."""

    names: tuple[str, ...]
    of_steps: Int[np.ndarray, " P"]


def group_steps(split: Split, classes: Sequence[str]) -> Groups:
    """The symbols of a split by their classes, or where numbers are true, by where the first of
    them lies among the thirds of all of its values."""
    labels = labels_of_steps(split)
    if not TARGETS[split.target].is_numeric:
        return Groups(names=tuple(classes), of_steps=labels)
    numbers = labels[:, 0]
    edges = np.unique(np.quantile(numbers, THIRDS)) if len(numbers) else np.zeros(0)
    edges = edges[edges < numbers.max(initial=-np.inf)]
    shown = [f"{edge:.3g}".replace("-", "\N{MINUS SIGN}") for edge in edges]
    names = [f"{low} to {high}" for low, high in pairwise(shown)]
    names = [f"up to {shown[0]}", *names, f"over {shown[-1]}"] if shown else ["the same"]
    return Groups(names=tuple(names), of_steps=np.searchsorted(edges, numbers))
