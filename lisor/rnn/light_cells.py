"""Recurrent cells whose sums come from the input alone: within a layer no unit sees what another one remembers.

One layer of such units can do little. In minGRU's, how much a symbol counts depends on which symbols came after it and
how often, not on their order; each unit of SRU's has only itself to look back at. Both papers stack layers: what the
second reads tells of the past. So do these cells. The H hidden units stand in two layers, the first half of them in the
lower one, and h, which is read out, is that of both. Steps follow one another; the papers' parallel forms are not used.

Shapes: R trials, B sequences of a batch, D inputs, H hidden units, L units of the layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lisor.errors import ModelError
from lisor.rnn.weights import constant, glorot, zeros

if TYPE_CHECKING:
    from lisor.rnn.cells import State


class SRU(nn.Module):
    """Simple recurrent unit (Lei et al., 2018, "Simple recurrent units for highly parallelizable recurrence", section
    2), two gates, in two layers; its state is (h, c), and c alone says what comes next.

    f = σ(W_f x + v_f⊙c + b_f); c' = f⊙c + (1−f)⊙(W x); r = σ(W_r x + v_r⊙c + b_r); h' = r⊙c' + (1−r)⊙(W_h x),
    with x the input, in the upper layer h' of the lower one. W_h stands where x itself does in the paper, since a layer
    has another width than its input; it also learns the paper's factor of x. v_f and v_r begin at zero. Not the paper's
    namesake of Elman's network, which is `SRN`. Blocks of weights: f, r, W, W_h."""

    gates: tuple[str, ...] = ("forget", "reset")

    def __init__(self, input_size: int, hidden_size: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        lower, upper = _layers(hidden_size)
        self.lower = _SRULayer(input_size, lower, generators)
        self.upper = _SRULayer(lower, upper, generators)

    def initial_state(self, batch: int) -> State:
        nothing = zeros(self.lower.bias, batch, self.hidden_size)
        return (nothing, nothing)

    def project(self, inputs: Float[Tensor, "R B D"]) -> Float[Tensor, "R B 4L"]:
        return self.lower.project(inputs)

    def step(self, state: State, projected: Float[Tensor, "R B 4L"]) -> State:
        lower, upper = _split(state[1], self.lower.size)
        below, lower = self.lower.step(lower, projected)
        above, upper = self.upper.step(upper, self.upper.project(below))
        return (torch.cat([below, above], dim=-1), torch.cat([lower, upper], dim=-1))

    def open_gates(self, state: State, projected: Float[Tensor, "R B 4L"]) -> tuple[Float[Tensor, "R B H"], ...]:
        lower, upper = _split(state[1], self.lower.size)
        below, _ = self.lower.step(lower, projected)
        pairs = zip(
            self.lower.open_gates(lower, projected),
            self.upper.open_gates(upper, self.upper.project(below)),
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
        forget, reset = self.open_gates(c, projected)
        candidate, highway = projected[..., 2 * self.size :].chunk(2, dim=-1)
        c = torch.lerp(candidate, c, forget)
        return torch.lerp(highway, c, reset), c

    def open_gates(
        self, c: Float[Tensor, "R B L"], projected: Float[Tensor, "R B 4L"]
    ) -> tuple[Float[Tensor, "R B L"], ...]:
        remembered = self.peephole * torch.cat([c, c], dim=-1)
        return torch.sigmoid(projected[..., : 2 * self.size] + remembered).chunk(2, dim=-1)


class MinGRU(nn.Module):
    """Minimal gated recurrent unit (Feng et al., 2024, "Were RNNs all we needed?", section 3.1), one gate, in two
    layers.

    z = σ(W_z x + b_z); h̃ = W x + b; h' = (1−z)⊙h + z⊙h̃, with x the input, in the upper layer h' of the lower one. This
    is the paper's minGRU in its plain form. The form for its scan in log-space puts g(h̃) > 0 in place of h̃, so that
    logarithms exist; no logarithm is taken here. Blocks of weights: z, h̃."""

    gates: tuple[str, ...] = ("update",)

    def __init__(self, input_size: int, hidden_size: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.lower_size, upper = _layers(hidden_size)
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
        lower, upper = _split(state[0], self.lower_size)
        below, _ = _renewed(lower, projected)
        above, _ = _renewed(upper, self._project_up(below))
        return (torch.cat([below, above], dim=-1),)

    def open_gates(self, state: State, projected: Float[Tensor, "R B 2L"]) -> tuple[Float[Tensor, "R B H"], ...]:
        lower, upper = _split(state[0], self.lower_size)
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


def _split(state: Float[Tensor, "R B H"], size: int) -> tuple[Float[Tensor, "R B L"], Float[Tensor, "R B L"]]:
    """What of a state is the lower layer's, and what the upper one's."""
    return state[..., :size], state[..., size:]


def _layers(hidden_size: int) -> tuple[int, int]:
    """How many units each layer has.

    Raises:
        ModelError: there are too few for two layers."""
    if hidden_size < 2:
        raise ModelError(f"expected at least 2 hidden units, one for each layer of sru or mingru, got {hidden_size}")
    return hidden_size // 2, hidden_size - hidden_size // 2
