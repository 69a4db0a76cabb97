"""Write docs/faithful.md: how faithful automata of text are, by method, rule and number of
clusters.

make faithful        runs configs/faithful.yaml in the store of LISOR_HOME, and again with at most
                     8 states
make faithful IMDB=reviews.parquet TREC=questions.parquet   and with changed settings on these
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from docs.bounded import bounded_table
from docs.report_of import ROOT, report_of
from lisor.evaluation.evaluation import read_results
from lisor.report.tables import Interval
from lisor_tasks.evaluation import read_evaluations
from lisor_tasks.register import look_up

SHOWN = (2, 4, 8, 12, 16, 24, 32, 48, 64)
"""Numbers of clusters in the tables."""

LIMITS = {8: ("name=faithful-8", "clustering.k=[2, 8]", "extraction.most_states=8"), 66: ()}
"""The runs, each with a bound on the states of the automaton that is picked."""

MAX_WEIGHTED = 16
"""Clusters that a weighted automaton may have in its table."""

IMDB_SETTINGS = (
    "dataset.max_length=200",
    "dataset.min_count=5",
    "models.cells=[gru]",
    "models.hidden_size=64",
    "models.vector_size=64",
    "training.trials=1",
    "training.dropout=0.2",
    "training.patience=2",
    "training.max_epochs=8",
    "clustering.methods=[kmeans, sensitivity]",
)
"""Reviews of up to 200 words."""

TREC_SETTINGS = (
    "models.cells=[gru]",
    "training.trials=3",
    "clustering.methods=[sensitivity]",
    "clustering.k=[2, 256]",
)
"""Short questions of six kinds."""

BOUNDS = (8, 16, 32, 64, 128, 257)
"""Bounds on the states (clusters of a weighted automaton) in the tables of other texts."""


def main(imdb: str, trec: str) -> None:
    """Run, then write the page."""
    lines = [*_page({limit: report_of("faithful", *changes) for limit, changes in LIMITS.items()})]
    lines += _other("IMDB: long reviews", "faithful-imdb", imdb, IMDB_SETTINGS) if imdb else []
    lines += (
        _other("TREC: six kinds of questions", "faithful-trec", trec, TREC_SETTINGS) if trec else []
    )
    (ROOT / "docs/faithful.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _page(reports: dict[int, Path]) -> Iterator[str]:
    summary = json.loads((reports[66] / "summary.json").read_text())
    yield "# How faithful automata of text are"
    yield ""
    used = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    yield (
        "Written by `make faithful` from runs of `configs/faithful.yaml` on movie reviews, five "
        "networks of a cell"
    )
    yield f"({used})."
    yield ""
    yield "## The automaton that is picked on the selection split"
    yield ""
    yield (
        "Deterministic automata of at most 8 and at most 66 states, on the test set: mean and 95 % "
        "interval over"
    )
    yield "trials."
    yield ""
    yield "| at most | cell | rules picked | states | fidelity | accuracy | network |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for limit, report in reports.items():
        rows = read_results(report / "results.parquet")
        picked = rows[rows["selected"] & (rows["test_set"] == "test")]
        for cell, own in picked.groupby("cell", sort=False):
            rules = ", ".join(
                f"{rule} ({count})" for rule, count in own["rule"].value_counts().items()
            )
            figures = [
                str(Interval.of(own[name].tolist()))
                for name in ("fidelity", "accuracy", "rnn_accuracy")
            ]
            yield (
                f"| {limit} | {cell} | {rules} | {', '.join(map(str, own['n_states']))} | "
                f"{' | '.join(figures)} |"
            )
    rows = read_results(reports[66] / "results.parquet")
    rows = rows[rows["test_set"] == "test"]
    yield ""
    yield f"Weighted automata of {MAX_WEIGHTED} clusters of the method sensitivity:"
    yield ""
    for cell, own in rows[(rows["k"] == MAX_WEIGHTED) & (rows["rule"] == "weighted")].groupby(
        "cell", sort=False
    ):
        fidelity = own.loc[own["method"] == "sensitivity", "fidelity"]
        yield f"- {cell}: fidelity {Interval.of(fidelity.tolist()):.3f}"
    for cell in dict.fromkeys(rows["cell"]):
        yield ""
        yield f"## {cell}: mean fidelity on the test set by number of clusters"
        yield ""
        yield (
            "A refined automaton grows from so many clusters to at most 64 states. The rules that "
            "search begin at the"
        )
        yield "halves of the largest number only."
        yield ""
        yield from _grid(rows[rows["cell"] == cell])


def _grid(rows: pd.DataFrame) -> Iterator[str]:
    shown = rows[rows["k"].isin(SHOWN)]
    table = shown.pivot_table(
        index=["method", "rule"], columns="k", values="fidelity", sort=False
    ).sort_index(axis=1)
    yield "| method | rule | " + " | ".join(map(str, table.columns)) + " |"
    yield "| --- | --- |" + " --- |" * table.shape[1]
    for (method, rule), values in table.iterrows():
        cells = ("–" if pd.isna(value) else f"{value:.3f}" for value in values)
        yield f"| {method} | {rule} | " + " | ".join(cells) + " |"


def _other(title: str, name: str, path: str, settings: tuple[str, ...]) -> Iterator[str]:
    """What automata of the texts of a file reach."""
    report = report_of("faithful", f"name={name}", f"dataset.text={path}", *settings)
    rows = read_results(report / "results.parquet")
    picked = rows[rows["selected"] & (rows["test_set"] == "test")]
    seconds = json.loads((report / "summary.json").read_text())["seconds"]["this_run"]
    yield ""
    yield f"## {title}"
    yield ""
    yield (
        f"`lisor run faithful --set name={name} --set dataset.text=PATH` ({seconds:.0f} seconds), "
        "with these changes:"
    )
    yield ""
    yield from (f"- `--set '{change}'`" for change in settings)
    yield ""
    yield (
        f"The automata picked on the selection split, on the test set of {picked['n'].iloc[0]} "
        "texts:"
    )
    yield ""
    yield "| network | method | rule | states | fidelity | accuracy | of its network |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for row in picked.to_dict("records"):
        figures = " | ".join(
            f"{row[column]:.3f}" for column in ("fidelity", "accuracy", "rnn_accuracy")
        )
        label = f"{row['cell']} {row['trial']}"
        yield f"| {label} | {row['method']} | {row['rule']} | {row['n_states']} | {figures} |"
    if len(picked) > 1:
        less = Interval.of((100 * (picked["rnn_accuracy"] - picked["accuracy"])).tolist())
        yield ""
        yield f"The automata are {less:.1f} points less accurate than their networks."
    yield ""
    yield (
        "What each rule reaches with at most so many states, the automaton picked on the selection "
        "split: fidelity"
    )
    yield "and accuracy on the test set, means over networks."
    yield ""
    evaluations = [read_evaluations(network) for network in look_up(name).artifacts.networks]
    yield from bounded_table(evaluations, BOUNDS)


if __name__ == "__main__":
    main(*sys.argv[1:])
