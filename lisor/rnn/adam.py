"""Adam (Kingma & Ba, 2015) for stacked networks, in torch's fused kernel.

`torch.optim.Adam` takes the same steps, but the first that a process makes loads torch's compiler, which takes longer
than many a training; and it cannot let a network go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.optim.adam import adam

MEAN_DECAY, SQUARE_DECAY, EPSILON = 0.9, 0.999, 1e-8
"""β₁, β₂ and ε, as in the paper."""


@dataclass
class _State:
    """A parameter of R networks, and what Adam remembers of its gradients."""

    parameter: nn.Parameter
    mean: Tensor
    square: Tensor
    steps: Tensor


class StackedAdam:
    """Moves the parameters of R networks, each of shape [R, …], by their gradients; one without a gradient stays."""

    def __init__(self, parameters: Iterable[nn.Parameter], *, learning_rate: float) -> None:
        self._learning_rate = learning_rate
        self._states = [
            _State(
                parameter=parameter,
                mean=torch.zeros_like(parameter),
                square=torch.zeros_like(parameter),
                steps=torch.zeros((), device=parameter.device),
            )
            for parameter in parameters
        ]
        self._fused = all(state.parameter.device.type != "mps" for state in self._states)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for state in self._states:
            state.parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One step of every parameter (their algorithm 1)."""
        moved = [(state, found) for state in self._states if (found := state.parameter.grad) is not None]
        adam(
            [state.parameter for state, _ in moved],
            [gradient for _, gradient in moved],
            [state.mean for state, _ in moved],
            [state.square for state, _ in moved],
            [],
            [state.steps for state, _ in moved],
            fused=self._fused,
            amsgrad=False,
            beta1=MEAN_DECAY,
            beta2=SQUARE_DECAY,
            lr=self._learning_rate,
            weight_decay=0.0,
            eps=EPSILON,
            maximize=False,
        )

    def keep(self, networks: Int[Tensor, " K"]) -> None:
        """Go on with these networks of the stack alone."""
        for state in self._states:
            state.parameter.data = state.parameter.data[networks].clone()
            state.parameter.grad = None
            state.mean, state.square = state.mean[networks].clone(), state.square[networks].clone()
