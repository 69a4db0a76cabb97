"""Tasks that draw, write and publish what a run found."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from prefect import task

from lisor.data.dataset import Dataset
from lisor.fsa import extraction
from lisor.report import drawing, figures, page, tables
from lisor.rnn.classifier import TrainedModel
from tasks.artifacts import Ref, open_artifact, write_text
from tasks.caching import cached
from tasks.data import read_dataset
from tasks.fsa import RESULTS, Network

REPORT = "report.html"


@cached(
    "report",
    "lisor.report.page",
    "lisor.report.drawing",
    "lisor.report.figures",
    "lisor.report.tables",
    name="report {title}",
)
def write_report(folder: Path, title: str, results: Ref, networks: Sequence[Network]) -> None:
    """The report page, the plots, and every chosen and selected automaton as JSON, DOT and SVG."""
    table = pd.read_parquet(open_artifact(results) / RESULTS)
    sections = []
    for name in dict.fromkeys(network.dataset for network in networks):
        members = [network for network in networks if network.dataset == name]
        sections.append(_section(folder, table, read_dataset(members[0].data), members))
    summary = page.Table(
        caption="The selected automaton of each network, on the test set: mean over trials with its 95 % interval. "
        "Accuracy is agreement with the truth, fidelity agreement with the network.",
        headings=tables.SummaryRow.HEADINGS,
        rows=tuple(row.cells() for row in tables.summarize(table)),
    )
    introduction = (
        "Recurrent networks were trained, their hidden states clustered, and finite state automata read off the clusters "
        "(LISOR; Hou & Zhou, 2020). The number of clusters was chosen on a selection split that nothing was fitted to."
    )
    (folder / REPORT).write_text(page.render(title, introduction, summary, sections), encoding="utf-8")


@task(name="publish", task_run_name="publish to {out}")
def publish(out: str, results: Ref, report: Ref, record: str, summary: str) -> None:
    """Copy the files of a run to the folder where its user looks for them, each whole or not at all."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    _replace_folder(open_artifact(report) / "automata", folder / "automata")
    _replace_folder(open_artifact(report) / "figures", folder / "figures")
    _replace_file(open_artifact(results) / RESULTS, folder / RESULTS)
    _replace_file(open_artifact(report) / REPORT, folder / REPORT)
    write_text(folder / "run.json", record)
    write_text(folder / "summary.json", summary)


def _section(folder: Path, table: pd.DataFrame, dataset: Dataset, networks: Sequence[Network]) -> page.Section:
    name = networks[0].dataset
    rows = table[table["dataset"] == name]
    cells = list(dict.fromkeys(network.cell for network in networks))
    histories = {
        cell: [TrainedModel.read(open_artifact(n.model)).history for n in networks if n.cell == cell] for cell in cells
    }
    (folder / "figures").mkdir(exist_ok=True)
    plots = (
        page.Picture(
            title="Quality against the number of clusters",
            caption="Agreement of the automata with the truth (accuracy) and with their network (fidelity). Lines are "
            "means over trials, bands run from the worst trial to the best, green ticks are the chosen k.",
            svg=figures.quality_against_k(rows),
        ),
        page.Picture(
            title="Training",
            caption="How the networks got there: one line for each trial.",
            svg=figures.training_curves(histories),
        ),
    )
    for file, plot in zip(("quality", "training"), plots, strict=True):
        (folder / "figures" / f"{name}-{file}.svg").write_text(plot.svg, encoding="utf-8")
    pictures = [picture for network in networks for picture in _draw_automata(folder, rows, network)]
    sizes = ", ".join(f"{len(split):,} {split_name}" for split_name, split in dataset.splits.items())
    kind = "texts" if dataset.is_text else "words"
    classes = ", ".join(dataset.classes)
    return page.Section(
        title=name,
        introduction=f"Labelled {kind} over {len(dataset.vocabulary):,} symbols with the classes {classes}: {sizes}.",
        notes=(*dataset.notes, *_short_grids(rows)),
        tables=(_chosen_table(rows),),
        figures=plots,
        automata=tuple(pictures),
    )


