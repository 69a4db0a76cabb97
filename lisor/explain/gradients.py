"""How much each symbol of a sequence counts for the network's answer, by its gradient.

What is explained is a margin: the logit of the class that the network answers, less the mean of the other classes'.

Shapes: N sequences, P symbols of all of them together, B sequences of a batch, T steps, D numbers of a word vector,
F shares of a sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import InputXGradient, IntegratedGradients, Saliency
from jaxtyping import Float, Int
from torch import Tensor

from lisor.data.sequences import Sequences
from lisor.errors import DataError
from lisor.randomness import stream
from lisor.rnn.classifier import TrainedModel, length_batches

GRADIENTS = ("saliency", "input-x-gradient", "integrated-gradients")

FEW_STEPS, MOST_STEPS = 32, 512
"""Of the path of integrated gradients: doubled where the sum of a sequence's attributions misses its margin."""

CLOSE = 0.01
"""The part of the margin by which the sum may miss it."""

MOST_SYMBOLS = 1 << 14
"""Of a batch."""

FEWEST = 10
"""Sequences of which quartiles are taken."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Attributions:
    """What each of P symbols counts for the class explained, and for integrated gradients how far the sum of each
    sequence is from its margin (less that of zero vectors), as a part of it."""

    method: str
    sequences: Sequences
    values: Float[np.ndarray, " P"]
    explained: Int[np.ndarray, " N"]
    misses: Float[np.ndarray, " N"] | None = None

    def of(self, row: int) -> Float[np.ndarray, " T"]:
        """Those of one sequence."""
        first, last = self.sequences.offsets[row : row + 2]
        return self.values[first:last]


def attribute(model: TrainedModel, sequences: Sequences, method: str) -> Attributions:
    """Attributions by one of the `GRADIENTS`, computed by Captum on the word vectors.

    "saliency": the sum over a word vector of |gradient| (Simonyan et al., 2014). "input-x-gradient": the product with
    the vector (Shrikumar et al., 2016). "integrated-gradients": the product with the mean gradient on the way from zero
    vectors (Sundararajan et al., 2017), with as many steps as the sum needs to come within `CLOSE` of the margin, up to
    `MOST_STEPS`.

    Raises:
        DataError: there is no method of that name."""
    if method not in GRADIENTS:
        raise DataError(f"expected one of {', '.join(GRADIENTS)}, got {method!r}")
    values, misses = np.zeros(len(sequences.symbols), np.float32), np.zeros(len(sequences))
    explained = model.predict(sequences).argmax(axis=1).astype(np.int32)
    left, steps = np.arange(len(sequences)), FEW_STEPS
    while len(left):
        for place, symbols, lengths in length_batches(sequences.select(left), model.device, MOST_SYMBOLS):
            rows = left[place]
            if symbols.shape[2] == 0:
                continue
            answers = torch.from_numpy(explained[rows].astype(np.int64)).to(model.device)
            found, missed = _attribute(model, symbols, lengths, answers, method, steps)
            for own, row in zip(found, rows, strict=True):
                first, last = sequences.offsets[row : row + 2]
                values[first:last] = own[: last - first]
            misses[rows] = missed
        left, steps = left[misses[left] > CLOSE], 2 * steps
        if steps > MOST_STEPS:
            break
    integrated = method == "integrated-gradients"
    return Attributions(
        method=method, sequences=sequences, values=values, explained=explained, misses=misses if integrated else None
    )


def _attribute(
    model: TrainedModel,
    symbols: Int[Tensor, "1 B T"],
    lengths: Int[Tensor, "1 B"],
    answers: Int[Tensor, " B"],
    method: str,
    steps: int,
) -> tuple[Float[np.ndarray, "B T"], Float[np.ndarray, " B"]]:
    """The attributions of a batch, and by what part of its margin each sequence's sum misses it."""
    batch = symbols.shape[1]

    def margin(
        vectors: Float[Tensor, "B T D"], counts: Int[Tensor, " B"], classes: Int[Tensor, " B"]
    ) -> Float[Tensor, " B"]:
        logits = model.network.answer_vectors(vectors.transpose(0, 1)[None], counts[None])[0]
        own = logits.gather(1, classes[:, None])[:, 0]
        return own - (logits.sum(dim=1) - own) / (logits.shape[1] - 1)

    vectors = model.network.by_step(symbols)[0].transpose(0, 1)
    others = (lengths[0], answers)
    if method == "saliency":
        found, missed = Saliency(margin).attribute(vectors.requires_grad_(), additional_forward_args=others), None
    elif method == "input-x-gradient":
        found, missed = InputXGradient(margin).attribute(vectors.requires_grad_(), additional_forward_args=others), None
    else:
        found, missed = IntegratedGradients(margin).attribute(
            vectors,
            additional_forward_args=others,
            n_steps=steps,
            method="riemann_middle",
            internal_batch_size=max(batch, 1024),
            return_convergence_delta=True,
        )
    values = found.detach().sum(dim=-1).cpu().numpy()
    if missed is None:
        return values, np.zeros(batch)
    with torch.inference_mode():
        margins = (margin(vectors, *others) - margin(torch.zeros_like(vectors), *others)).abs().cpu().numpy()
    return values, missed.detach().abs().cpu().numpy() / np.maximum(margins, 1e-6)


def decisiveness(
    model: TrainedModel,
    attributions: Attributions,
    shares: Float[np.ndarray, " F"],
    *,
    kept: bool,
    seed: int | None = None,
) -> Float[np.ndarray, "F N"]:
    """The probability of the class explained when, of each sequence, some share of the symbols is left out (or, if
    `kept`, kept alone): those of the highest attributions first, or with a `seed` at random.

    The deletion and insertion curves of Petsiuk et al. (2018), with symbols left out instead of pixels."""
    sequences, ranks = attributions.sequences, []
    rng = None if seed is None else stream(seed, "random order")
    for row in range(len(sequences)):
        own = attributions.of(row) if rng is None else rng.random(sequences.lengths[row])
        ranks.append(np.argsort(np.argsort(-own, kind="stable")))
    curves = np.empty((len(shares), len(sequences)))
    for place, share in enumerate(shares):
        picked = [rank < round(share * len(rank)) for rank in ranks]
        some = [sequences[row][own == kept] for row, own in enumerate(picked)]
        answers = model.predict(Sequences.from_lists(some))
        curves[place] = answers[np.arange(len(answers)), attributions.explained]
    return curves


def reach(attributions: Attributions, steps: int) -> Float[np.ndarray, "3 E"]:
    """How far back a network looks: the quartiles over sequences of |attribution| 0, 1, … `steps` - 1 steps before the
    end, as a multiple of its mean in the sequence.

    E steps, those that at least `FEWEST` sequences have; sequences without any attribution do not count."""
    found: list[list[float]] = [[] for _ in range(steps)]
    for row in range(len(attributions.sequences)):
        own = np.abs(attributions.of(row))[::-1]
        if own.any():
            for column, value in zip(found, own / own.mean(), strict=False):
                column.append(float(value))
    enough = [column for column in found if len(column) >= FEWEST]
    return np.array([np.quantile(column, (0.25, 0.5, 0.75)) for column in enough]).reshape(-1, 3).T
