"""Tests over trials of what Hou & Zhou (2020) claim about the cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import permutation_test

from lisor.randomness import stream
from lisor.report.tables import Interval


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of Hou & Zhou (2020) that some cells need fewer clusters than others, tested on
    paired trials.

    `difference` is how many more the others need; `p_value` is of the two-sided sign-flip test."""

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
"""Resamples of the sign-flip test: all of up to 16 trials, of more trials so many at random."""

CLAIMS = {
    "mgu needs fewer clusters than srn": (("mgu",), ("srn",)),
    "mgu needs fewer clusters than gru": (("mgu",), ("gru",)),
    "mgu needs fewer clusters than lstm": (("mgu",), ("lstm",)),
    "gates help: mgu, gru and lstm on average need fewer than srn": (
        ("mgu", "gru", "lstm"),
        ("srn",),
    ),
    "fewer gates are better: gru needs fewer than lstm": (("gru",), ("lstm",)),
    "fewer gates are better: mingru needs fewer than sru": (("mingru",), ("sru",)),
}
"""What Hou & Zhou (2020) claim about n_c, as (cells that need fewer, cells that need more). The
last is about cells that are younger than the paper."""


def check_claims(numbers: pd.DataFrame) -> list[Claim]:
    """The `CLAIMS` that can be tested on one method's n_c, a row for each cell and a column for
    each trial."""
    claims = []
    for text, (fewer, more) in CLAIMS.items():
        # A trial counts where every cell has it.
        paired = numbers.reindex([*fewer, *more]).dropna(axis="columns")
        if paired.shape[1] < 2:
            continue
        left, right = paired.loc[list(fewer)].mean(), paired.loc[list(more)].mean()
        test = permutation_test(
            (right, left),
            lambda right, left, axis: np.mean(right - left, axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=EXACT,
            rng=stream(0, "sign flips"),
        )
        differences = (right - left).tolist()
        claims.append(
            Claim(text=text, difference=Interval.of(differences), p_value=float(test.pvalue))
        )
    return claims
