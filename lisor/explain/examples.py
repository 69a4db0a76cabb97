"""The sequences of a test split that are shown as examples: right, wrong and uncertain predictions.

Shapes: N sequences, C classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lisor.sequences import Sequences

KINDS = ("right", "wrong", "uncertain")


@dataclass(frozen=True, kw_only=True)
class Example:
    """The row of a sequence in its split, and its kind, one of `KINDS`."""

    row: int
    kind: str


def choose_examples(
    sequences: Sequences,
    labels: Int[np.ndarray, " N"],
    probabilities: Sequence[Float[np.ndarray, "N C"]],
    count: int,
) -> tuple[Example, ...]:
    """A third of `count` sequences of each kind, by the mean of the networks' class probabilities.

    "right": predicted rightly, the highest probabilities of the true class first. "wrong":
    predicted wrongly, the lowest probabilities of the true class first. "uncertain": the smallest
    distances of the two most probable classes first. Ties go to the first in the split. Empty
    sequences and duplicates are skipped."""
    mean = np.mean(probabilities, axis=0)
    true, ordered = mean[np.arange(len(labels)), labels], np.sort(mean, axis=1)
    is_right, keys = mean.argmax(axis=1) == labels, sequences.keys()
    ranked: dict[str, Iterable[int]] = {
        "right": [row for row in np.argsort(-true, kind="stable") if is_right[row]],
        "wrong": [row for row in np.argsort(true, kind="stable") if not is_right[row]],
        "uncertain": np.argsort(ordered[:, -1] - ordered[:, -2], kind="stable"),
    }
    examples, seen = [], {b""}
    for index, kind in enumerate(KINDS):
        wanted = count // len(KINDS) + (index < count % len(KINDS))
        for row in ranked[kind]:
            if wanted and keys[row] not in seen:
                seen.add(keys[row])
                examples.append(Example(row=int(row), kind=kind))
                wanted -= 1
    return tuple(examples)
