"""The minimal gated unit.

Shapes: R trials, B sequences of a batch, D inputs, H hidden units."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lisor.networks.cells.cell import State
from lisor.networks.cells.weights import add_product, constant, glorot, orthogonal, zeros


class MGU(nn.Module):
    """Minimal gated unit (Zhou et al., 2016, "Minimal gated unit for recurrent neural networks",
    table 2), one gate.

    f = σ(W_f x + U_f h + b_f); h̃ = tanh(W x + U (f⊙h) + b); h' = (1−f)⊙h + f⊙h̃. Blocks of
    weights: f, h̃."""

    gates: tuple[str, ...] = ("forget",)
    parts: tuple[str, ...] = ("state",)

    def __init__(
        self, input_size: int, hidden_size: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.input_weight = glorot(generators, input_size, hidden_size, 2)
        self.forget_weight = orthogonal(generators, hidden_size, 1)
        self.candidate_weight = orthogonal(generators, hidden_size, 1)
        self.bias = constant(generators, [0.0, 0.0], hidden_size)

    def initial_state(self, batch: int) -> State:
        return (zeros(self.bias, batch, self.hidden_size),)

    def project(self, inputs: Float[Tensor, "R B D"]) -> Float[Tensor, "R B 2H"]:
        return torch.baddbmm(self.bias, inputs, self.input_weight)

    def step(self, state: State, projected: Float[Tensor, "R B 2H"]) -> State:
        (h,) = state
        x_forget, x_candidate = projected.chunk(2, dim=-1)
        forget = torch.sigmoid(add_product(x_forget, h, self.forget_weight))
        candidate = torch.tanh(torch.baddbmm(x_candidate, forget * h, self.candidate_weight))
        return (torch.lerp(h, candidate, forget),)

    def gate_activations(
        self, state: State, projected: Float[Tensor, "R B 2H"]
    ) -> tuple[Float[Tensor, "R B H"], ...]:
        x_forget, _ = projected.chunk(2, dim=-1)
        return (torch.sigmoid(add_product(x_forget, state[0], self.forget_weight)),)
