"""The fields of an automaton's JSON, checked as they are read."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from lisor.errors import AutomatonError, show


def unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The fields of a JSON object: of two of one name Python would drop the first without a word.

    Raises:
        ValueError: a field is there twice."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise ValueError(f"the field {show(name)} is there twice")
        fields[name] = value
    return fields


def integers(fields: dict[str, Any], name: str, dimensions: int) -> Int[np.ndarray, "..."]:
    """The field with whole numbers in so many dimensions."""
    try:
        array = np.array(fields[name])
    except (KeyError, ValueError):
        raise AutomatonError(f"expected the field '{name}' with rows of equal length") from None
    if array.ndim != dimensions or array.dtype.kind != "i" or array.size == 0:
        raise AutomatonError(
            f"expected '{name}' to hold whole numbers in {dimensions} dimension(s)"
        )
    return array


def floats(fields: dict[str, Any], name: str) -> Float[np.ndarray, "..."] | None:
    """The field with numbers in rows of equal length; None where it is missing."""
    if name not in fields:
        return None
    try:
        return np.array(fields[name], np.float64)
    except (ValueError, TypeError, OverflowError):
        raise AutomatonError(f"expected {name!r} to hold rows of numbers of equal length") from None


def texts(fields: dict[str, Any], name: str) -> tuple[str, ...]:
    """The field with a list of texts."""
    items = fields.get(name)
    if not isinstance(items, list) or not all(
        # half of a surrogate pair cannot be written as UTF-8
        isinstance(item, str) and not re.search("[\ud800-\udfff]", item)
        for item in items
    ):
        raise AutomatonError(f"expected '{name}' to be a list of texts")
    return tuple(items)
