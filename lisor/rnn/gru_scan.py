"""A gated recurrent unit over whole sequences, its gradient written out.

Autograd keeps a node for every operation of every step and copies what its slices leave out. Here the derivatives of
all steps are computed together before going back through them. Numbers lie feature by feature, so that a block of
features is whole rows, and every step is one piece of memory, so that its products are batched ones.

Shapes: R trials, T steps, B sequences of a batch, H hidden units; blocks of 3H: r, z, n as in `lisor.rnn.cells.GRU`."""

from __future__ import annotations

from itertools import chain
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable


def scan(projected: Float[Tensor, "T R 3H B"], weight: Float[Tensor, "R H+1 3H"]) -> Float[Tensor, "T+1 R H B"]:
    """The hidden states before the first step (zeros) and after each, from what the inputs add to the sums of a step.

    `weight` is U, and below it the bias of the candidate's hidden part (zeros for r and z)."""
    states: Tensor = _Scan.apply(projected, weight)  # type: ignore[no-untyped-call]
    return states


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, projected: Float[Tensor, "T R 3H B"], weight: Float[Tensor, "R H+1 3H"]
    ) -> Float[Tensor, "T+1 R H B"]:
        steps, trials, width, batch = projected.shape
        size = width // 3
        states = projected.new_zeros(steps + 1, trials, size + 1, batch)
        states[:, :, size] = 1  # what the bias is multiplied with
        sums = projected.new_empty(steps, trials, width, batch)
        gates, candidates = (projected.new_empty(steps, trials, rows, batch) for rows in (2 * size, size))
        columns = weight.mT.contiguous()
        # Everything is cut before the walk: a slice takes as long as the small product of a step.
        both = [2 * size, size]
        walk = zip(
            *(part.unbind() for part in torch.split(projected, both, dim=2)),
            *(part.unbind() for part in (states[:-1], states[:-1, :, :size], states[1:, :, :size])),
            *(part.unbind() for part in (sums, *torch.split(sums, both, dim=2))),
            *(part.unbind() for part in (gates, *torch.split(gates, size, dim=2))),
            candidates,
            strict=True,
        )
        for x_rz, x_n, with_one, before, after, summed, h_rz, h_n, rz, r, z, candidate in walk:
            torch.bmm(columns, with_one, out=summed)
            torch.add(x_rz, h_rz, out=rz).sigmoid_()
            torch.addcmul(x_n, r, h_n, out=candidate).tanh_()
            torch.lerp(candidate, before, z, out=after)
        ctx.save_for_backward(weight, states, sums, gates, candidates)
        return states[:, :, :size]

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, *gradients: Float[Tensor, "T+1 R H B"]
    ) -> tuple[Float[Tensor, "T R 3H B"], Float[Tensor, "R H+1 3H"]]:
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
        parts = (torch.split(block, size, dim=2) for block in (of_sums, to_gates, gates))
        every = (earlier, states[:-1], of_candidates, to_candidate, of_sums, *chain.from_iterable(parts))
        walk = zip(*map(_backwards, every), strict=True)
        for outside, before, candidate, to_own, summed, of_r, of_z, of_n, to_r, to_z, r, z in walk:
            torch.mul(of_state, to_own, out=candidate)
            torch.mul(candidate, to_r, out=of_r)
            torch.mul(of_state, to_z, out=of_z)
            torch.mul(candidate, r, out=of_n)
            of_weight.baddbmm_(before, summed.mT)
            of_state = torch.addcmul(outside, of_state, z, out=torch.empty_like(candidate))
            of_state.baddbmm_(recurrent, summed)
        of_sums[:, :, 2 * size :] = of_candidates  # from here on those of the inputs' part
        return of_sums, of_weight


def _backwards(steps: Any) -> list[Tensor]:
    return list(steps)[::-1]
