"""Write docs/domains.md: networks and automata on language, speech, time series, event logs and heartbeats.

make domains                                           runs configs/domains.yaml
make domains LOGS=events.parquet HEARTBEATS=beats.parquet   and configs/logs.yaml and configs/heartbeats.yaml
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from report_of import ROOT, report_of

from lisor.fsa.evaluation import read_results
from lisor.report.tables import Interval, without_fold

IMAGES = ROOT / "docs/images/domains"

SHOWN = (2, 3, 4, 6, 8, 10, 12, 16, 24, 32, 40)
"""Bounds on the states in the table of what smaller automata reach."""


def main(logs: str, heartbeats: str) -> None:
    """Run, then write the page and its pictures."""
    reports = [report_of("domains")]
    reports += [report_of("logs", f"dataset.symbols={logs}")] if logs else []
    reports += [report_of("heartbeats", f"dataset.series={heartbeats}")] if heartbeats else []
    rows = pd.concat([read_results(report / "results.parquet") for report in reports], ignore_index=True)
    IMAGES.mkdir(parents=True, exist_ok=True)
    pictures = dict[str, Path]()
    for report in reports:
        names = read_results(report / "results.parquet")["dataset"].drop_duplicates()
        for title, name in zip(without_fold(names), names, strict=True):
            drawn = sorted((report / "automata/selected").glob(f"{name}-*.svg"))
            pictures.setdefault(title, min(drawn, key=lambda path: path.stat().st_size))  # the one of the fewest edges
    for title, picture in pictures.items():
        shutil.copyfile(picture, IMAGES / f"{title}.svg")
    page = "\n".join(_page(rows, pictures)) + "\n"
    (ROOT / "docs/domains.md").write_text(page, encoding="utf-8")


def _page(rows: pd.DataFrame, pictures: dict[str, Path]) -> Iterator[str]:
    test = rows[rows["test_set"] == "test"]
    test = test.assign(title=without_fold(test["dataset"]))
    picked = test[test["selected"]]
    yield "# Other domains"
    yield ""
    yield "Written by `make domains` from runs of `configs/domains.yaml`, `configs/logs.yaml` (event numbers of a file"
    yield "system) and `configs/heartbeats.yaml`. The network reads words, symbols, or the numbers of a series. The"
    yield "automaton of a series reads symbols, one for each window of steps: the nearest of those that k-means"
    yield "found in the training series. Fidelity compares the automaton on symbols with the network on numbers."
    yield "Method, rule and k are chosen on the selection split; the figures are of the test set: mean and 95 %"
    yield "interval over trials, of heartbeats over five folds. The windows and numbers of symbols of series are the"
    yield "best of a few that were compared on the same test sets, which flatters them. A symbol for each single step"
    yield "gave automata further from their network: errors of quantisation add up over the steps."
    yield ""
    yield "| data set | network | automaton | fidelity | network less automaton | states | rules picked |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for title, own in picked.groupby("title", sort=False):
        figures = [str(Interval.of(own[name].tolist())) for name in ("rnn_accuracy", "accuracy", "fidelity")]
        less = str(Interval.of((own["rnn_accuracy"] - own["accuracy"]).tolist()))
        states = ", ".join(map(str, own["n_states"]))
        ways = (own["method"] + " " + own["rule"]).value_counts()
        rules = ", ".join(f"{way} ({count})" for way, count in ways.items())
        yield f"| {title} | {' | '.join(figures)} | {less} | {states} | {rules} |"
    yield ""
    yield "## What smaller automata reach"
    yield ""
    yield "The best accuracy on the test set among deterministic automata of at most so many states, mean over trials"
    yield "or folds: what is there, not what was chosen."
    yield ""
    yield "| at most | " + " | ".join(map(str, SHOWN)) + " |"
    yield "| --- |" + " --- |" * len(SHOWN)
    deterministic = test[test["rule"] != "weighted"]
    for title, own in deterministic.groupby("title", sort=False):
        cells = []
        for most in SHOWN:
            best = own[own["n_states"] <= most].groupby(["dataset", "cell", "trial"])["accuracy"].max()
            cells.append(f"{best.mean():.3f}" if len(best) else "–")
        yield f"| {title} | {' | '.join(cells)} |"
    for title, picture in pictures.items():
        yield ""
        yield f"## {title}"
        yield ""
        yield f"![An automaton](images/domains/{title}.svg)"
        yield ""
        yield f"*{picture.stem}.*"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
