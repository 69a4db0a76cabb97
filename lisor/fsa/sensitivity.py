"""Which differences between hidden states matter to the network's answer.

Shapes: P points, D numbers of a state (h, and for an LSTM or SRU h and c), F directions that matter, C classes, B
sequences of a batch, T steps, N steps of all its sequences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lisor.data.sequences import Sequences
from lisor.errors import ModelError
from lisor.fsa.clustering import Metric
from lisor.rnn.classifier import TrainedModel, length_batches
from lisor.rnn.network import Network

KEPT = 0.99
"""Share of what states differ by, in what matters, whose directions are kept."""

DECIDED = 1e-4
"""Least weight of a state."""

MOST_SYMBOLS = 1 << 17
"""Symbols of the sequences that the mean is taken over; more change it little."""


def sensitivity(
    model: Network,
    sequences: Sequences,
    states: Float[np.ndarray, "P H"],
    cell_state: Float[np.ndarray, "P H"] | None = None,
) -> Metric:
    """A metric in which hidden states are as far apart as the network's final answers would be.

    G is the mean over all steps of g·gᵀ, with g the gradient of the final logit of a class with respect to the state at
    that step, summed over the classes (each logit less the mean of all): the average gradient outer product, which in
    supervised learning shows the directions that matter (Hristache et al., 2001, "Structure adaptive approach for
    dimension reduction"). States s are compared as s·R with R·Rᵀ = G, turned to the principal directions of s·R and cut
    to the fewest that hold `KEPT` of its variance; G is scaled to trace D before.

    A state counts by how undecided the network is there, 1 − Σ p² over the classes (the Gini impurity), since where it
    is decided a small error changes no answer.

    Raises:
        ModelError: the network was not trained here, so that its cell is not known."""
    if not isinstance(model, TrainedModel):
        raise ModelError(
            f"sensitivity follows gradients through a cell of lisor, and {model.name} has none; use kmeans"
        )
    products, covariance = _moments(model, sequences)
    size = len(products)
    values, vectors = np.linalg.eigh(products * (size / max(float(np.trace(products)), 1e-30)))
    root = vectors * np.sqrt(np.maximum(values, 0))
    spread, directions = np.linalg.eigh(root.T @ covariance @ root)
    spread, directions = np.maximum(spread[::-1], 0), directions[:, ::-1]
    kept = 1 + int(np.searchsorted(np.cumsum(spread), KEPT * spread.sum()))
    undecided = 1 - np.square(model.probabilities(states).astype(np.float64)).sum(axis=1)
    return Metric(
        matrix=(root @ directions)[:, :kept].astype(np.float32), cell_state=cell_state, weights=undecided + DECIDED
    )


def _moments(model: TrainedModel, sequences: Sequences) -> tuple[Float[np.ndarray, "D D"], Float[np.ndarray, "D D"]]:
    """The sum of g·gᵀ over classes and steps, and the covariance of the states."""
    kept = min(len(sequences), max(1, int(np.searchsorted(sequences.offsets[1:], MOST_SYMBOLS, side="right"))))
    size = sum(part.shape[-1] for part in model.initial_state())
    products, squares, total, count = np.zeros((size, size)), np.zeros((size, size)), np.zeros(size), 0
    for _, read, lengths in length_batches(sequences.select(np.arange(kept)), model.device, 1 << 14):
        live = np.arange(read.shape[2]) < lengths[0].cpu().numpy()[:, None]
        states, *gradients = (
            rows.cpu().numpy()[live].astype(np.float64) for rows in _states_and_gradients(model, read, lengths)
        )
        products += sum(rows.T @ rows for rows in gradients)
        squares, total, count = squares + states.T @ states, total + states.sum(axis=0), count + len(states)
    mean = total / max(count, 1)
    return products, squares / max(count, 1) - np.outer(mean, mean)


def _states_and_gradients(model: TrainedModel, read: Tensor, lengths: Tensor) -> Iterator[Float[Tensor, "B T D"]]:
    """The state after each step, then for each class the gradient of its final logit with respect to that state."""
    cell = model.network.cell
    batch, steps = read.shape[1:3]
    size = sum(part.shape[-1] for part in cell.initial_state(1))
    if steps == 0:
        yield torch.zeros(batch, 0, size)
        return
    projected = cell.project(model.network.by_step(read).flatten(1, 2)).view(1, steps, batch, -1)
    state = cell.initial_state(batch)
    visited, shifts = [state], list[Tensor]()
    for step in range(steps):
        state = cell.step(state, projected[:, step])
        shift = tuple(torch.zeros_like(part, requires_grad=True) for part in state)
        state = tuple(part + moved for part, moved in zip(state, shift, strict=True))
        shifts += shift
        visited.append(state)
    yield torch.stack([torch.cat(parts, dim=-1)[0].detach() for parts in visited[1:]], dim=1)
    last = torch.stack([parts[0] for parts in visited])[lengths[0], 0, torch.arange(batch, device=read.device)]
    logits = model.network.read_out(last[None])[0]
    centered = logits - logits.mean(dim=1, keepdim=True)
    parts = len(state)
    for answer in centered.unbind(dim=1):
        gradients = torch.autograd.grad(answer.sum(), shifts, retain_graph=True, allow_unused=True)
        filled = [
            torch.zeros_like(shift) if gradient is None else gradient
            for gradient, shift in zip(gradients, shifts, strict=True)
        ]
        every = torch.stack(filled).view(steps, parts, batch, -1)
        yield every.permute(2, 0, 1, 3).flatten(2)
