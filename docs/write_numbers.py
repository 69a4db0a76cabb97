"""Write docs/numbers.md: networks that forecast series, and their automata.

make numbers"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from docs.report_of import ROOT, report_of
from lisor.evaluation.evaluation import read_results
from lisor.evaluation.numbers import naive, r2
from lisor.report.tables import Interval
from lisor_tasks.data import read_dataset
from lisor_tasks.register import look_up

BOUNDS = (8, 16, 32, 64)
"""Bounds on the states of automata."""


def main() -> None:
    """Run, then write the page."""
    page = ROOT / "docs/numbers.md"
    page.write_text("\n".join(_forecasts(report_of("forecast"))) + "\n", encoding="utf-8")


def _forecasts(report: Path) -> Iterator[str]:
    summary = json.loads((report / "summary.json").read_text())
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    rows = read_results(report / "results.parquet")
    test = rows[rows["test_set"] == "test"]
    networks = look_up("forecast").artifacts.networks
    yield "# Forecasts"
    yield ""
    yield "Written by `make numbers`."
    yield ""
    yield (
        f"GRUs of `configs/forecast.yaml` on series that lie in aeon's wheel ({versions}): R² on "
        "the test set,"
    )
    yield "mean and 95 % interval over trials; method, rule and k are chosen on selection."
    yield ""
    yield "| series | the last value | network | automaton | R² to the network | states |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, group in test[test["selected"]].groupby("dataset", sort=False):
        data = next(network.data for network in networks if network.dataset == name)
        dataset = read_dataset(data)
        simple = r2(dataset.splits["test"].labels, naive(dataset)[1])
        figures = (
            str(Interval.of(group[column].tolist())) for column in ("rnn_r2", "r2", "r2_network")
        )
        states = ", ".join(map(str, group["n_states"]))
        ahead = dataset.classes[0].partition(" in ")[2]
        yield f"| {name}, {ahead} ahead | {simple:.3f} | {' | '.join(figures)} | {states} |"
    yield ""
    yield (
        "The R² to the network of the automaton of each rule that is best on the test set among "
        "those of at most so many"
    )
    yield "states, mean over trials: what is there, not what was chosen."
    yield ""
    yield f"| series | rule | {' | '.join(f'≤ {bound}' for bound in BOUNDS)} |"
    yield f"| --- | --- |{' --- |' * len(BOUNDS)}"
    for (name, rule), group in test.groupby(["dataset", "rule"], sort=False):
        cells = [
            f"{group[group['n_states'] <= bound].groupby('trial')['r2_network'].max().mean():.3f}"
            for bound in BOUNDS
        ]
        yield f"| {name} | {rule} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
