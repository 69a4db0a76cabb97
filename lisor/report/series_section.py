"""The blocks of the report on series of numbers: what each symbol stands for, and its share in each
class.

Shapes: S symbols, C classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from lisor.data.dataset import Dataset
from lisor.registry import TARGETS
from lisor.report.figures import symbol_curves
from lisor.report.page import Picture, Table

MAX_DRAWN = 64
"""Prototypes that are drawn, the first."""


def series_blocks(name: str, dataset: Dataset) -> Iterator[Picture | Table]:
    """The prototypes as curves, and the share of each symbol in the training series of each class,
    or in all where series have none."""
    quantizer = dataset.alphabet.quantizer
    if quantizer is None:
        return
    labelled = TARGETS[dataset.target].predicts_once
    classes, shares = dataset.classes if labelled else ("all series",), _shares(dataset, labelled)
    steps = f"{quantizer.window} steps" if quantizer.window > 1 else "a single step"
    if not quantizer.has_levels:
        drawn = min(MAX_DRAWN, len(dataset.alphabet))
        yield Picture(
            name=f"{name}-symbols",
            title="What the symbols stand for",
            caption=f"Each symbol stands for {steps} of a series, those nearest to its curve. "
            + (
                "Lines are the steps, from left to right the channels."
                if quantizer.channels > 1
                else ""
            )
            + (
                f" The first {drawn} of {len(dataset.alphabet)} are drawn."
                if drawn < len(dataset.alphabet)
                else ""
            ),
            svg=symbol_curves(
                [quantizer.example(symbol) for symbol in range(drawn)], dataset.alphabet
            ),
        )
    yield Table(
        name=f"{name}-symbol-shares",
        title="How often each class shows a symbol" if labelled else "How often symbols come",
        caption=f"A symbol is made of {steps} of a series, whose numbers the network reads as "
        f"they are. The share of each symbol in the training series{' of a class' * labelled}.",
        headings=("symbol", *classes),
        rows=tuple(
            (symbol, *(f"{share:.3f}" for share in row))
            for symbol, row in zip(dataset.alphabet, shares, strict=True)
        ),
    )


def _shares(dataset: Dataset, labelled: bool) -> Float[np.ndarray, "S C"]:
    """The share of each symbol in the training sequences of each class, or of all."""
    words, labels = dataset.splits["train"].sequences, dataset.splits["train"].labels
    groups = np.repeat(labels, words.lengths) if labelled else np.zeros(len(words.symbols), int)
    counts = np.zeros((len(dataset.alphabet), len(dataset.classes) if labelled else 1))
    np.add.at(counts, (words.symbols, groups), 1)
    shares: Float[np.ndarray, "S C"] = counts / np.maximum(counts.sum(axis=0), 1)
    return shares
