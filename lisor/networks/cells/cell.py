"""What a recurrent cell is. R independent trials are computed side by side.

Shapes: R trials, B sequences of a batch, D inputs, H hidden units, G sums of a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from lisor.errors import ModelError
from lisor.registry import CELLS

State = tuple[Float[Tensor, "R B H"], ...]


class Cell(Protocol):
    """What the classifier needs of a cell."""

    gates: tuple[str, ...]
    parts: tuple[str, ...]
    """What a dump calls the parts of a state: h, and for some c."""
    hidden_size: int

    def initial_state(self, batch: int) -> State:
        """The state before the first symbol: zeros."""

    def project(self, inputs: Float[Tensor, "R B D"]) -> Float[Tensor, "R B G"]:
        """The part of a step's sums that comes from the input."""

    def step(self, state: State, projected: Float[Tensor, "R B G"]) -> State:
        """The state after one more input; a state of a single row goes with every row of inputs."""

    def gate_activations(
        self, state: State, projected: Float[Tensor, "R B G"]
    ) -> tuple[Float[Tensor, "R B H"], ...]:
        """How far each unit's gates are open in the step from a state, in the order of `gates`:
        from 0 to 1."""


def make_cell(
    name: str, input_size: int, hidden_size: int, generators: Sequence[torch.Generator]
) -> Cell:
    """A cell with R = len(generators) independent sets of weights, set r drawn from generator r
    alone.

    Input weights are Glorot & Bengio's (2010), recurrent ones orthogonal (Saxe et al., 2014).

    Raises:
        ModelError: there is no cell of that name, or it needs more hidden units."""
    if name not in CELLS:
        raise ModelError(f"expected one of the cells {', '.join(CELLS)}, got {name!r}")
    cell: Cell = CELLS[name](input_size, hidden_size, generators)
    return cell
