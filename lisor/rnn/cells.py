"""Recurrent cells, each beside its paper. R independent trials are computed side by side.

Every cell has `gates` (their names), `hidden_size`, `initial_state(batch)`, `project(inputs)`, which is the part of a
step that does not depend on the state, `step(state, projected)`, and `open_gates(state, projected)`, how far each gate
is open in that step. A state is a tuple of tensors, first of them the hidden state h. sru and mingru are in
`lisor.rnn.light_cells`; `CELLS` lists all.

Shapes: R trials, B sequences of a batch, D inputs, H hidden units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lisor.errors import ModelError
from lisor.rnn.gru_scan import scan
from lisor.rnn.light_cells import SRU, MinGRU
from lisor.rnn.weights import constant, glorot, orthogonal, zeros

State = tuple[Float[Tensor, "R B H"], ...]


class Cell(Protocol):
    """What the classifier needs of a cell."""

    gates: tuple[str, ...]
    hidden_size: int

    def initial_state(self, batch: int) -> State:
        """The state before the first symbol: zeros."""
        ...

    def project(self, inputs: Float[Tensor, "R B D"]) -> Float[Tensor, "R B G"]:
        """The part of a step's sums that comes from the input."""
        ...

    def step(self, state: State, projected: Float[Tensor, "R B G"]) -> State:
        """The state after one more input; a state of a single row goes with every row of inputs."""
        ...

    def open_gates(self, state: State, projected: Float[Tensor, "R B G"]) -> tuple[Float[Tensor, "R B H"], ...]:
        """How far each unit's gates are open in the step from a state, in the order of `gates`: from 0 to 1."""
        ...


class SRN(nn.Module):
    """Simple recurrent network (Elman, 1990), no gate: h' = tanh(W x + U h + b)."""

    gates: tuple[str, ...] = ()

    def __init__(self, input_size: int, hidden_size: int, generators: Sequence[torch.Generator]) -> None:
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
        return (torch.tanh(_add_product(projected, state[0], self.hidden_weight)),)

    def open_gates(self, state: State, projected: Float[Tensor, "R B H"]) -> tuple[()]:
        return ()


class MGU(nn.Module):
    """Minimal gated unit (Zhou et al., 2016, "Minimal gated unit for recurrent neural networks", table 2), one gate.

    f = σ(W_f x + U_f h + b_f); h̃ = tanh(W x + U (f⊙h) + b); h' = (1−f)⊙h + f⊙h̃. Blocks of weights: f, h̃."""

    gates: tuple[str, ...] = ("forget",)

    def __init__(self, input_size: int, hidden_size: int, generators: Sequence[torch.Generator]) -> None:
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
        forget = torch.sigmoid(_add_product(x_forget, h, self.forget_weight))
        candidate = torch.tanh(torch.baddbmm(x_candidate, forget * h, self.candidate_weight))
        return (torch.lerp(h, candidate, forget),)

    def open_gates(self, state: State, projected: Float[Tensor, "R B 2H"]) -> tuple[Float[Tensor, "R B H"], ...]:
        x_forget, _ = projected.chunk(2, dim=-1)
        return (torch.sigmoid(_add_product(x_forget, state[0], self.forget_weight)),)


