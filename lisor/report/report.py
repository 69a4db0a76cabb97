"""What a run found, as files: the page, the plots, and the automata as JSON, DOT and SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lisor.data.dataset import Dataset
from lisor.fsa.extraction import Extraction
from lisor.report import drawing, figures, page, tables

REPORT = "report.html"

_CHOSEN = {
    "cell": "cell",
    "trial": "trial",
    "method": "method",
    "rule": "rule",
    "k": "k",
    "n_states": "states",
    "n_states_minimal": "minimal",
    "rnn_accuracy": "network",
    "accuracy": "accuracy",
    "fidelity": "fidelity",
    "unseen_transitions": "unseen steps",
    "exact": "exact",
    "selected": "selected",
}
"""Columns of the table of chosen automata and how they are headed."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What is known of one network: the name of its data set, its training, and its automata."""

    dataset: str
    cell: str
    trial: int
    history: Mapping[str, Sequence[float]]
    extractions: Iterable[Extraction]

    @property
    def label(self) -> str:
        """The network's name in file names."""
        return f"{self.dataset}-{self.cell}-{self.trial}"


def write(
    folder: Path, title: str, results: pd.DataFrame, datasets: Mapping[str, Dataset], networks: Sequence[Findings]
) -> None:
    """Write `report.html`, figures/, and automata/ with every chosen one and in selected/ that of each network."""
    (folder / "figures").mkdir()
    (folder / "automata" / "selected").mkdir(parents=True)
    sections = []
    for name, dataset in datasets.items():
        members = [network for network in networks if network.dataset == name]
        sections.append(_section(folder, results[results["dataset"] == name], name, dataset, members))
    summary = page.Table(
        caption="The selected automaton of each network, on the test set: mean over trials with its 95 % interval. "
        "Accuracy is agreement with the truth, fidelity agreement with the network.",
        headings=tables.SummaryRow.HEADINGS,
        rows=tuple(row.cells() for row in tables.summarize(results)),
    )
    introduction = (
        "Recurrent networks were trained, their hidden states clustered, and finite state automata read off the "
        "clusters (LISOR; Hou & Zhou, 2020). Everything was chosen on a selection split that nothing was fitted to."
    )
    (folder / REPORT).write_text(page.render(title, introduction, summary, sections), encoding="utf-8")


def _section(
    folder: Path, rows: pd.DataFrame, name: str, dataset: Dataset, networks: Sequence[Findings]
) -> page.Section:
    histories: dict[str, list[Mapping[str, Sequence[float]]]] = {}
    for network in networks:
        histories.setdefault(network.cell, []).append(network.history)
    plots = {
        "quality": page.Picture(
            title="Quality against the number of clusters",
            caption="Agreement of the automata with the truth (accuracy) and with their network (fidelity) on the test "
            "set. Lines are means over trials, bands run from the worst to the best, green ticks are the chosen k.",
            svg=figures.quality_against_k(rows),
        ),
        "training": page.Picture(
            title="Training",
            caption="How the networks got there: one line for each trial.",
            svg=figures.training_curves(histories),
        ),
    }
    for file, plot in plots.items():
        (folder / "figures" / f"{name}-{file}.svg").write_text(plot.svg, encoding="utf-8")
    sizes = ", ".join(f"{len(split):,} {split_name}" for split_name, split in dataset.splits.items())
    kind = "texts" if dataset.is_text else "words"
    return page.Section(
        title=name,
        introduction=f"Labelled {kind} over {len(dataset.vocabulary):,} symbols with the classes "
        f"{', '.join(dataset.classes)}: {sizes}.",
        notes=(*dataset.notes, *_short_grids(rows)),
        tables=(_chosen_table(rows), *([] if dataset.is_text else [_reach_table(rows, share) for share in (1.0, 0.7)])),
        figures=tuple(plots.values()),
        wide=dataset.is_text,
        automata=tuple(picture for network in networks for picture in _draw_automata(folder, rows, network)),
    )


def _draw_automata(folder: Path, rows: pd.DataFrame, network: Findings) -> list[page.Picture]:
    """Write the network's chosen and selected automata; the picture of the selected one."""
    mine = rows[(rows["cell"] == network.cell) & (rows["trial"] == network.trial) & (rows["test_set"] == "test")]
    wanted = mine[mine["chosen"] | mine["selected"]].set_index(["method", "rule", "k"])
    pictures = []
    for found in network.extractions:
        key = (found.method, found.rule, found.k)
        if key not in wanted.index:
            continue
        row = wanted.loc[key]
        dot = drawing.to_dot(found.automaton, found.seen)
        svg = drawing.render(dot)
        names = [f"{network.label}-{found.method}-{found.rule}-k{found.k}"] if row["chosen"] else []
        if row["selected"]:
            names.append(f"selected/{network.label}")
            pictures.append(_picture(network, row, svg))
        for name in names:
            for ending, text in {"json": found.automaton.to_json(), "dot": dot, "svg": svg}.items():
                (folder / "automata" / f"{name}.{ending}").write_text(text, encoding="utf-8")
    return pictures


def _picture(network: Findings, row: pd.Series, svg: str) -> page.Picture:
    exact = {True: " It is exactly the language.", False: " It is not exactly the language."}.get(row["exact"], "")
    return page.Picture(
        title=f"{network.cell}, trial {network.trial}",
        caption=f"{row['n_states']} states ({row['n_states_minimal']} when minimal), accuracy {row['accuracy']:.3f}, "
        f"fidelity {row['fidelity']:.3f}.{exact}",
        svg=svg,
    )


def _chosen_table(rows: pd.DataFrame) -> page.Table:
    chosen = rows[rows["chosen"] & (rows["test_set"] == "test")]
    return page.Table(
        caption="The chosen automaton of each network, method and rule, on the test set.",
        headings=tuple(_CHOSEN.values()),
        rows=tuple(tuple(_text(row[column]) for column in _CHOSEN) for _, row in chosen.iterrows()),
    )


def _reach_table(rows: pd.DataFrame, accuracy: float) -> page.Table:
    """Tables 2 and 3 of Hou & Zhou (2020): each trial's n_c and their mean, the smallest mean of a method marked."""
    numbers = tables.clusters_to_reach(rows, accuracy)
    means = numbers.mean(axis=1)
    smallest = means == means.groupby(level="method").transform("min")
    texts = []
    for (method, cell), trials in numbers.iterrows():
        mean = str(tables.Interval.of(trials.tolist()))
        marked = f"{mean} (smallest)" if smallest[method, cell] else mean
        texts.append((str(method), str(cell), *(str(int(number)) for number in trials), marked))
    return page.Table(
        caption=f"The number of clusters at which the automaton first reaches accuracy {accuracy} on the test set, for "
        f"each trial, and the mean with its 95 % interval; {tables.NOT_REACHED} means that no k of the grid does.",
        headings=("method", "cell", *(f"trial {trial}" for trial in numbers.columns), "mean"),
        rows=tuple(texts),
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return "–" if value is None else str(value)


def _short_grids(rows: pd.DataFrame) -> list[str]:
    """A note for each network whose grid of k ended before that of others, for want of distinct hidden states."""
    last = rows.groupby(["cell", "trial"], sort=False)["k"].max()
    return [
        f"{cell}, trial {trial}: the grid of k ends at {k}, the number of distinct hidden states."
        for (cell, trial), k in last.items()
        if k < last.max()
    ]
