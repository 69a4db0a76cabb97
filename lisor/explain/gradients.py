"""Attributions of a network's prediction to the symbols of a sequence, by gradients.

What is attributed is a margin: the logit of the predicted class less the mean of the others.

Shapes: N sequences, P symbols of all of them together, B sequences of a batch, T steps, D numbers
of a word vector, F shares of a sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import InputXGradient, IntegratedGradients, Saliency
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from lisor.errors import DataError
from lisor.networks.batches import length_batches
from lisor.networks.trained import TrainedModel
from lisor.randomness import stream
from lisor.sequences import Sequences

GRADIENTS = ("saliency", "input-x-gradient", "integrated-gradients")

MIN_STEPS, MAX_STEPS = 32, 512
"""Steps of integrated gradients: doubled while the completeness error of a sequence is large."""

CLOSE = 0.01
"""The largest completeness error that counts as complete."""

MAX_SYMBOLS = 1 << 14
"""Symbols of a batch."""

MIN_COUNT = 10
"""The fewest sequences whose quartiles are computed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Attributions:
    """The attribution of each of P symbols to the class `explained` of its sequence.

    `completeness_errors` are those of integrated gradients: the distance of the sum of a
    sequence's attributions from its margin (less that of zero vectors), as a share of it."""

    method: str
    sequences: Sequences
    values: Float[np.ndarray, " P"]
    explained: Int[np.ndarray, " N"]
    completeness_errors: Float[np.ndarray, " N"] | None = None


def by_sequence(
    sequences: Sequences, values: Shaped[np.ndarray, " P"]
) -> list[Shaped[np.ndarray, " T"]]:
    """The values of each sequence, from those of all symbols."""
    return np.split(values, sequences.offsets[1:])[:-1]


def attribute(model: TrainedModel, sequences: Sequences, method: str) -> Attributions:
    """Attributions by one of the `GRADIENTS`, computed by Captum on the word vectors.

    "saliency": the sum over a word vector of |gradient| (Simonyan et al., 2014).
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
    explained = model.predict(sequences).argmax(axis=1).astype(np.int32)
    rest, steps = np.arange(len(sequences)), MIN_STEPS
    while len(rest) and steps <= MAX_STEPS:
        for index, symbols, lengths in length_batches(
            sequences.select(rest), model.device, MAX_SYMBOLS
        ):
            rows = rest[index]
            if symbols.shape[2] == 0:
                continue
            classes = torch.from_numpy(explained[rows].astype(np.int64)).to(model.device)
            padded, errors[rows] = _attribute(model, symbols, lengths, classes, method, steps)
            for row, row_values in zip(rows, padded, strict=True):
                first, last = sequences.offsets[row : row + 2]
                values[first:last] = row_values[: last - first]
        rest, steps = rest[errors[rest] > CLOSE], 2 * steps
    return Attributions(
        method=method,
        sequences=sequences,
        values=values,
        explained=explained,
        completeness_errors=errors if method == "integrated-gradients" else None,
    )


def _attribute(
    model: TrainedModel,
    symbols: Int[Tensor, "1 B T"],
    lengths: Int[Tensor, "1 B"],
    classes: Int[Tensor, " B"],
    method: str,
    steps: int,
) -> tuple[Float[np.ndarray, "B T"], Float[np.ndarray, " B"]]:
    """The attributions of a batch, and the completeness error of each sequence."""

    def margin(
        vectors: Float[Tensor, "B T D"], counts: Int[Tensor, " B"], classes: Int[Tensor, " B"]
    ) -> Float[Tensor, " B"]:
        logits = model.network.read_out_vectors(vectors.transpose(0, 1)[None], counts[None])[0]
        chosen = logits.gather(1, classes[:, None])[:, 0]
        return chosen - (logits.sum(dim=1) - chosen) / (logits.shape[1] - 1)

    vectors = model.network.by_step(symbols)[0].transpose(0, 1)
    others, batch = (lengths[0], classes), symbols.shape[1]
    if method == "integrated-gradients":
        values, deltas = IntegratedGradients(margin).attribute(
            vectors,
            additional_forward_args=others,
            n_steps=steps,
            method="riemann_middle",
            internal_batch_size=max(batch, 1024),
            return_convergence_delta=True,
        )
        with torch.inference_mode():
            zeros = torch.zeros_like(vectors)
            margins = (margin(vectors, *others) - margin(zeros, *others)).abs().cpu().numpy()
        errors = deltas.detach().abs().cpu().numpy() / np.maximum(margins, 1e-6)
    else:
        gradient = Saliency if method == "saliency" else InputXGradient
        values = gradient(margin).attribute(
            vectors.requires_grad_(), additional_forward_args=others
        )
        errors = np.zeros(batch)
    return values.detach().sum(dim=-1).cpu().numpy(), errors


def removal_curve(
    model: TrainedModel,
    attributions: Attributions,
    shares: Float[np.ndarray, " F"],
    *,
    kept: bool,
    seed: int | None = None,
) -> Float[np.ndarray, "F N"]:
    """The probability of the class explained when a share of each sequence's symbols is removed, or
    if `kept`, when these alone are kept: the highest attributions first, or with a `seed` in random
    order.

    The deletion and insertion curves of Petsiuk et al. (2018), of symbols in place of pixels."""
    sequences, scores = attributions.sequences, attributions.values
    if seed is not None:
        scores = stream(seed, "random order").random(len(scores))
    ranks = [
        np.argsort(np.argsort(-row_scores, kind="stable"))
        for row_scores in by_sequence(sequences, scores)
    ]
    curves = np.empty((len(shares), len(sequences)))
    for index, share in enumerate(shares):
        shortened = [
            sequences[row][(rank < round(share * len(rank))) == kept]
            for row, rank in enumerate(ranks)
        ]
        probabilities = model.predict(Sequences.from_lists(shortened))
        curves[index] = probabilities[np.arange(len(sequences)), attributions.explained]
    return curves


def reach(attributions: Attributions, steps: int) -> Float[np.ndarray, "3 E"]:
    """The quartiles over sequences of |attribution| 0, 1, … `steps` - 1 steps before the end, as a
    multiple of its mean in the sequence.

    E steps, those that at least `MIN_COUNT` sequences have. Sequences whose attributions are all 0
    do not count."""
    backwards = (
        np.abs(values)[::-1] for values in by_sequence(attributions.sequences, attributions.values)
    )
    relative = [(sizes / sizes.mean()).tolist() for sizes in backwards if sizes.any()]
    columns = [[row[step] for row in relative if len(row) > step] for step in range(steps)]
    quartiles = [
        np.quantile(column, (0.25, 0.5, 0.75)) for column in columns if len(column) >= MIN_COUNT
    ]
    return np.array(quartiles).reshape(-1, 3).T