class GRU(nn.Module):
    """Gated recurrent unit (Cho et al., 2014), two gates, in the form of torch.nn.GRU.

    r = σ(W_r x + U_r h + b_r); z = σ(W_z x + U_z h + b_z); n = tanh(W_n x + b_n + r⊙(U_n h + c_n));
    h' = (1−z)⊙n + z⊙h. Blocks of weights: r, z, n."""

    gates: tuple[str, ...] = ("reset", "update")

    def __init__(self, input_size: int, hidden_size: int, generators: Sequence[torch.Generator]) -> None:
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
        blocks = [2 * self.hidden_size, self.hidden_size]  # cut once: a slice each would cost zeros in every gradient
        x_gates, x_candidate = torch.split(projected, blocks, dim=-1)
        h_gates, h_candidate = torch.split(h @ self.hidden_weight, blocks, dim=-1)
        reset, update = torch.sigmoid(x_gates + h_gates).chunk(2, dim=-1)
        candidate = torch.tanh(torch.addcmul(x_candidate, reset, h_candidate + self.candidate_bias))
        return (torch.lerp(candidate, h, update),)

    def hidden_states(self, inputs: Float[Tensor, "R T B D"]) -> Float[Tensor, "R T+1 B H"]:
        """Every hidden state from zeros on, as `step` gives them; faster where a gradient is asked for."""
        with_one = nn.functional.pad(inputs, (0, 1), value=1.0).permute(1, 0, 3, 2)
        projected = torch.cat([self.input_weight, self.bias], dim=1).mT @ with_one
        bias = nn.functional.pad(self.candidate_bias, (2 * self.hidden_size, 0))
        return scan(projected, torch.cat([self.hidden_weight, bias], dim=1)).permute(1, 0, 3, 2)

    def open_gates(self, state: State, projected: Float[Tensor, "R B 3H"]) -> tuple[Float[Tensor, "R B H"], ...]:
        reset, update, _ = (projected + state[0] @ self.hidden_weight).chunk(3, dim=-1)
        return torch.sigmoid(reset), torch.sigmoid(update)


class LSTM(nn.Module):
    """Long short-term memory with a forget gate (Gers et al., 2000), three gates; its state is (h, c).

    i, f, o = σ(W x + U h + b); g = tanh(W_g x + U_g h + b_g); c' = f⊙c + i⊙g; h' = o⊙tanh(c').
    Blocks of weights: i, f, g, o. The forget gate starts open (bias 1; Jozefowicz et al., 2015)."""

    gates: tuple[str, ...] = ("input", "forget", "output")

    def __init__(self, input_size: int, hidden_size: int, generators: Sequence[torch.Generator]) -> None:
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
        i, f, g, o = _add_product(projected, h, self.hidden_weight).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return (torch.sigmoid(o) * torch.tanh(c), c)

    def open_gates(self, state: State, projected: Float[Tensor, "R B 4H"]) -> tuple[Float[Tensor, "R B H"], ...]:
        i, f, _, o = torch.sigmoid(_add_product(projected, state[0], self.hidden_weight)).chunk(4, dim=-1)
        return i, f, o


CELLS: dict[str, Callable[[int, int, Sequence[torch.Generator]], Cell]] = {
    "srn": SRN,
    "mgu": MGU,
    "gru": GRU,
    "lstm": LSTM,
    "mingru": MinGRU,
    "sru": SRU,
}
"""Each cell by the name used in settings and results: those of Hou & Zhou (2020) from no gate to three, then others."""

WITH_CELL_STATE = ("lstm", "sru")
"""Those whose state is (h, c)."""


def make_cell(name: str, input_size: int, hidden_size: int, generators: Sequence[torch.Generator]) -> Cell:
    """A cell with R = len(generators) independent sets of weights, set r drawn from generator r alone.

    Input weights are Glorot & Bengio's (2010), recurrent ones orthogonal (Saxe et al., 2014).

    Raises:
        ModelError: there is no cell of that name, or it needs more hidden units."""
    if name not in CELLS:
        raise ModelError(f"expected one of the cells {', '.join(CELLS)}, got {name!r}")
    return CELLS[name](input_size, hidden_size, generators)


def _add_product(
    sums: Float[Tensor, "R B G"], h: Float[Tensor, "R B H"] | Float[Tensor, "R 1 H"], weight: Float[Tensor, "R H G"]
) -> Float[Tensor, "R B G"]:
    """sums + h·W, with the product made once where h has a single row."""
    return torch.baddbmm(sums, h, weight) if h.shape[1] == sums.shape[1] else sums + h @ weight
