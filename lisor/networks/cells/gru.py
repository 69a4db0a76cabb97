"""The gated recurrent unit.

Shapes: R trials, B sequences of a batch, T steps, D inputs, H hidden units."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lisor.networks.cells.cell import State
from lisor.networks.cells.weights import constant, glorot, orthogonal, zeros


class GRU(nn.Module):
    """Gated recurrent unit (Cho et al., 2014), two gates, in the form of torch.nn.GRU.

    r = σ(W_r x + U_r h + b_r); z = σ(W_z x + U_z h + b_z); n = tanh(W_n x + b_n + r⊙(U_n h + c_n));
    h' = (1−z)⊙n + z⊙h. Blocks of weights: r, z, n."""

    gates: tuple[str, ...] = ("reset", "update")
    parts: tuple[str, ...] = ("state",)

    def __init__(
        self, input_size: int, hidden_size: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.input_weight = glorot(generators, input_size, hidden_size, 3)
        self.hidden_weight = orthogonal(generators, hidden_size, 3)
        self.bias = constant(generators, [0.0, 0.0, 0.0], hidden_size)
        self.candidate_bias = constant(generators, [0.0], hidden_size)

    def initial_state(self, batch: int) -> State:
        return (zeros(self.bias, batch, self.hidden_size),)

    def project(self, inputs: Float[Tensor, "R B D"]) -> Float[Tensor, "R B 3H"]:
        return torch.baddbmm(self.bias, inputs, self.input_weight)

    def step(self, state: State, projected: Float[Tensor, "R B 3H"]) -> State:
        (h,) = state
        # Cut once: a slice for each block would cost zeros in every gradient.
        blocks = [2 * self.hidden_size, self.hidden_size]
        x_gates, x_candidate = torch.split(projected, blocks, dim=-1)
        h_gates, h_candidate = torch.split(torch.bmm(h, self.hidden_weight), blocks, dim=-1)
        reset, update = torch.sigmoid(x_gates + h_gates).chunk(2, dim=-1)
        candidate = torch.tanh(torch.addcmul(x_candidate, reset, h_candidate + self.candidate_bias))
        return (torch.lerp(candidate, h, update),)

    def gate_activations(
        self, state: State, projected: Float[Tensor, "R B 3H"]
    ) -> tuple[Float[Tensor, "R B H"], ...]:
        reset, update, _ = (projected + state[0] @ self.hidden_weight).chunk(3, dim=-1)
        return torch.sigmoid(reset), torch.sigmoid(update)
