"""Long short-term memory.

Shapes: R trials, B sequences of a batch, D inputs, H hidden units."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lisor.networks.cells.cell import State
from lisor.networks.cells.weights import add_product, constant, glorot, orthogonal, zeros


class LSTM(nn.Module):
    """Long short-term memory with a forget gate (Gers et al., 2000), three gates; its state is (h,
    c).

    i, f, o = σ(W x + U h + b); g = tanh(W_g x + U_g h + b_g); c' = f⊙c + i⊙g; h' = o⊙tanh(c').
    Blocks of weights: i, f, g, o. The forget gate starts open (bias 1; Jozefowicz et al., 2015)."""

    gates: tuple[str, ...] = ("input", "forget", "output")
    parts: tuple[str, ...] = ("state", "cell_state")

    def __init__(
        self, input_size: int, hidden_size: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.input_weight = glorot(generators, input_size, hidden_size, 4)
        self.hidden_weight = orthogonal(generators, hidden_size, 4)
        self.bias = constant(generators, [0.0, 1.0, 0.0, 0.0], hidden_size)

    def initial_state(self, batch: int) -> State:
        nothing = zeros(self.bias, batch, self.hidden_size)
        return (nothing, nothing)

    def project(self, inputs: Float[Tensor, "R B D"]) -> Float[Tensor, "R B 4H"]:
        return torch.baddbmm(self.bias, inputs, self.input_weight)

    def step(self, state: State, projected: Float[Tensor, "R B 4H"]) -> State:
        h, c = state
        i, f, g, o = add_product(projected, h, self.hidden_weight).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return (torch.sigmoid(o) * torch.tanh(c), c)

    def gate_activations(
        self, state: State, projected: Float[Tensor, "R B 4H"]
    ) -> tuple[Float[Tensor, "R B H"], ...]:
        i, f, _, o = torch.sigmoid(add_product(projected, state[0], self.hidden_weight)).chunk(
            4, dim=-1
        )
        return i, f, o
