"""Write docs/speech.md: networks that name a spoken digit, and their automata.

make speech DIGITS=digits.parquet        runs configs/speech.yaml on this file
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import yaml

from docs.report_of import ROOT, report_of
from lisor.evaluation.choice import SELECTION, choose
from lisor.report.tables import Interval, without_fold
from lisor_tasks.data import read_dataset
from lisor_tasks.evaluation import NetworkArtifacts, read_evaluations
from lisor_tasks.register import look_up

WINDOWS = (2, 4, 8)
"""Steps of a symbol among which the selection split chooses."""

BOUNDS = (4, 8, 16, 24, 32, 48, 64, 96, 128)
"""Bounds on the states of automata."""


def main(digits: str) -> None:
    """Try, run, then write the page."""
    tried = {window: _on_selection(window, digits) for window in WINDOWS}
    report_of("speech", f"dataset.series={digits}")
    networks = look_up("speech").artifacts.networks
    page = "\n".join(_page(networks, tried)) + "\n"
    (ROOT / "docs/speech.md").write_text(page, encoding="utf-8")


def _on_selection(window: int, digits: str) -> tuple[float, float, int]:
    """The accuracy on the selection split of one network of a window and of its best automaton, and
    the states of that."""
    settings = yaml.safe_load((ROOT / "configs/speech.yaml").read_text(encoding="utf-8"))
    first = settings["datasets"][0] | {"series": digits, "window": window}
    settings |= {"name": f"speech-{window}", "datasets": [first]}
    settings["training"] |= {"trials": 1}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "speech.yaml"
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        report_of(str(config), f"name=speech-{window}")
    (network,) = look_up(f"speech-{window}").artifacts.networks
    rows = read_evaluations(network)
    rows = rows[(rows["test_set"] == SELECTION) & rows["deterministic"]]
    best = rows.sort_values(["accuracy", "n_states"], ascending=[False, True]).iloc[0]
    return float(best["rnn_accuracy"]), float(best["accuracy"]), int(best["n_states"])


def _page(
    networks: tuple[NetworkArtifacts, ...], tried: Mapping[int, tuple[float, float, int]]
) -> Iterator[str]:
    evaluations = [
        read_evaluations(network).assign(dataset=network.dataset) for network in networks
    ]
    official = [table for table in evaluations if _title(table) == networks[0].dataset]
    held_out = [table for table in evaluations if _title(table) != networks[0].dataset]
    splits = read_dataset(networks[0].data).splits
    yield "# Speech recognition"
    yield ""
    yield (
        "Written by `make speech` from runs of `configs/speech.yaml` on recordings of spoken "
        "digits (Free Spoken Digit Dataset, CC BY-SA 4.0):\nseries of 13 coefficients of the "
        "voice, six speakers, ten classes. The network reads a window of "
        f"{max(tried, key=lambda window: tried[window][1])} steps at a time, the automaton the\n"
        "nearest of 256 prototypes that k-means made of the training series. Everything is "
        "chosen on the selection split; the test set\nis the file's own "
        f"({', '.join(f'{len(split):,} {name}' for name, split in splits.items())}). Means and "
        "95 % intervals are over trials, or over speakers."
    )
    yield ""
    yield "| test set | networks | network | automaton | fidelity | states |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for title, tables in (("the file's", official), ("a speaker that was not heard", held_out)):
        rows = pd.concat([_picked(table, max(BOUNDS)) for table in tables])
        figures = [_interval(rows[name]) for name in ("rnn_accuracy", "accuracy", "fidelity")]
        states = ", ".join(map(str, rows["n_states"]))
        yield f"| {title} | {len(tables)} | {' | '.join(figures)} | {states} |"
    yield ""
    yield (
        "For the second line all recordings of one speaker are for testing (`dataset.groups: "
        "speaker`, six folds), and those of the others are\nfor training, clustering and choice. "
        "Nobody hears the new voice before it is tested."
    )
    yield ""
    yield "| speaker held out | network | automaton | states |"
    yield "| --- | --- | --- | --- |"
    for network, table in zip(networks, evaluations, strict=True):
        if _title(table) != networks[0].dataset:
            row = _picked(table, max(BOUNDS)).iloc[0]
            speaker = read_dataset(network.data).notes[-1].rpartition(" ")[2]
            yield (
                f"| {speaker} | {row['rnn_accuracy']:.3f} | {row['accuracy']:.3f} | "
                f"{row['n_states']} |"
            )
    yield ""
    yield "## Accuracy against states"
    yield ""
    yield (
        "Of each bound the automaton that the selection split picks; accuracy on the test set, "
        "mean over networks."
    )
    yield ""
    yield "| at most | " + " | ".join(map(str, BOUNDS)) + " | network |"
    yield "| --- |" + " --- |" * (len(BOUNDS) + 1)
    for title, tables in (("the file's", official), ("a new speaker", held_out)):
        cells = []
        for bound in BOUNDS:
            rows = pd.concat([_picked(table, bound) for table in tables])
            cells.append(f"{rows['accuracy'].mean():.3f}")
        cells.append(f"{rows['rnn_accuracy'].mean():.3f}")
        yield f"| {title} | {' | '.join(cells)} |"
    yield ""
    yield "## Steps of a symbol"
    yield ""
    yield (
        "One network for each window, on the selection split: its accuracy, and that of its best "
        "automaton. A network of short windows is as\ngood, but its automaton takes more steps, in "
        "each of which it errs a little."
    )
    yield ""
    yield "| window | network | automaton | states |"
    yield "| --- | --- | --- | --- |"
    for window, (of_network, accuracy, count) in tried.items():
        yield f"| {window} | {of_network:.3f} | {accuracy:.3f} | {count} |"


def _title(table: pd.DataFrame) -> str:
    return str(without_fold(table["dataset"]).iloc[0])


def _picked(table: pd.DataFrame, bound: int) -> pd.DataFrame:
    """The row on the test set of the automaton that is picked of those of at most so many
    states."""
    rows = choose(table, tolerance=0.0, most_states=bound)
    return rows[rows["selected"] & (rows["test_set"] == "test")]


def _interval(values: pd.Series) -> str:
    return str(Interval.of(values.tolist()))


if __name__ == "__main__":
    main(sys.argv[1])
