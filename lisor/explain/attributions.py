"""Attributions of a network's prediction to the symbols of a sequence, and how they are judged.

What is attributed is a score: of a class the margin, its logit less the mean of the others, or a
number that is predicted.

Shapes: N sequences, P symbols of all of them together, C classes or numbers, T steps, F shares of a
sequence, E steps before the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from lisor.explain.score import predictions_after, score_of
from lisor.networks.network import Network
from lisor.sequences import Sequences

MIN_COUNT = 10
"""The fewest sequences whose quartiles are computed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Attributions:
    """The attribution of each of P symbols to the class, or number, `explained` of its sequence.

    `whole` are the network's predictions on the whole sequences. `completeness_errors` are those of
    integrated gradients: the distance of the sum of a sequence's attributions from its score (less
    that of zero vectors), as a share of it."""

    method: str
    sequences: Sequences
    values: Float[np.ndarray, " P"]
    explained: Int[np.ndarray, " N"]
    whole: Float[np.ndarray, "N C"]
    completeness_errors: Float[np.ndarray, " N"] | None = None


def by_sequence(
    sequences: Sequences, values: Shaped[np.ndarray, " P"]
) -> list[Shaped[np.ndarray, " T"]]:
    """The values of each sequence, from those of all symbols."""
    return np.split(values, sequences.offsets[1:])[:-1]


def removal_curve(
    network: Network,
    attributions: Attributions,
    shares: Float[np.ndarray, " F"],
    *,
    kept: bool,
) -> Float[np.ndarray, "F N"]:
    """What is left of each prediction (`Score.left`) when a share of its sequence's symbols is
    removed, or if `kept`, when these alone are kept: the highest attributions first.

    The deletion and insertion curves of Petsiuk et al. (2018), of symbols in place of pixels."""
    score, sequences = score_of(network.target), attributions.sequences
    weights = np.abs(attributions.values) if score.by_size else attributions.values
    ranks = [
        np.argsort(np.argsort(-row_weights, kind="stable"))
        for row_weights in by_sequence(sequences, weights)
    ]
    curves = np.empty((len(shares), len(sequences)))
    for index, share in enumerate(shares):
        first = [(rank < round(share * len(rank))) == kept for rank in ranks]
        shortened = sequences.keep(np.concatenate([np.empty(0, bool), *first]))
        after = predictions_after(network, shortened)
        curves[index] = score.left(attributions.whole, after, attributions.explained)
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
