"""Write docs/faithful.md: how faithful automata of text are, by method, rule and number of clusters.

make faithful        runs configs/faithful.yaml in the store of LISOR_HOME, and again with at most 8 states
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from report_of import ROOT, report_of

from lisor.fsa.evaluation import read_results
from lisor.report.tables import Interval

SHOWN = (2, 4, 8, 12, 16, 24, 32, 48, 64)
"""Numbers of clusters in the tables."""

LIMITS = {8: ("name=faithful-8", "clustering.k=[2, 8]", "extraction.most_states=8"), 66: ()}
"""The runs, each with a bound on the states of the automaton that is picked."""

MOST_WEIGHTED = 16
"""Clusters that a weighted automaton may have in its table."""


def main() -> None:
    """Run, then write the page."""
    reports = {limit: report_of("faithful", *changes) for limit, changes in LIMITS.items()}
    (ROOT / "docs/faithful.md").write_text("\n".join(_page(reports)) + "\n", encoding="utf-8")


def _page(reports: dict[int, Path]) -> Iterator[str]:
    summary = json.loads((reports[66] / "summary.json").read_text())
    yield "# How faithful automata of text are"
    yield ""
    used = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    yield "Written by `make faithful` from runs of `configs/faithful.yaml` on movie reviews, five networks of a cell"
    yield f"({used})."
    yield ""
    yield "## The automaton that is picked on the selection split"
    yield ""
    yield "Deterministic automata of at most 8 and at most 66 states, on the test set: mean and 95 % interval over"
    yield "trials."
    yield ""
    yield "| at most | cell | rules picked | states | fidelity | accuracy | network |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for limit, report in reports.items():
        rows = read_results(report / "results.parquet")
        picked = rows[rows["selected"] & (rows["test_set"] == "test")]
        for cell, own in picked.groupby("cell", sort=False):
            rules = ", ".join(f"{rule} ({count})" for rule, count in own["rule"].value_counts().items())
            figures = [str(Interval.of(own[name].tolist())) for name in ("fidelity", "accuracy", "rnn_accuracy")]
            yield f"| {limit} | {cell} | {rules} | {', '.join(map(str, own['n_states']))} | {' | '.join(figures)} |"
    rows = read_results(reports[66] / "results.parquet")
    rows = rows[rows["test_set"] == "test"]
    yield ""
    yield f"Weighted automata of {MOST_WEIGHTED} clusters of the method sensitivity:"
    yield ""
    for cell, own in rows[(rows["k"] == MOST_WEIGHTED) & (rows["rule"] == "weighted")].groupby("cell", sort=False):
        fidelity = own.loc[own["method"] == "sensitivity", "fidelity"]
        yield f"- {cell}: fidelity {Interval.of(fidelity.tolist()):.3f}"
    for cell in dict.fromkeys(rows["cell"]):
        yield ""
        yield f"## {cell}: mean fidelity on the test set by number of clusters"
        yield ""
        yield "A refined automaton grows from so many clusters to at most 64 states. The rules that search begin at the"
        yield "halves of the largest number only."
        yield ""
        yield from _grid(rows[rows["cell"] == cell])


def _grid(rows: pd.DataFrame) -> Iterator[str]:
    shown = rows[rows["k"].isin(SHOWN)]
    table = shown.pivot_table(index=["method", "rule"], columns="k", values="fidelity", sort=False).sort_index(axis=1)
    yield "| method | rule | " + " | ".join(map(str, table.columns)) + " |"
    yield "| --- | --- |" + " --- |" * table.shape[1]
    for (method, rule), values in table.iterrows():
        cells = ("–" if pd.isna(value) else f"{value:.3f}" for value in values)
        yield f"| {method} | {rule} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
