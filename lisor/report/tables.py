"""Tables that sum up the rows of `results.parquet`, with intervals over trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

TEST_SET = "test"
"""The set whose figures the summary shows."""


NOT_REACHED = 65
"""Stands for "not reached" in tables of n_c, as in Hou & Zhou (2020), whose grid ends at 64."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean with its 95 % confidence half-width (Student's t over trials); None where there is one trial only."""

    mean: float
    half_width: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """The interval of the mean of these values."""
        n = len(values)
        half = float(stdtrit(n - 1, 0.975) * np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else None
        return cls(mean=float(np.mean(values)), half_width=half)

    def __str__(self) -> str:
        return f"{self.mean:.3f}" if self.half_width is None else f"{self.mean:.3f} ± {self.half_width:.3f}"


@dataclass(frozen=True, kw_only=True)
class SummaryRow:
    """The selected automata of one cell on one data set over its trials; `exact` counts those equal to the language."""

    dataset: str
    cell: str
    trials: int
    rnn_accuracy: Interval
    accuracy: Interval
    fidelity: Interval
    n_states: tuple[int, ...]
    n_states_minimal: tuple[int, ...]
    exact: int | None

    HEADINGS = ("data set", "cell", "network", "automaton", "fidelity", "states", "minimal", "exact")

    def cells(self) -> tuple[str, ...]:
        """The row as texts, one for each of `HEADINGS`."""
        exact = "–" if self.exact is None else f"{self.exact} of {self.trials}"
        figures = (str(self.rnn_accuracy), str(self.accuracy), str(self.fidelity))
        return (self.dataset, self.cell, *figures, _listed(self.n_states), _listed(self.n_states_minimal), exact)


def summarize(results: pd.DataFrame) -> list[SummaryRow]:
    """A row for each data set and cell, in the order in which `results` has them."""
    rows = []
    selected = results[results["selected"] & (results["test_set"] == TEST_SET)]
    for (dataset, cell), group in selected.groupby(["dataset", "cell"], sort=False):
        known = group["exact"].dropna()
        rows.append(
            SummaryRow(
                dataset=str(dataset),
                cell=str(cell),
                trials=len(group),
                rnn_accuracy=Interval.of(group["rnn_accuracy"].tolist()),
                accuracy=Interval.of(group["accuracy"].tolist()),
                fidelity=Interval.of(group["fidelity"].tolist()),
                n_states=tuple(group["n_states"].tolist()),
                n_states_minimal=tuple(group["n_states_minimal"].tolist()),
                exact=int(known.sum()) if len(known) else None,
            )
        )
    return rows


def clusters_to_reach(results: pd.DataFrame, accuracy: float, *, missing: int = NOT_REACHED) -> pd.DataFrame:
    """The smallest k at which each network's automaton reaches an accuracy on the test set (the paper's n_c).

    A row for each method and cell, a column for each trial; `missing` where no k of the grid does."""
    rows = results[results["test_set"] == TEST_SET]
    reached = rows[rows["accuracy"] >= accuracy].groupby(["method", "cell", "trial"])["k"].min()
    every = pd.MultiIndex.from_frame(rows[["method", "cell", "trial"]].drop_duplicates())
    numbers = reached.reindex(every, fill_value=missing).unstack("trial")
    return numbers.reindex(pd.MultiIndex.from_frame(rows[["method", "cell"]].drop_duplicates()))


def _listed(values: tuple[int, ...]) -> str:
    """The values of the trials if they are few, else their range."""
    return ", ".join(map(str, values)) if len(values) <= 5 else f"{min(values)}–{max(values)}"
