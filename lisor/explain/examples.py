"""The predictions of a test split that are shown as examples: right, wrong and uncertain ones, or
numbers that are close, far off and extreme.

Shapes: N positions that may be chosen, M of all, C classes or numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lisor.data.dataset import Split
from lisor.explain.score import draw_positions
from lisor.registry import TARGETS


@dataclass(frozen=True, kw_only=True)
class Example:
    """The row of a sequence in its split, how many of its symbols are read where the prediction is
    explained, and its kind."""

    row: int
    read: int
    kind: str


def choose_examples(
    split: Split, predictions: Sequence[Float[np.ndarray, "M C"]], count: int, *, seed: int = 0
) -> tuple[Example, ...]:
    """A third of `count` predictions of each kind, by the mean of the networks' class
    probabilities, or numbers.

    "right": predicted rightly, the highest probabilities of the true class first. "wrong":
    predicted wrongly, the lowest probabilities of the true class first. "uncertain": the smallest
    distances of the two most probable classes first. Of numbers the first: "close": the smallest
    errors first, "far": the largest, "extreme": the predictions that are farthest from their mean.
    Ties go to the first in the split. Each sequence has one position that may be chosen; see
    `draw_positions`. What is read there is not empty, and no duplicate."""
    read, positions = draw_positions(split.sequences, split.target, seed), split.positions
    candidates = np.flatnonzero(positions.read == read[positions.sequence])
    rows = positions.sequence[candidates]
    mean, labels = np.mean(predictions, axis=0)[candidates], split.labels[candidates]
    rank = _rank_numbers if TARGETS[split.target].is_numeric else _rank_classes
    ranked = rank(mean, labels)
    keys = split.sequences.cut(split.sequences.offsets[:-1][rows], read[rows]).keys()
    examples, seen = [], {b""}
    for index, (kind, order) in enumerate(ranked.items()):
        wanted = count // len(ranked) + (index < count % len(ranked))
        for at in order:
            if wanted and keys[at] not in seen:
                seen.add(keys[at])
                row = int(rows[at])
                examples.append(Example(row=row, read=int(read[row]), kind=kind))
                wanted -= 1
    return tuple(examples)


def _rank_classes(
    probabilities: Float[np.ndarray, "N C"], labels: Int[np.ndarray, " N"]
) -> dict[str, Iterable[int]]:
    """The positions of each kind, the first to be chosen first."""
    true, ordered = probabilities[np.arange(len(labels)), labels], np.sort(probabilities, axis=1)
    is_right = probabilities.argmax(axis=1) == labels
    return {
        "right": [row for row in np.argsort(-true, kind="stable") if is_right[row]],
        "wrong": [row for row in np.argsort(true, kind="stable") if not is_right[row]],
        "uncertain": np.argsort(ordered[:, -1] - ordered[:, -2], kind="stable"),
    }


def _rank_numbers(
    predictions: Float[np.ndarray, "N C"], labels: Float[np.ndarray, "N C"]
) -> dict[str, Iterable[int]]:
    """The same where numbers are predicted."""
    numbers = predictions[:, 0]
    errors = np.abs(numbers - labels[:, 0])
    return {
        "close": np.argsort(errors, kind="stable"),
        "far": np.argsort(-errors, kind="stable"),
        "extreme": np.argsort(-np.abs(numbers - numbers.mean()), kind="stable"),
    }
