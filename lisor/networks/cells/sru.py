"""The simple recurrent unit, in two layers.

Shapes: R trials, B sequences of a batch, D inputs, H hidden units, L units of a layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lisor.networks.cells.cell import State
from lisor.networks.cells.layers import layer_sizes, split_layers
from lisor.networks.cells.weights import constant, glorot, zeros


class SRU(nn.Module):
    """Simple recurrent unit (Lei et al., 2018, "Simple recurrent units for highly parallelizable
    recurrence", section 2), two gates, in two layers; its state is (h, c), and c alone says what
    comes next.

    f = σ(W_f x + v_f⊙c + b_f); c' = f⊙c + (1−f)⊙(W x); r = σ(W_r x + v_r⊙c + b_r); h' = r⊙c' +
    (1−r)⊙(W_h x), with x the input, in the upper layer h' of the lower one. W_h stands where x
    itself does in the paper, since a layer has another width than its input; it also learns the
    paper's factor of x. v_f and v_r begin at zero. Not the paper's namesake of Elman's network,
    which is `SRN`. Blocks of weights: f, r, W, W_h."""

    gates: tuple[str, ...] = ("forget", "reset")
    layer_count = 2
    parts: tuple[str, ...] = ("state", "cell_state")

    def __init__(
        self, input_size: int, hidden_size: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        lower, upper = layer_sizes(hidden_size)
        self.lower = _SRULayer(input_size, lower, generators)
        self.upper = _SRULayer(lower, upper, generators)

    def initial_state(self, batch: int) -> State:
        nothing = zeros(self.lower.bias, batch, self.hidden_size)
        return (nothing, nothing)

    def project(self, inputs: Float[Tensor, "R B D"]) -> Float[Tensor, "R B 4L"]:
        return self.lower.project(inputs)

    def step(self, state: State, projected: Float[Tensor, "R B 4L"]) -> State:
        lower, upper = split_layers(state[1], self.lower.size)
        below, lower = self.lower.step(lower, projected)
        above, upper = self.upper.step(upper, self.upper.project(below))
        return (torch.cat([below, above], dim=-1), torch.cat([lower, upper], dim=-1))

    def gate_activations(
        self, state: State, projected: Float[Tensor, "R B 4L"]
    ) -> tuple[Float[Tensor, "R B H"], ...]:
        lower, upper = split_layers(state[1], self.lower.size)
        below, _ = self.lower.step(lower, projected)
        pairs = zip(
            self.lower.gate_activations(lower, projected),
            self.upper.gate_activations(upper, self.upper.project(below)),
            strict=True,
        )
        return tuple(torch.cat(pair, dim=-1) for pair in pairs)


class _SRULayer(nn.Module):
    """One layer, whose state is c; a step gives h and c."""

    def __init__(self, input_size: int, size: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.size = size
        self.input_weight = glorot(generators, input_size, size, 4)
        self.peephole = constant(generators, [0.0, 0.0], size)
        self.bias = constant(generators, [0.0, 0.0], size)

    def project(self, inputs: Float[Tensor, "R B D"]) -> Float[Tensor, "R B 4L"]:
        bias = nn.functional.pad(self.bias, (0, 2 * self.size))
        return torch.baddbmm(bias, inputs, self.input_weight)

    def step(
        self, c: Float[Tensor, "R B L"], projected: Float[Tensor, "R B 4L"]
    ) -> tuple[Float[Tensor, "R B L"], Float[Tensor, "R B L"]]:
        forget, reset = self.gate_activations(c, projected)
        candidate, highway = projected[..., 2 * self.size :].chunk(2, dim=-1)
        c = torch.lerp(candidate, c, forget)
        return torch.lerp(highway, c, reset), c

    def gate_activations(
        self, c: Float[Tensor, "R B L"], projected: Float[Tensor, "R B 4L"]
    ) -> tuple[Float[Tensor, "R B L"], ...]:
        remembered = self.peephole * torch.cat([c, c], dim=-1)
        return torch.sigmoid(projected[..., : 2 * self.size] + remembered).chunk(2, dim=-1)
