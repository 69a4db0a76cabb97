"""What Hou & Zhou (2020) claim of the cells, put to the test over trials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import permutation_test

from lisor.randomness import stream
from lisor.report.tables import Interval


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of Hou & Zhou (2020) that one cell needs fewer clusters than others, put to the test on paired trials.

    `difference` is what the others need beyond the cell; `p_value` that of the two-sided sign-flip test."""

    text: str
    difference: Interval
    p_value: float

    @property
    def verdict(self) -> str:
        """Whether the 95 % interval of the difference lies above 0, below 0 or around it."""
        half = self.difference.half_width
        if half is None or abs(self.difference.mean) <= half:
            return "undecided"
        return "supported" if self.difference.mean > 0 else "contradicted"


EXACT = 1 << 16
"""Sign flips that are tried: all of them up to 16 trials, beyond that so many drawn at random."""

CLAIMS = {
    "mgu needs fewer clusters than srn": (("mgu",), ("srn",)),
    "mgu needs fewer clusters than gru": (("mgu",), ("gru",)),
    "mgu needs fewer clusters than lstm": (("mgu",), ("lstm",)),
    "gates help: mgu, gru and lstm on average need fewer than srn": (("mgu", "gru", "lstm"), ("srn",)),
    "fewer gates are better: gru needs fewer than lstm": (("gru",), ("lstm",)),
    "fewer gates are better: mingru needs fewer than sru": (("mingru",), ("sru",)),
}
"""What Hou & Zhou (2020) say of the cells' n_c, as (those that need fewer, those that need more); the last asks it of
cells that are younger than the claim."""


def check_claims(numbers: pd.DataFrame) -> list[Claim]:
    """The `CLAIMS` that can be tested on one method's n_c, a row for each cell and a column for each trial."""
    claims = []
    for text, (fewer, more) in CLAIMS.items():
        if not {*fewer, *more} <= set(numbers.index):
            continue
        paired = numbers.loc[[*fewer, *more]].dropna(axis="columns")  # a trial counts where every cell has it
        if paired.shape[1] < 2:
            continue
        left, right = paired.loc[list(fewer)].mean(), paired.loc[list(more)].mean()
        test = permutation_test(
            (right, left),
            _mean_difference,
            permutation_type="samples",
            vectorized=True,
            n_resamples=EXACT,
            rng=stream(0, "sign flips"),
        )
        differences = (right - left).tolist()
        claims.append(Claim(text=text, difference=Interval.of(differences), p_value=float(test.pvalue)))
    return claims


def _mean_difference(right: Float[np.ndarray, "..."], left: Float[np.ndarray, "..."], axis: int) -> object:
    return np.mean(right - left, axis=axis)
