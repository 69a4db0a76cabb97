"""Tables that sum up the rows of `results.parquet`, with intervals over trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from lisor.evaluation.measures import (
    CLASSES,
    COLUMNS,
    KINDS,
    TRANSLATIONS,
    Measures,
    measures_of,
)
from lisor.registry import PAPER_RULE
from lisor.settings.series import FOLD

TEST_SET = "test"
"""The set whose figures the summary shows."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean and its 95 % confidence interval ± `half_width` (Student's t over trials), None
    for a single trial."""

    mean: float
    half_width: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """The interval of the mean of these values."""
        n = len(values)
        half = float(stdtrit(n - 1, 0.975) * np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else None
        return cls(mean=float(np.mean(values)), half_width=half)

    def __str__(self) -> str:
        return f"{self:.3f}"

    def __format__(self, spec: str) -> str:
        mean = format(self.mean, f"z{spec}").replace("-", "\N{MINUS SIGN}")
        return mean if self.half_width is None else f"{mean} ± {format(self.half_width, spec)}"


@dataclass(frozen=True, kw_only=True)
class SummaryRow:
    """The selected automata of one cell on one dataset over its trials, or over all trials of its
    folds; `exact` counts those equal to the language. The figures are those that results have of
    the kind of `target`, others None."""

    dataset: str
    cell: str
    target: str
    trials: int
    n_states: tuple[int, ...]
    n_states_minimal: tuple[int, ...]
    exact: int | None
    rnn_accuracy: Interval | None = None
    accuracy: Interval | None = None
    fidelity: Interval | None = None
    rnn_perplexity: Interval | None = None
    perplexity: Interval | None = None
    total_variation: Interval | None = None
    rnn_r2: Interval | None = None
    r2: Interval | None = None
    r2_network: Interval | None = None
    rnn_exact_match: Interval | None = None
    exact_match: Interval | None = None

    @property
    def measures(self) -> Measures:
        """The measures by which automata of its kind are judged."""
        return measures_of(self.target) if self.exact_match is None else TRANSLATIONS

    @property
    def constant(self) -> int:
        """How many of the automata answer every sequence alike: their minimal automaton has one
        state."""
        return sum(states == 1 for states in self.n_states_minimal)

    def cells(self) -> tuple[str, ...]:
        """The row as texts, one for each of the `headings`."""
        network, automaton, agreement = (
            str(getattr(self, column)) for column in self.measures.columns
        )
        constant = f" (one answer: {self.constant} of {self.trials})" if self.constant else ""
        exact = "–" if self.exact is None else f"{self.exact} of {self.trials}"
        return (
            self.dataset,
            self.cell,
            network,
            automaton + constant,
            agreement,
            _listed(self.n_states),
            _listed(self.n_states_minimal),
            *([exact] if self.measures is CLASSES else []),
        )


def headings(measures: Measures) -> tuple[str, ...]:
    """What stands above the texts of a `SummaryRow` of these measures."""
    columns = ("dataset", "cell", "network", "automaton", measures.agreement_name, "states")
    return (*columns, "minimal", *(["exact"] if measures is CLASSES else []))


def summarize(results: pd.DataFrame) -> list[SummaryRow]:
    """A row for each dataset and cell, in the order in which `results` has them; the folds of one
    share a row."""
    rows = []
    selected = results[results["selected"] & (results["test_set"] == TEST_SET)]
    selected = selected.assign(dataset=without_fold(selected["dataset"]))
    for (dataset, cell), group in selected.groupby(["dataset", "cell"], sort=False):
        known = group["exact"].dropna()
        rows.append(
            SummaryRow(
                dataset=str(dataset),
                cell=str(cell),
                target=str(group["target"].iloc[0]),
                trials=len(group),
                n_states=tuple(group["n_states"].tolist()),
                n_states_minimal=tuple(group["n_states_minimal"].tolist()),
                exact=int(known.sum()) if len(known) else None,
                **_figures(group),
            )
        )
    return rows


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Rows of one kind, and how they are headed."""

    name: str
    title: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[SummaryRow, ...]


def summaries(results: pd.DataFrame) -> list[Summary]:
    """The rows of each kind of measures, of those that there are."""
    rows = summarize(results)
    kinds = [
        Summary(
            name=measures.summary,
            title=measures.title,
            caption="On the test set: mean over trials with its 95 % confidence interval. "
            f"{measures.caption}",
            headings=headings(measures),
            rows=tuple(row for row in rows if row.measures is measures),
        )
        for measures in KINDS
    ]
    return [kind for kind in kinds if kind.rows]


def _figures(group: pd.DataFrame) -> dict[str, Interval]:
    """The figures that all rows of a group have."""
    known = [name for name in COLUMNS if group[name].notna().all()]
    return {name: Interval.of(group[name].tolist()) for name in known}


def without_fold(datasets: pd.Series) -> pd.Series:
    """The names of datasets, those of folds without the number of their fold."""
    return datasets.str.replace(rf"{FOLD}\d+$", "", regex=True)


def not_reached(results: pd.DataFrame) -> int:
    """What stands for "not reached" in tables of n_c: one more than the largest k, as in Hou & Zhou
    (2020), whose grid ends at 64."""
    return int(results["k"].max()) + 1


def clusters_to_reach(results: pd.DataFrame, accuracy: float) -> pd.DataFrame:
    """The smallest k at which each network's majority automaton reaches an accuracy on the test set
    (the paper's n_c).

    A row for each method and cell, a column for each trial; `not_reached` where no k of the grid
    does."""
    rows = _majority(results)
    reached = rows[rows["accuracy"] >= accuracy].groupby(["method", "cell", "trial"])["k"].min()
    identities = pd.MultiIndex.from_frame(rows[["method", "cell", "trial"]].drop_duplicates())
    numbers = reached.reindex(identities, fill_value=not_reached(results)).unstack("trial")
    order = rows[["method", "cell"]].drop_duplicates().sort_values("method", kind="stable")
    return numbers.reindex(pd.MultiIndex.from_frame(order))


def at_clusters(results: pd.DataFrame, numbers: pd.DataFrame) -> pd.DataFrame:
    """The test rows of the majority automata whose k is that of a table made by
    `clusters_to_reach`."""
    wanted = pd.MultiIndex.from_tuples(
        [(*index, trial, k) for index, row in numbers.iterrows() for trial, k in row.items()]
    )
    rows = _majority(results)
    return rows[pd.MultiIndex.from_frame(rows[["method", "cell", "trial", "k"]]).isin(wanted)]


def means_at(results: pd.DataFrame, k: int) -> pd.DataFrame:
    """Accuracy of the networks and of their majority automata of k clusters on the test set, with
    the fidelity.

    A row for each method and cell; the columns rnn_accuracy, accuracy and fidelity hold an
    `Interval` over trials."""
    rows = _majority(results)
    rows = rows[rows["k"] == k].sort_values("method", kind="stable")
    groups = rows.groupby(["method", "cell"], sort=False)
    return groups[["rnn_accuracy", "accuracy", "fidelity"]].agg(
        lambda values: Interval.of(values.tolist())
    )


def _majority(results: pd.DataFrame) -> pd.DataFrame:
    """The rows of the paper's own rule on the test set."""
    return results[(results["test_set"] == TEST_SET) & (results["rule"] == PAPER_RULE)]


def _listed(values: tuple[int, ...]) -> str:
    """The values of the trials if they are few, else their range."""
    return ", ".join(map(str, values)) if len(values) <= 5 else f"{min(values)}–{max(values)}"
