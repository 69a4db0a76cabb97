"""Sequences as peers that take one after the other read them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from lisor.sequences import Sequences


def each(sequences: Sequences) -> Iterator[Int[np.ndarray, " T"]]:
    """The symbols of one sequence after the other."""
    return map(sequences.__getitem__, range(len(sequences)))
