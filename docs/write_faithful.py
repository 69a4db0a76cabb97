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

SHOWN = (2, 4, 7, 12, 16, 24, 32, 48, 65)
"""Numbers of clusters in the tables."""


def main() -> None:
    """Run, then write the page."""
    lines = [*_page(report_of("faithful"), report_of("faithful", "name=faithful-8", "clustering.k=[2, 7]"))]
    (ROOT / "docs/faithful.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _page(large: Path, small: Path) -> Iterator[str]:
    versions = json.loads((large / "summary.json").read_text())["versions"]
    yield "# How faithful automata of text are"
    yield ""
    yield "Written by `make faithful` from runs of `configs/faithful.yaml`"
    used = ", ".join(f"{name} {version}" for name, version in versions.items())
    yield f"({used}): movie reviews, five networks of a cell."
    yield ""
    yield "## The automaton that is picked on the selection split"
    yield ""
    yield "Deterministic automata of at most 8 and at most 66 states, on the test set: mean and 95 % interval over"
    yield "trials."
    yield ""
    yield "| at most | cell | states | fidelity | accuracy | network |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for limit, report in ((8, small), (66, large)):
        rows = read_results(report / "results.parquet")
        picked = rows[rows["selected"] & (rows["test_set"] == "test")]
        for cell, own in picked.groupby("cell", sort=False):
            figures = [str(Interval.of(own[name].tolist())) for name in ("fidelity", "accuracy", "rnn_accuracy")]
            yield f"| {limit} | {cell} | {', '.join(map(str, own['n_states']))} | {' | '.join(figures)} |"
    rows = read_results(large / "results.parquet")
    rows = rows[rows["test_set"] == "test"]
    for cell in dict.fromkeys(rows["cell"]):
        yield ""
        yield f"## {cell}: mean fidelity on the test set by number of clusters"
        yield ""
        yield from _grid(rows[rows["cell"] == cell])


def _grid(rows: pd.DataFrame) -> Iterator[str]:
    shown = rows[rows["k"].isin(SHOWN)]
    table = shown.pivot_table(index=["method", "rule"], columns="k", values="fidelity", sort=False)
    yield "| method | rule | " + " | ".join(map(str, table.columns)) + " |"
    yield "| --- | --- |" + " --- |" * table.shape[1]
    for (method, rule), values in table.iterrows():
        yield f"| {method} | {rule} | " + " | ".join(f"{value:.3f}" for value in values) + " |"


if __name__ == "__main__":
    main()
