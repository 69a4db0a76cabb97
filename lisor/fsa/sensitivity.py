"""Which differences between hidden states matter to the network's answer.

Shapes: D numbers of a state (h, and for an LSTM h and c), C classes, B sequences of a batch, T steps."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lisor.data.sequences import Sequences
from lisor.rnn.classifier import TrainedModel, length_batches

MOST_SYMBOLS = 1 << 17
"""Symbols of the sequences that the mean is taken over; more change it little."""


def sensitivity(model: TrainedModel, sequences: Sequences) -> Float[np.ndarray, "D D"]:
    """A matrix R such that the distance between states s·R is how far apart the network's final answers would be.

    R·Rᵀ is the mean over all steps of g·gᵀ, with g the gradient of the final logit of a class with respect to the state
    at that step, summed over the classes (each logit less the mean of all): the average gradient outer product, which
    in supervised learning shows the directions that matter (Hristache et al., 2001, "Structure adaptive approach for
    dimension reduction"). Scaled to trace D."""
    kept = min(len(sequences), max(1, int(np.searchsorted(sequences.offsets[1:], MOST_SYMBOLS, side="right"))))
    size = sum(part.shape[-1] for part in model.initial_state())
    total = np.zeros((size, size))
    for _, symbols, lengths in length_batches(sequences.select(np.arange(kept)), model.device, 1 << 14):
        for gradients in _gradients(model, symbols, lengths):
            live = np.arange(symbols.shape[2]) < lengths[0].cpu().numpy()[:, None]
            rows = gradients.cpu().numpy()[live].astype(np.float64)
            total += rows.T @ rows
    values, vectors = np.linalg.eigh(total * (size / max(float(np.trace(total)), 1e-30)))
    root: Float[np.ndarray, "D D"] = (vectors * np.sqrt(np.maximum(values, 0))).astype(np.float32)
    return root


def _gradients(model: TrainedModel, symbols: Tensor, lengths: Tensor) -> list[Float[Tensor, "B T D"]]:
    """For each class, the gradient of its final logit with respect to the state after each step."""
    cell = model.network.cell
    _, batch, steps = symbols.shape
    if steps == 0:
        return []
    flat = model.network.embed(symbols.transpose(1, 2).reshape(1, steps * batch))
    projected = cell.project(flat).view(1, steps, batch, -1)
    state = cell.initial_state(batch)
    hidden, shifts = [state[0]], list[Tensor]()
    for step in range(steps):
        state = cell.step(state, projected[:, step])
        shift = tuple(torch.zeros_like(part, requires_grad=True) for part in state)
        state = tuple(part + moved for part, moved in zip(state, shift, strict=True))
        shifts += shift
        hidden.append(state[0])
    last = torch.stack(hidden)[lengths[0], 0, torch.arange(batch, device=symbols.device)]
    logits = model.network.read_out(last[None])[0]
    centered = logits - logits.mean(dim=1, keepdim=True)
    parts = len(state)
    found = []
    for answer in centered.unbind(dim=1):
        gradients = torch.autograd.grad(answer.sum(), shifts, retain_graph=True, allow_unused=True)
        filled = [
            torch.zeros_like(shift) if gradient is None else gradient
            for gradient, shift in zip(gradients, shifts, strict=True)
        ]
        every = torch.stack(filled).view(steps, parts, batch, -1)
        found.append(every.permute(2, 0, 1, 3).flatten(2))
    return found
