"""Points that are read a block at a time, so that they need not fit into memory.

Shapes: P points, H numbers of a point, B points of a block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float


class Blocks(Protocol):
    """Points that can be read again and again in the same order, a block at a time."""

    def __len__(self) -> int:
        """The number of points."""
        ...

    def __iter__(self) -> Iterator[Float[np.ndarray, "B H"]]: ...


@dataclass(frozen=True, eq=False)
class InMemory:
    """An array as one block."""

    points: Float[np.ndarray, "P H"]

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[Float[np.ndarray, "P H"]]:
        yield self.points
