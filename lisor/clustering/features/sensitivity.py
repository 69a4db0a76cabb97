"""k-means on the differences between hidden states that matter to the network's prediction.

Shapes: P points, D numbers of a state (h, and for an LSTM or SRU h and c), F directions that
matter, C classes, B sequences of a batch, T steps, N steps of all its sequences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from lisor.clustering.method import Features, Method
from lisor.errors import ModelError
from lisor.registry import TARGETS

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from lisor.networks.hidden_states import HiddenStates, Points
    from lisor.networks.network import Network
    from lisor.networks.trained import TrainedModel
    from lisor.sequences import Sequences

KEPT = 0.99
"""Share of the variance, in the directions that matter, that is kept."""

MIN_WEIGHT = 1e-4
"""Of a state at which the network is certain."""

MAX_SYMBOLS = 1 << 17
"""Symbols of the sequences that the mean is taken over; more change it little."""


class Sensitivity(Method):
    """Sees hidden states as far apart as the network's later predictions would be.

    A state counts by how uncertain the network is there, 1 − Σ p² over the classes (the Gini
    impurity), since where it is certain a small error changes no prediction. Where numbers are
    predicted all count alike."""

    needs_network = True
    needs_gradients = True

    def features(self, states: HiddenStates | Points, network: Network | None) -> Features:
        """The states s as s·R, R itself, and how much each of them counts.

        Raises:
            ModelError: the network was not trained here, so that its cell is not known."""
        from lisor.networks.trained import TrainedModel

        model = self.required(network)
        if not isinstance(model, TrainedModel):
            raise ModelError(
                f"{self.name} follows gradients through a cell of lisor, and {model.name} has "
                f"none; use kmeans"
            )
        matrix = sensitivity(model, states.in_order())
        hidden, cell_states = states.matrix(), states.cell_states()
        uncertain = np.ones(len(hidden))
        if not TARGETS[model.target].is_numeric:
            shares = model.probabilities(hidden).astype(np.float64)
            uncertain -= np.square(shares).sum(axis=1)
        whole = hidden if cell_states is None else np.concatenate([hidden, cell_states], axis=1)
        return Features(points=whole @ matrix, weights=uncertain + MIN_WEIGHT, metric=matrix)


def sensitivity(model: TrainedModel, sequences: Sequences) -> Float[np.ndarray, "D F"]:
    """The matrix R such that states s, compared as s·R, are as far apart as the network's later
    predictions would be.

    G is the mean over all steps of g·gᵀ, with g the gradient of the logit of a class, at the end of
    the sequence or summed over all its positions as the network's target is, with respect to the
    state at that step, summed over the classes (each logit less the mean of all), or with g that of
    a number in deviations, summed over the numbers:
    the average gradient outer product, which in supervised learning shows the directions that
    matter (Hristache et al., 2001, "Structure adaptive approach for dimension reduction"). R·Rᵀ =
    G, turned to the principal directions of s·R and cut to the fewest that hold `KEPT` of its
    variance; G is scaled to trace D before."""
    products, covariance = _moments(model, sequences)
    scale = len(products) / max(float(np.trace(products)), 1e-30)
    values, vectors = np.linalg.eigh(products * scale)
    root = vectors * np.sqrt(np.maximum(values, 0))
    variances, directions = np.linalg.eigh(root.T @ covariance @ root)
    variances, directions = np.maximum(variances[::-1], 0), directions[:, ::-1]
    kept = 1 + int(np.searchsorted(np.cumsum(variances), KEPT * variances.sum()))
    matrix: Float[np.ndarray, "D F"] = (root @ directions)[:, :kept].astype(np.float32)
    return matrix


def _moments(
    model: TrainedModel, sequences: Sequences
) -> tuple[Float[np.ndarray, "D D"], Float[np.ndarray, "D D"]]:
    """The sum of g·gᵀ over classes and steps, and the covariance of the states."""
    from lisor.networks.batches import length_batches

    kept = min(
        len(sequences),
        max(1, int(np.searchsorted(sequences.offsets[1:], MAX_SYMBOLS, side="right"))),
    )
    size = sum(model.sizes)
    products, squares = np.zeros((2, size, size))
    total, count = np.zeros(size), 0
    for _, read, lengths in length_batches(
        sequences.select(np.arange(kept)), model.device, 1 << 14
    ):
        live = np.arange(read.shape[2]) < lengths[0].cpu().numpy()[:, None]
        states, *gradients = (
            rows.cpu().numpy()[live].astype(np.float64)
            for rows in _states_and_gradients(model, read, lengths)
        )
        products += sum(rows.T @ rows for rows in gradients)
        squares += states.T @ states
        total += states.sum(axis=0)
        count += len(states)
    mean = total / max(count, 1)
    return products, squares / max(count, 1) - np.outer(mean, mean)


def _states_and_gradients(
    model: TrainedModel, read: Tensor, lengths: Tensor
) -> Iterator[Float[Tensor, "B T D"]]:
    """The state after each step, then for each class the gradient of its logit, summed over the
    positions, with respect to that state."""
    import torch

    network = model.network
    batch, steps = read.shape[1:3]
    if steps == 0:
        yield torch.zeros(batch, 0, sum(model.sizes))
        return
    projected = network.cell.project(network.by_step(read).flatten(1, 2))
    projected = projected.view(1, steps, batch, -1)
    state = network.initial_state(batch)
    states, shifts = [state], list[torch.Tensor]()
    for step in range(steps):
        state = network.step(state, projected[:, step])
        shift = tuple(torch.zeros_like(part, requires_grad=True) for part in state)
        state = tuple(part + moved for part, moved in zip(state, shift, strict=True))
        shifts += shift
        states.append(state)
    yield torch.stack([torch.cat(parts, dim=-1)[0].detach() for parts in states[1:]], dim=1)
    target = TARGETS[model.target]
    taken = target.take(torch.stack([parts[0] for parts in states], dim=1), lengths)
    counts = torch.as_tensor(target.counts(lengths[0].cpu().numpy()), device=read.device)
    real = torch.arange(taken.shape[2], device=read.device) < counts[:, None]
    logits = network.read_out(taken[0][real][None])[0]
    if target.is_numeric:
        centered = logits / network.deviations
    else:
        centered = logits - logits.mean(dim=1, keepdim=True)
    for logit in centered.unbind(dim=1):
        # Zeros where the logit does not depend on a state.
        gradients = torch.autograd.grad(
            logit.sum(), shifts, retain_graph=True, materialize_grads=True
        )
        by_part = [torch.stack(gradients[part :: len(state)]) for part in range(len(state))]
        yield torch.cat(by_part, dim=-1)[:, 0].transpose(0, 1)