def _draw_automata(folder: Path, rows: pd.DataFrame, network: Network) -> list[page.Picture]:
    """Write the network's chosen automata; the pictures of those that are selected."""
    mine = rows[(rows["cell"] == network.cell) & (rows["trial"] == network.trial) & (rows["test_set"] == "test")]
    wanted = mine[mine["chosen"] | mine["selected"]].set_index(["method", "rule", "k"])
    pictures = []
    for block in network.automata:
        for found in extraction.read(open_artifact(block)):
            key = (found.method, found.rule, found.k)
            if key not in wanted.index:
                continue
            row = wanted.loc[key]
            dot = drawing.to_dot(found.automaton, found.seen)
            svg = drawing.render(dot)
            names = [f"{network.label}-{found.method}-{found.rule}-k{found.k}"] if row["chosen"] else []
            if row["selected"]:
                names.append(f"selected/{network.label}")
                pictures.append(_picture(network, row, found, svg))
            for name in names:
                place = folder / "automata" / name
                place.parent.mkdir(parents=True, exist_ok=True)
                contents = {"json": found.automaton.to_json(), "dot": dot, "svg": svg}
                for ending, text in contents.items():
                    place.with_name(f"{place.name}.{ending}").write_text(text, encoding="utf-8")
    return pictures


def _picture(network: Network, row: pd.Series, found: extraction.Extraction, svg: str) -> page.Picture:
    exact = {True: " It is exactly the language.", False: " It is not exactly the language."}.get(row["exact"], "")
    return page.Picture(
        title=f"{network.cell}, trial {network.trial}",
        caption=f"k = {found.k}, {row['n_states']} states ({row['n_states_minimal']} when minimal), accuracy "
        f"{row['accuracy']:.3f}, fidelity {row['fidelity']:.3f}.{exact}",
        svg=svg,
    )


def _chosen_table(rows: pd.DataFrame) -> page.Table:
    chosen = rows[rows["chosen"] & (rows["test_set"] == "test")]
    columns = ["cell", "trial", "method", "rule", "k", "n_states", "n_states_minimal", "rnn_accuracy", "accuracy",
               "fidelity", "unseen_transitions", "exact", "selected"]  # fmt: skip
    headings = ("cell", "trial", "method", "rule", "k", "states", "minimal", "network", "accuracy", "fidelity",
                "unseen steps", "exact", "selected")  # fmt: skip
    texts = tuple(tuple(_text(row[column]) for column in columns) for _, row in chosen.iterrows())
    return page.Table(
        caption="The chosen automaton of each network, method and rule, on the test set.", headings=headings, rows=texts
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return "–" if value is None else str(value)


def _short_grids(rows: pd.DataFrame) -> list[str]:
    """A note for each network whose grid of k ended early for want of distinct hidden states."""
    last = rows.groupby(["cell", "trial"], sort=False)["k"].max()
    return [
        f"{cell}, trial {trial}: the grid of k ends at {k}, the number of distinct hidden states."
        for (cell, trial), k in last.items()
        if k < last.max()
    ]


def _replace_file(source: Path, target: Path) -> None:
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, fresh)
    fresh.replace(target)


def _replace_folder(source: Path, target: Path) -> None:
    """Put a copy of a folder in the place of another, which is only removed when the copy is whole."""
    fresh, old = (target.with_name(f".{target.name}.{part}.{os.getpid()}") for part in ("new", "old"))
    shutil.copytree(source, fresh)
    if target.exists():
        target.replace(old)
    fresh.replace(target)
    shutil.rmtree(old, ignore_errors=True)


def as_json(value: object) -> str:
    """A value as indented JSON text."""
    return json.dumps(value, indent=1, ensure_ascii=False)
