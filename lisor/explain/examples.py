"""The predictions of a test split that are shown as examples: right, wrong and uncertain ones.

Shapes: N sequences, M positions, C classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lisor.data.dataset import Split
from lisor.explain.score import draw_positions

KINDS = ("right", "wrong", "uncertain")


@dataclass(frozen=True, kw_only=True)
class Example:
    """The row of a sequence in its split, how many of its symbols are read where the prediction is
    explained, and its kind, one of `KINDS`."""

    row: int
    read: int
    kind: str


def choose_examples(
    split: Split, probabilities: Sequence[Float[np.ndarray, "M C"]], count: int, *, seed: int = 0
) -> tuple[Example, ...]:
    """A third of `count` predictions of each kind, by the mean of the networks' class
    probabilities.

    "right": predicted rightly, the highest probabilities of the true class first. "wrong":
    predicted wrongly, the lowest probabilities of the true class first. "uncertain": the smallest
    distances of the two most probable classes first. Ties go to the first in the split. Each
    sequence has one position that may be chosen; see `draw_positions`. What is read there is not
    empty, and no duplicate."""
    read, positions = draw_positions(split.sequences, split.target, seed), split.positions
    candidates = np.flatnonzero(positions.read == read[positions.sequence])
    rows = positions.sequence[candidates]
    mean, labels = np.mean(probabilities, axis=0)[candidates], split.labels[candidates]
    prefixes = split.sequences.cut(split.sequences.offsets[:-1][rows], read[rows])
    true, ordered = mean[np.arange(len(labels)), labels], np.sort(mean, axis=1)
    is_right, keys = mean.argmax(axis=1) == labels, prefixes.keys()
    ranked: dict[str, Iterable[int]] = {
        "right": [row for row in np.argsort(-true, kind="stable") if is_right[row]],
        "wrong": [row for row in np.argsort(true, kind="stable") if not is_right[row]],
        "uncertain": np.argsort(ordered[:, -1] - ordered[:, -2], kind="stable"),
    }
    examples, seen = [], {b""}
    for index, kind in enumerate(KINDS):
        wanted = count // len(KINDS) + (index < count % len(KINDS))
        for at in ranked[kind]:
            if wanted and keys[at] not in seen:
                seen.add(keys[at])
                row = int(rows[at])
                examples.append(Example(row=row, read=int(read[row]), kind=kind))
                wanted -= 1
    return tuple(examples)
