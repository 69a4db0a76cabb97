"""Write docs/predictive.md: how faithful automata of text are whose states are what the network
predicts after probes.

make predictive    runs configs/faithful.yaml with networks that read out their last state or
                   attend, at a few numbers of clusters
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from docs.report_of import ROOT, report_of
from lisor.evaluation.choice import SELECTION
from lisor.report.tables import Interval
from lisor_tasks.evaluation import read_evaluations
from lisor_tasks.register import look_up

SIZES = (8, 16, 32, 63)
"""Numbers of clusters; with the start the automaton has one state more."""

SETTINGS = (
    "models.cells=[gru, mgu, attention-gru]",
    "clustering.methods=[sensitivity, predictive]",
    "extraction.rules=[dynamics, weighted]",
    "training.trials=3",
)


def main() -> None:
    """Run, then write the page."""
    names = [f"predictive-{k}" for k in SIZES]
    reports = [
        report_of("faithful", f"name={name}", *SETTINGS, f"clustering.k=[{k}, {k}]")
        for name, k in zip(names, SIZES, strict=True)
    ]
    tables = [
        read_evaluations(network).assign(cell=network.cell, trial=network.trial)
        for name in names
        for network in look_up(name).artifacts.networks
    ]
    lines = _page(reports[0], pd.concat(tables))
    (ROOT / "docs/predictive.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _page(report: Path, rows: pd.DataFrame) -> Iterator[str]:
    summary = json.loads((report / "summary.json").read_text())
    used = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    yield "# States that are predictions"
    yield ""
    yield (
        "The method `predictive` sees a hidden state as what the network predicts after each of 32 "
        "probes is read from it:"
    )
    yield (
        "the empty one and random windows of up to 8 words of the validation texts (Littman, "
        "Sutton & Singh, 2001). The"
    )
    yield (
        "automaton's state stands for the member of its cluster that is nearest to the mean of "
        "these predictions."
    )
    yield ""
    yield "Written by `make predictive` from runs of `configs/faithful.yaml` on movie reviews with"
    yield "these changes, at each number of clusters alone"
    yield f"({used}):"
    yield ""
    yield from (f"- `--set '{change}'`" for change in SETTINGS)
    yield ""
    yield "## Fidelity on the test set"
    yield ""
    yield "Means over the networks, by number of clusters; the automaton has a start beside them."
    yield ""
    test = rows[rows["test_set"] == "test"]
    table = test.pivot_table(
        index=["cell", "rule", "method"], columns="k", values="fidelity", sort=False
    ).sort_index()
    yield "| network | rule | method | " + " | ".join(map(str, table.columns)) + " |"
    yield "| --- | --- | --- |" + " --- |" * table.shape[1]
    for names, values in table.iterrows():
        yield f"| {' | '.join(names)} | " + " | ".join(f"{value:.3f}" for value in values) + " |"
    yield ""
    yield "## What the selection split picks"
    yield ""
    yield (
        "Of all automata of a network with at most 64 states, the one that predicts most as its "
        "network does on the"
    )
    yield "selection split; on the test set, mean and 95 % interval over networks."
    yield ""
    yield "| network | automata | method, rule, clusters | fidelity | accuracy | its network |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for cell in dict.fromkeys(rows["cell"]):
        for kind, deterministic in (("deterministic", True), ("weighted", False)):
            of_kind = rows[(rows["cell"] == cell) & (rows["deterministic"] == deterministic)]
            yield f"| {cell} | {kind} | {_picked(of_kind)} |"


def _picked(rows: pd.DataFrame) -> str:
    keys = ["trial", "method", "rule", "k"]
    choice = rows[rows["test_set"] == SELECTION].sort_values("fidelity", kind="stable")
    best = choice.drop_duplicates("trial", keep="last").sort_values("trial")
    test = rows[rows["test_set"] == "test"].merge(best[keys], on=keys)
    named = ", ".join(f"{row.method} {row.rule} {row.k}" for row in best.itertuples())
    figures = (
        str(Interval.of(test[name].tolist())) for name in ("fidelity", "accuracy", "rnn_accuracy")
    )
    return f"{named} | {' | '.join(figures)}"


if __name__ == "__main__":
    main()
