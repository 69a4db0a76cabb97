"""A recurrence that attends to its earlier hidden states.

Shapes: R trials, B sequences of a batch, T steps, H hidden units, D inputs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lisor.networks.cells.cell import State
from lisor.networks.cells.weights import constant, glorot, orthogonal, zeros


class AttentionRecurrent(nn.Module):
    """Attention over the earlier hidden states feeds back into the recurrence, no gate (Cheng et
    al., 2016, "Long short-term memory-networks for machine reading", with a simple recurrence).

    e_{t,i} = vᵀ tanh(W h_{t−1} + U h_i) and α_t = softmax(e_t) over i < t; c_t = Σ α_{t,i} h_i,
    with c_1 = 0; h_t = tanh(W_hh h_{t−1} + W_hx x_t + W_hc c_t + b). A state is h, every earlier h,
    and U of each of them."""

    gates: tuple[str, ...] = ()
    parts: tuple[str, ...] = ("state",)

    def __init__(
        self, input_size: int, hidden_size: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.input_weight = glorot(generators, input_size, hidden_size, 1)
        self.hidden_weight = orthogonal(generators, hidden_size, 1)
        self.context_weight = glorot(generators, hidden_size, hidden_size, 1)
        self.query_weight = glorot(generators, hidden_size, hidden_size, 1)
        self.key_weight = glorot(generators, hidden_size, hidden_size, 1)
        self.score = glorot(generators, hidden_size, 1, 1)
        self.bias = constant(generators, [0.0], hidden_size)

    def initial_state(self, batch: int) -> State:
        h = zeros(self.bias, batch, self.hidden_size)
        none = h.new_zeros(h.shape[0], batch, 0, self.hidden_size)
        return (h, none, none)

    def project(self, inputs: Float[Tensor, "R B D"]) -> Float[Tensor, "R B H"]:
        return torch.baddbmm(self.bias, inputs, self.input_weight)

    def step(self, state: State, projected: Float[Tensor, "R B H"]) -> State:
        h, past, keys = state
        sums = torch.baddbmm(projected, h, self.hidden_weight)
        if past.shape[2]:
            context = (self.weights(state)[..., None] * past).sum(dim=2)
            sums = torch.baddbmm(sums, context, self.context_weight)
        after = torch.tanh(sums)
        key = after @ self.key_weight
        return (
            after,
            torch.cat([past, after[:, :, None]], dim=2),
            torch.cat([keys, key[:, :, None]], dim=2),
        )

    def gate_activations(self, state: State, projected: Float[Tensor, "R B H"]) -> tuple[()]:
        return ()

    def weights(self, state: State) -> Float[Tensor, "R B T"]:
        """How much each of the states up to now counts for the next one."""
        h, _, keys = state
        scores = torch.tanh((h @ self.query_weight)[:, :, None] + keys) @ self.score[:, None]
        return scores[..., 0].softmax(dim=-1)
