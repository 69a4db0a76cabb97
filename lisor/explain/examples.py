"""Which sequences of a test split are shown: some that the networks have right, some wrong, some that they doubt.

Shapes: N sequences, C classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lisor.data.sequences import Sequences

KINDS = ("right", "wrong", "uncertain")


@dataclass(frozen=True, kw_only=True)
class Example:
    """The row of a sequence in its split, and which of the `KINDS` it is of."""

    row: int
    kind: str


def choose_examples(
    sequences: Sequences,
    labels: Int[np.ndarray, " N"],
    probabilities: Sequence[Float[np.ndarray, "N C"]],
    count: int,
) -> tuple[Example, ...]:
    """A third of `count` sequences of each kind, by the mean of the networks' class probabilities.

    "right": answered rightly, the true class the likeliest; "wrong": answered wrongly, the true class the unlikeliest;
    "uncertain": the two likeliest classes the nearest to each other. Ties go to the first in the split; empty sequences
    and such as are there already are passed over."""
    mean = np.mean(probabilities, axis=0)
    true, ordered = mean[np.arange(len(labels)), labels], np.sort(mean, axis=1)
    is_right, keys = mean.argmax(axis=1) == labels, sequences.keys()
    ranked: dict[str, Iterable[int]] = {
        "right": [row for row in np.argsort(-true, kind="stable") if is_right[row]],
        "wrong": [row for row in np.argsort(true, kind="stable") if not is_right[row]],
        "uncertain": np.argsort(ordered[:, -1] - ordered[:, -2], kind="stable"),
    }
    found, met = [], {b""}
    for place, kind in enumerate(KINDS):
        wanted = count // len(KINDS) + (place < count % len(KINDS))
        for row in ranked[kind]:
            if wanted and keys[row] not in met:
                met.add(keys[row])
                found.append(Example(row=int(row), kind=kind))
                wanted -= 1
    return tuple(found)
