"""Attributions by gradients (Captum): of the score of a prediction by what stands at each step.

Shapes: B sequences of a batch, T steps, W numbers of the vector of a step."""

from __future__ import annotations

import numpy as np
import torch
from captum.attr import InputXGradient, IntegratedGradients, Saliency
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from lisor.errors import DataError
from lisor.explain.attributions import Attributions
from lisor.explain.score import Score, predictions_after, score_of
from lisor.networks.batches import Inputs, equal_batches
from lisor.networks.network import Differentiable, Network
from lisor.sequences import Sequences

GRADIENTS = ("saliency", "input-x-gradient", "integrated-gradients")

MIN_STEPS, MAX_STEPS = 32, 512
"""Steps of integrated gradients: doubled while the completeness error of a sequence is large."""

CLOSE = 0.01
"""The largest completeness error that counts as complete."""

MAX_SYMBOLS = 1 << 14
"""Symbols of a batch."""


def attribute(
    network: Network,
    through: Differentiable,
    sequences: Sequences,
    method: str,
    *,
    explained: Int[np.ndarray, " N"] | None = None,
) -> Attributions:
    """Attributions by one of the `GRADIENTS`, `through` which they go, on the vectors of the steps;
    unless it is given which class or number is `explained`, it is the score's choice.

    "saliency": the sum over a vector of |gradient| (Simonyan et al., 2014).
    "input-x-gradient": the product with the vector (Shrikumar et al., 2016).
    "integrated-gradients": the product with the mean gradient on the line from zero vectors
    (Sundararajan et al., 2017), with as many steps as a completeness error of at most `CLOSE`
    needs, up to `MAX_STEPS`.

    Raises:
        DataError: no method has that name."""
    if method not in GRADIENTS:
        raise DataError(f"expected one of {', '.join(GRADIENTS)}, got {method!r}")
    values = np.zeros(len(sequences.symbols), np.float32)
    errors = np.zeros(len(sequences))
    score, whole = score_of(network.target), predictions_after(network, sequences)
    if explained is None:
        explained = score.explained(whole)
    rest, steps = np.arange(len(sequences)), MIN_STEPS
    while len(rest) and steps <= MAX_STEPS:
        for index, read in equal_batches(sequences.select(rest), network.device, MAX_SYMBOLS):
            rows = rest[index]
            indices = torch.from_numpy(explained[rows].astype(np.int64)).to(network.device)
            batch, errors[rows] = _attribute(through, score, read, indices, method, steps)
            at = sequences.offsets[rows][:, None] + np.arange(batch.shape[1])
            values[at] = batch
        rest, steps = rest[errors[rest] > CLOSE], 2 * steps
    return Attributions(
        method=method,
        sequences=sequences,
        values=values,
        explained=explained,
        whole=whole,
        completeness_errors=errors if method == "integrated-gradients" else None,
    )


def _attribute(
    through: Differentiable,
    score: Score,
    read: Inputs,
    explained: Int[Tensor, " B"],
    method: str,
    steps: int,
) -> tuple[Float[np.ndarray, "B T"], Float[np.ndarray, " B"]]:
    """The attributions of a batch, and the completeness error of each sequence."""

    def score_through(
        vectors: Float[Tensor, "B T W"], words: Shaped[Tensor, "B T ..."], explained: Tensor
    ) -> Float[Tensor, " B"]:
        return score.through(through.scores(words[None], vectors), explained)

    vectors, others = through.vectors(read), (read[0], explained)
    if method == "integrated-gradients":
        values, deltas = IntegratedGradients(score_through).attribute(
            vectors,
            additional_forward_args=others,
            n_steps=steps,
            method="riemann_middle",
            internal_batch_size=max(len(vectors), 1024),
            return_convergence_delta=True,
        )
        with torch.no_grad():
            zeros = torch.zeros_like(vectors)
            whole = (
                (score_through(vectors, *others) - score_through(zeros, *others))
                .abs()
                .cpu()
                .numpy()
            )
        errors = deltas.detach().abs().cpu().numpy() / np.maximum(whole, 1e-6)
    else:
        gradient = Saliency if method == "saliency" else InputXGradient
        values = gradient(score_through).attribute(
            vectors.requires_grad_(), additional_forward_args=others
        )
        errors = np.zeros(len(vectors))
    return values.detach().sum(dim=-1).cpu().numpy(), errors
