"""The minimal gated recurrent unit, in two layers.

Shapes: R trials, B sequences of a batch, D inputs, H hidden units, L units of a layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lisor.networks.cells.cell import State
from lisor.networks.cells.layers import layer_sizes, split_layers
from lisor.networks.cells.weights import constant, glorot, zeros


class MinGRU(nn.Module):
    """Minimal gated recurrent unit (Feng et al., 2024, "Were RNNs all we needed?", section 3.1),
    one gate, in two layers.

    z = σ(W_z x + b_z); h̃ = W x + b; h' = (1−z)⊙h + z⊙h̃, with x the input, in the upper layer h'
    of the lower one. This is the paper's minGRU in its plain form. The form for its scan in
    log-space puts g(h̃) > 0 in place of h̃, so that logarithms exist; no logarithm is taken here.
    Blocks of weights: z, h̃."""

    gates: tuple[str, ...] = ("update",)
    layer_count = 2
    parts: tuple[str, ...] = ("state",)

    def __init__(
        self, input_size: int, hidden_size: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.lower_size, upper = layer_sizes(hidden_size)
        lower = self.lower_size
        self.input_weight = glorot(generators, input_size, lower, 2)
        self.bias = constant(generators, [0.0, 0.0], lower)
        self.upper_weight = glorot(generators, lower, upper, 2)
        self.upper_bias = constant(generators, [0.0, 0.0], upper)

    def initial_state(self, batch: int) -> State:
        return (zeros(self.bias, batch, self.hidden_size),)

    def project(self, inputs: Float[Tensor, "R B D"]) -> Float[Tensor, "R B 2L"]:
        return torch.baddbmm(self.bias, inputs, self.input_weight)

    def step(self, state: State, projected: Float[Tensor, "R B 2L"]) -> State:
        lower, upper = split_layers(state[0], self.lower_size)
        below, _ = _renewed(lower, projected)
        above, _ = _renewed(upper, self._project_up(below))
        return (torch.cat([below, above], dim=-1),)

    def gate_activations(
        self, state: State, projected: Float[Tensor, "R B 2L"]
    ) -> tuple[Float[Tensor, "R B H"], ...]:
        lower, upper = split_layers(state[0], self.lower_size)
        below, update = _renewed(lower, projected)
        _, update_above = _renewed(upper, self._project_up(below))
        return (torch.cat([update, update_above], dim=-1),)

    def _project_up(self, below: Float[Tensor, "R B L"]) -> Float[Tensor, "R B 2L"]:
        return torch.baddbmm(self.upper_bias, below, self.upper_weight)


def _renewed(
    h: Float[Tensor, "R B L"], projected: Float[Tensor, "R B 2L"]
) -> tuple[Float[Tensor, "R B L"], Float[Tensor, "R B L"]]:
    """The state of one layer of minGRU after a step, and how far its gate was open."""
    update, candidate = projected.chunk(2, dim=-1)
    update = torch.sigmoid(update)
    return torch.lerp(h, candidate, update), update
