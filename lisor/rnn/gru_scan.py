"""A gated recurrent unit over whole sequences, its gradient written out.

Autograd keeps a node for every operation of every step and copies what its slices leave out. Here the derivatives of
all steps are computed together before going back through them. Numbers lie feature by feature, so that a block of
features is whole rows, and every step is one piece of memory, so that its products are batched ones.

Shapes: R trials, T steps, B sequences of a batch, H hidden units; blocks of 3H: r, z, n as in `lisor.rnn.cells.GRU`."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable


def scan(projected: Float[Tensor, "R 3H T B"], weight: Float[Tensor, "R H+1 3H"]) -> Float[Tensor, "T+1 R H B"]:
    """The hidden states before the first step (zeros) and after each, from what the inputs add to the sums of a step.

    `weight` is U, and below it the bias of the candidate's hidden part (zeros for r and z)."""
    states: Tensor = _Scan.apply(projected, weight)  # type: ignore[no-untyped-call]
    return states


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, projected: Float[Tensor, "R 3H T B"], weight: Float[Tensor, "R H+1 3H"]
    ) -> Float[Tensor, "T+1 R H B"]:
        trials, width, steps, batch = projected.shape
        size = width // 3
        states = projected.new_zeros(steps + 1, trials, size + 1, batch)
        states[:, :, size] = 1  # what the bias is multiplied with
        sums = projected.new_empty(steps, trials, width, batch)
        gates, candidates = (projected.new_empty(steps, trials, rows, batch) for rows in (2 * size, size))
        columns = weight.mT.contiguous()
        walk = zip(projected.unbind(2), states[:-1], states[1:], sums, gates, candidates, strict=True)
        for x, before, after, summed, gate, candidate in walk:
            torch.bmm(columns, before, out=summed)
            torch.add(x[:, : 2 * size], summed[:, : 2 * size], out=gate).sigmoid_()
            torch.addcmul(x[:, 2 * size :], gate[:, :size], summed[:, 2 * size :], out=candidate).tanh_()
            torch.lerp(candidate, before[:, :size], gate[:, size:], out=after[:, :size])
        ctx.save_for_backward(weight, states, sums, gates, candidates)
        return states[:, :, :size]

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, *gradients: Float[Tensor, "T+1 R H B"]
    ) -> tuple[Float[Tensor, "R 3H T B"], Float[Tensor, "R H+1 3H"]]:
        """From the last step to the first: ∂h_{t−1} = z⊙∂h_t + U ∂sums_t, besides what reaches h_{t−1} from outside."""
        weight, states, sums, gates, candidates = ctx.saved_tensors
        size = candidates.shape[2]
        to_candidate = (1 - gates[:, :, size:]) * (1 - candidates.square())
        to_gates = gates * (1 - gates)
        to_gates[:, :, :size] *= sums[:, :, 2 * size :]
        to_gates[:, :, size:] *= states[:-1, :, :size] - candidates
        of_sums, of_candidates, of_weight = (
            torch.empty_like(sums),
            torch.empty_like(candidates),
            torch.zeros_like(weight),
        )
        recurrent = weight[:, :size].contiguous()
        *earlier, of_state = gradients[0].unbind()
        every = (earlier, of_sums, of_candidates, to_gates, to_candidate, gates, states[:-1])
        for outside, summed, candidate, to_gate, to_own, gate, before in zip(*(map(_backwards, every)), strict=True):
            torch.mul(of_state, to_own, out=candidate)
            torch.mul(candidate, to_gate[:, :size], out=summed[:, :size])
            torch.mul(of_state, to_gate[:, size:], out=summed[:, size : 2 * size])
            torch.mul(candidate, gate[:, :size], out=summed[:, 2 * size :])
            of_weight.baddbmm_(before, summed.mT)
            of_state = torch.addcmul(outside, of_state, gate[:, size:], out=torch.empty_like(candidate))
            of_state.baddbmm_(recurrent, summed)
        of_sums[:, :, 2 * size :] = of_candidates  # from here on those of the inputs' part
        return of_sums.permute(1, 2, 0, 3), of_weight


def _backwards(steps: Any) -> list[Tensor]:
    return list(steps)[::-1]
