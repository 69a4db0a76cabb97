"""The simple recurrent network.

Shapes: R trials, B sequences of a batch, D inputs, H hidden units."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lisor.networks.cells.cell import State
from lisor.networks.cells.weights import add_product, constant, glorot, orthogonal, zeros


class SRN(nn.Module):
    """Simple recurrent network (Elman, 1990), no gate: h' = tanh(W x + U h + b)."""

    gates: tuple[str, ...] = ()
    parts: tuple[str, ...] = ("state",)

    def __init__(
        self, input_size: int, hidden_size: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.input_weight = glorot(generators, input_size, hidden_size, 1)
        self.hidden_weight = orthogonal(generators, hidden_size, 1)
        self.bias = constant(generators, [0.0], hidden_size)

    def initial_state(self, batch: int) -> State:
        return (zeros(self.bias, batch, self.hidden_size),)

    def project(self, inputs: Float[Tensor, "R B D"]) -> Float[Tensor, "R B H"]:
        return torch.baddbmm(self.bias, inputs, self.input_weight)

    def step(self, state: State, projected: Float[Tensor, "R B H"]) -> State:
        return (torch.tanh(add_product(projected, state[0], self.hidden_weight)),)

    def gate_activations(self, state: State, projected: Float[Tensor, "R B H"]) -> tuple[()]:
        return ()
