"""Classes and the labels that name them.

Shapes: N rows."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from lisor.errors import DataError, show
from lisor.registry import TARGETS

MAX_INTEGER_DIGITS = 18
"""Of the numbers by whose value classes are ordered."""


def class_names(labels: pd.Series) -> tuple[str, ...]:
    """The classes in order: by value where all are whole numbers of up to 18 digits, else by
    name."""
    names = {class_name(label) for label in labels}
    numeric = all(re.fullmatch(rf"-?[0-9]{{1,{MAX_INTEGER_DIGITS}}}", name) for name in names)
    return tuple(
        sorted(names, key=(lambda name: (int(name), name)) if numeric else (lambda name: (0, name)))
    )


def class_name(label: object) -> str:
    """The name of a label's class; a number that a column of numbers has read as 1.0 is 1."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


SHOWN = 5
"""Symbols that a message lists."""


def number_labels(
    labels: pd.Series, classes: Sequence[str] | None
) -> tuple[Int[np.ndarray, " N"], tuple[str, ...]]:
    """The labels by number, and the classes: in the order given, or by value where all are whole
    numbers, else by name.

    Raises:
        DataError: a label is missing or none of the classes."""
    if labels.isna().any():
        raise DataError(
            f"expected a label in every row, found {int(labels.isna().sum())} without; "
            "leave the column out"
        )
    known = class_names(labels) if classes is None else tuple(classes)
    numbers = {name: number for number, name in enumerate(known)}
    names = [class_name(label) for label in labels]
    odd = next((name for name in names if name not in numbers), None)
    if odd is not None:
        shown = ", ".join(map(show, known[:SHOWN]))
        raise DataError(
            f"expected labels among the {len(known)} classes {shown}, found {show(odd)}"
        )
    return np.array([numbers[name] for name in names]), known


def read_labels(
    column: pd.Series, target: str, classes: Sequence[str] | None = None
) -> tuple[Int[np.ndarray, " N"] | Float[np.ndarray, "N 1"], tuple[str, ...]]:
    """What is right in each row: its class as a number, and the names of the classes; or where
    numbers are predicted the number in a row of its own, and its name, that of the column.

    Raises:
        DataError: a label is missing, none of the classes or no number."""
    if not TARGETS[target].is_numeric:
        return number_labels(column, classes)
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(float)
    if not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise DataError(
            f"expected numbers in the column {column.name!r}, since numbers are predicted, found "
            f"{show(column.iloc[row])} in its entry {row + 1:,}"
        )
    return numbers[:, None], ("label",)


def normal_rows(labels: pd.Series, normal: str) -> Bool[np.ndarray, " N"]:
    """Whether each row has the label of normal ones.

    Raises:
        DataError: a label is missing, no row has it, or all have."""
    numbers, classes = number_labels(labels, None)
    if normal not in classes or len(classes) < 2:
        shown = ", ".join(map(show, classes[:SHOWN]))
        raise DataError(
            f"expected rows of the label {show(normal)} and others to test with, found "
            f"{shown}; set dataset.normal to the label of normal rows"
        )
    mask: Bool[np.ndarray, " N"] = numbers == classes.index(normal)
    return mask
