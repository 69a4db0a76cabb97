"""The blocks of the report on networks that predict numbers: how well, beside simple predictors,
and what they predict over time.

Shapes: M positions, D numbers at each, L shown positions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from lisor.data.dataset import Dataset
from lisor.evaluation.numbers import naive, r2
from lisor.report import figures
from lisor.report.findings import Findings
from lisor.report.page import Picture, Table

MAX_SHOWN = 240
"""Positions of the test set that are drawn, from the first."""

HEADINGS = ("cell", "trial", "automaton", "states", "R²", "network", "R² to network")


@dataclass(frozen=True, kw_only=True)
class NumberReference:
    """A simple predictor, and the R² of its numbers on the test set."""

    name: str
    r2: float

    @classmethod
    def of(cls, dataset: Dataset) -> NumberReference:
        """That of a dataset."""
        name, numbers = naive(dataset)
        return cls(name=name, r2=r2(dataset.splits["test"].labels, numbers))


def numbers_table(
    rows: pd.DataFrame, name: str, reference: NumberReference, networks: Sequence[Findings]
) -> Table:
    """How well the selected automata predict numbers on the test set, beside their networks."""
    lines = []
    for network in networks:
        (row,) = network.rows(rows[rows["selected"] & (rows["test_set"] == "test")]).to_dict(
            "records"
        )
        scores = (f"{row[column]:.3f}" for column in ("r2", "rnn_r2", "r2_network"))
        about = (network.cell, str(network.trial), f"{row['method']}, {row['rule']}")
        lines.append((*about, str(row["n_states"]), *scores))
    return Table(
        name=f"{name}-numbers",
        title="Predictions of numbers",
        caption="On the test set: R², the share of the variance of what is true that automaton and "
        "network explain, and that of the network's numbers by the automaton's. "
        f"{reference.name}: {reference.r2:.3f}.",
        headings=HEADINGS,
        rows=tuple(lines),
    )


def numbers_picture(
    rows: pd.DataFrame, name: str, dataset: Dataset, networks: Sequence[Findings]
) -> Iterator[Picture]:
    """What is true, and what the first network and its selected automaton predict, over the first
    positions of the test set."""
    network, test = networks[0], dataset.splits["test"]
    row = network.rows(rows[rows["selected"]]).iloc[0]
    automaton = network.extraction(row["method"], row["rule"], int(row["k"])).deterministic
    words = test.sequences
    numbers = automaton.numbers_at(words, automaton.trace(words))
    shown = min(MAX_SHOWN, len(numbers))
    yield Picture(
        name=f"{name}-predictions",
        title="What is predicted",
        caption=f"The first {shown:,} of {len(numbers):,} positions of the test set: what is true, "
        f"what {network.cell}, trial {network.trial}, predicts, and what its selected automaton of "
        f"{row['n_states']} states does.",
        svg=figures.numbers_over_time(
            {
                "true": test.labels[:shown],
                "network": network.predictions()[:shown],
                "automaton": numbers[:shown],
            },
            dataset.classes,
        ),
    )


def worse_than_naive(
    rows: pd.DataFrame, reference: NumberReference, networks: Sequence[Findings]
) -> Iterator[str]:
    """A note where networks predict numbers no better than a simple predictor does."""
    test = rows[rows["selected"] & (rows["test_set"] == "test")]
    scores = {
        f"{network.cell}-{network.trial}": float(network.rows(test)["rnn_r2"].iloc[0])
        for network in networks
    }
    worse = [f"{name} ({score:.3f})" for name, score in scores.items() if score <= reference.r2]
    if worse:
        yield (
            f"Networks that predict no better than a simple rule ({reference.name}: R² "
            f"{reference.r2:.3f}): {', '.join(worse)}. What is read off them says little of the "
            "data."
        )
