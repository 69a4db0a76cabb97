"""The blocks of the report on language models: how well distributions over the next symbol are
predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from lisor.automata.distributions import perplexity
from lisor.data.dataset import Dataset
from lisor.evaluation import ngrams
from lisor.evaluation.references import fitted_split
from lisor.report.findings import Findings
from lisor.report.page import Table

HEADINGS = (
    "cell",
    "trial",
    "automaton",
    "states",
    "perplexity",
    "network",
    "distance",
    "same symbol",
)


@dataclass(frozen=True, kw_only=True)
class NGramReference:
    """The n-gram that is best on validation, and its perplexity on the test set."""

    order: int
    perplexity: float

    @classmethod
    def of(cls, dataset: Dataset) -> NGramReference:
        """That of a dataset's training, or of its validation split where there is no training."""
        fitted, validation, test = (
            dataset.splits[name].sequences for name in (fitted_split(dataset), "validation", "test")
        )
        ngram = ngrams.best(fitted, validation, len(dataset.alphabet))
        return cls(order=ngram.order, perplexity=perplexity(ngram.log_probabilities(test)))


def next_table(
    rows: pd.DataFrame,
    peers: pd.DataFrame,
    name: str,
    reference: NGramReference,
    networks: Sequence[Findings],
) -> Table:
    """How well the selected automata and those of other learners predict what comes next on the
    test set, beside their networks and n-grams."""
    lines: list[tuple[str, ...]] = []
    for network in networks:
        selected = network.rows(rows[rows["selected"] & (rows["test_set"] == "test")])
        others = network.rows(peers[peers["test_set"] == "test"])
        lines += [_line(network, row) for part in (selected, others) for _, row in part.iterrows()]
    return Table(
        name=f"{name}-next-symbol",
        title="Predictions of the next symbol",
        caption="On the test set: perplexity, among how many equally likely symbols one has to "
        "guess, of automaton and network; the total variation distance between their "
        "distributions, mean over all prefixes; how often both hold the same symbol most likely. "
        f"The {reference.order}-gram, the best on validation of those up to {ngrams.MAX_ORDER}, "
        f"has the perplexity {reference.perplexity:.3f}.",
        headings=HEADINGS,
        rows=tuple(lines),
    )


def worse_than_ngrams(
    rows: pd.DataFrame, reference: NGramReference, networks: Sequence[Findings]
) -> Iterator[str]:
    """Notes where networks, or the automata selected for them, predict what comes next no better
    than n-grams do."""
    selected = rows[rows["selected"] & (rows["test_set"] == "test")]
    for what, column, means in (
        ("Networks", "rnn_perplexity", "What is read off them says little of the data"),
        ("Automata", "perplexity", "More states or another rule may be nearer to their networks"),
    ):
        figures = [(network, network.rows(selected).iloc[0][column]) for network in networks]
        worse = [
            f"{network.cell}-{network.trial} ({figure:.3f})"
            for network, figure in figures
            if figure >= reference.perplexity
        ]
        if worse:
            yield (
                f"{what} that predict the next symbol no better than the {reference.order}-gram, "
                f"whose perplexity is {reference.perplexity:.3f}: {', '.join(worse)}. {means}."
            )


def _line(network: Findings, row: pd.Series) -> tuple[str, ...]:
    has_clusters = pd.notna(row["k"])
    automaton = f"{row['method']}, {row['rule']}" if has_clusters else str(row["method"])
    figures = ("perplexity", "rnn_perplexity", "total_variation", "fidelity")
    return (
        network.cell,
        str(network.trial),
        automaton,
        str(row["n_states"]),
        *(f"{row[figure]:.3f}" for figure in figures),
    )
