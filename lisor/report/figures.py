"""Plots as SVG texts: the same numbers give the same bytes.

Shapes: M hidden states that are shown, T steps, C channels."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lisor.anomalies.detections import NETWORK as NETWORK_DETECTOR
from lisor.automata.drawing import printable
from lisor.evaluation.measures import DISTRIBUTIONS, measures_of
from lisor.report.embedding import Embedding

ACCURACY, FIDELITY, NETWORK, CHOSEN = "#0072b2", "#d55e00", "#555555", "#009e73"
"""Colors of Okabe & Ito (2008), which color-blind readers can distinguish; line styles differ
too."""

CELL_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")

MAX_PANELS = 6
"""Numbers that are drawn one below the other."""

LEGEND_WIDTH = 1.3
"""Inches that an entry of a legend takes."""

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "lisor",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def quality_against_k(results: pd.DataFrame, test_set: str = "test") -> str:
    """How well the automata of one dataset predict, and agree with their network where that has the
    same scale, against k: a column for each cell, a row for each method and rule.

    Lines are means over trials, bands
    reach from the worst trial to the best; a tick below marks each chosen k."""
    rows = results[results["test_set"] == test_set]
    cells = list(dict.fromkeys(rows["cell"]))
    variants = list(dict.fromkeys(zip(rows["method"], rows["rule"], strict=True)))
    figure, panels = grid_of_panels(len(variants), len(cells))
    for line, (method, rule) in zip(panels, variants, strict=True):
        for axes, cell in zip(line, cells, strict=True):
            _draw_quality(
                axes,
                rows[(rows["cell"] == cell) & (rows["method"] == method) & (rows["rule"] == rule)],
            )
        line[0].set_ylabel(f"{method}, {rule}")
    for axes, cell in zip(panels[0], cells, strict=True):
        axes.set_title(cell)
    for axes in panels[-1]:
        axes.set_xlabel("k (clusters)")
    return finish(figure, panels[0][0])


def _draw_quality(axes: Axes, panel: pd.DataFrame) -> None:
    if panel.empty:  # a method or rule that is not possible with this cell
        axes.set_axis_off()
        return
    measures = measures_of(panel["target"].iloc[0])
    measure = measures.automaton_name
    columns = [(measures.automaton, measure, ACCURACY, "-")]
    if measures is not DISTRIBUTIONS:
        columns.append((measures.agreement, measures.agreement_name, FIDELITY, "--"))
    for column, label, color, style in columns:
        by_k = panel.groupby("k")[column].agg(["mean", "min", "max"])
        axes.fill_between(
            by_k.index, by_k["min"], by_k["max"], color=color, alpha=0.15, linewidth=0
        )
        axes.plot(by_k.index, by_k["mean"], color=color, linestyle=style, label=label)
    axes.axhline(
        panel[measures.network].mean(), color=NETWORK, linestyle=":", label=f"network's {measure}"
    )
    chosen = panel[panel["chosen"]]["k"]
    axes.plot(chosen, [0.015] * len(chosen), "|", color=CHOSEN, markersize=9, markeredgewidth=2,
              transform=axes.get_xaxis_transform(), label="chosen k")  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def training_curves(
    histories: Mapping[str, Sequence[Mapping[str, Sequence[float]]]], *, shows_all: bool = False
) -> str:
    """Validation accuracy, or R², and loss against epochs, a panel for each cell and a line for
    each trial; losses above 1, which those of next symbols are, only if it `shows_all`."""
    figure, (panels,) = grid_of_panels(1, len(histories))
    for axes, (cell, trials) in zip(panels, histories.items(), strict=True):
        for number, history in enumerate(trials):
            for curve, color, style in (
                ("validation_accuracy", ACCURACY, "-"),
                ("validation_r2", ACCURACY, "-"),
                ("validation_loss", FIDELITY, "--"),
            ):
                if curve not in history:
                    continue
                label = None
                if number == 0:
                    label = curve.replace("_", " ").replace("r2", "R²")
                epochs = range(1, len(history[curve]) + 1)
                axes.plot(
                    epochs, history[curve], color=color, linestyle=style, linewidth=1, label=label
                )
        axes.set(title=cell, xlabel="epoch", ylim=(0, None if shows_all else 1.05))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return finish(figure, panels[0])


def accuracy_against_states(
    results: pd.DataFrame, test_set: str = "test", measure: str = "accuracy"
) -> str:
    """The best accuracy, or another `measure`, of automata against their number of states, beside
    their network's.

    A panel for each dataset, a color for each cell: means over trials of the best deterministic
    automaton of at most that many states, and dotted the network. The best is taken on the test
    set: this is a picture, not a choice."""
    rows = results[(results["test_set"] == test_set) & results["deterministic"]]
    datasets = list(dict.fromkeys(rows["dataset"]))
    cells = list(dict.fromkeys(rows["cell"]))
    figure, (panels,) = grid_of_panels(1, len(datasets))
    for axes, dataset in zip(panels, datasets, strict=True):
        for cell, color in zip(cells, itertools.cycle(CELL_COLORS)):
            panel = rows[(rows["dataset"] == dataset) & (rows["cell"] == cell)]
            best = (
                panel.groupby(["trial", "n_states"])[measure]
                .max()
                .unstack("trial")
                .ffill()
                .cummax()
                .dropna()
            )
            axes.plot(best.index, best.mean(axis=1), color=color, label=cell)
            axes.axhline(panel[f"rnn_{measure}"].mean(), color=color, linestyle=":", linewidth=1)
        axes.set(title=dataset, xlabel="states of the automaton")
    panels[0].set_ylabel(measure.replace("_", " "))
    panels[0].plot([], [], color=NETWORK, linestyle=":", label="network")
    return finish(figure, panels[0])


def f1_against_states(detections: pd.DataFrame, selected: pd.DataFrame) -> str:
    """F1 of automata as detectors of anomalies against their number of states, a panel for each
    score and a color for each rule; rings around the selected ones, dotted lines for networks."""
    scores = list(dict.fromkeys(detections["score"]))
    automata = detections[detections["n_states"].notna()]
    figure, (panels,) = grid_of_panels(1, len(scores))
    for axes, score in zip(panels, scores, strict=True):
        rows = automata[automata["score"] == score]
        rules = dict.fromkeys(rows["rule"])
        for rule, color in zip(rules, itertools.cycle(CELL_COLORS)):
            of_rule = rows[rows["rule"] == rule]
            axes.plot(of_rule["n_states"].astype(int), of_rule["f1"], ".", color=color, label=rule)
        ringed = selected[(selected["score"] == score) & (selected["test_set"] == "test")]
        axes.plot(ringed["n_states"].astype(int), ringed["f1"], "o", color=CHOSEN, fillstyle="none")
        networks = detections[
            (detections["score"] == score) & (detections["detector"] == NETWORK_DETECTOR)
        ]
        for f1 in networks["f1"]:
            axes.axhline(f1, color=NETWORK, linestyle=":", linewidth=1)
        axes.set(title=score, xlabel="states of the automaton", ylim=(-0.03, 1.03))
    panels[0].set_ylabel("F1")
    panels[0].plot([], [], color=NETWORK, linestyle=":", label="network")
    panels[0].plot([], [], "o", color=CHOSEN, fillstyle="none", label="selected")
    return finish(figure, panels[0])


class ClusteredEmbedding(NamedTuple):
    """The embedding of hidden states of one network, and the cluster of each."""

    title: str
    embedding: Embedding
    clusters: Int[np.ndarray, " M"]


def embedded_hidden_states(embeddings: Sequence[ClusteredEmbedding], classes: Sequence[str]) -> str:
    """Hidden states of several networks: above colored by cluster, below by the class, or the first
    number, that the network predicts."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(6.4, 2.6 * len(embeddings)), 5.2), layout="constrained")
        grid = figure.subplots(2, len(embeddings), squeeze=False)
    colors = mpl.colormaps["tab20"].colors  # type: ignore[attr-defined]
    for (title, embedding, clusters), above, below in zip(embeddings, *grid, strict=True):
        above.set_title(title)
        size = min(max(3000 / max(1, len(clusters)), 4), 36)
        above.scatter(
            *embedding.positions.T,
            s=size,
            linewidths=0,
            c=[colors[cluster % len(colors)] for cluster in clusters],
        )
        is_numeric = embedding.predictions.dtype.kind == "f"
        if is_numeric:
            points = below.scatter(
                *embedding.positions.T, s=size, linewidths=0, c=embedding.predictions
            )
            figure.colorbar(points, ax=below, location="bottom", label=printable(classes[0]))
        for number, name in enumerate([] if is_numeric else classes):
            color = (
                colors[(2 * number + 1) % len(colors)]
                if len(classes) > 2
                else (ACCURACY, FIDELITY)[number]
            )
            below.scatter(
                *embedding.positions[embedding.predictions == number].T,
                s=size,
                linewidths=0,
                color=color,
                label=f" {printable(name)}",
            )
        for axes in (above, below):
            axes.set(xticks=[], yticks=[], box_aspect=1)
    grid[0][0].set_ylabel("by cluster")
    grid[1][0].set_ylabel("by the network's answer")
    return finish(figure, grid[1][0])


def numbers_over_time(curves: Mapping[str, Float[np.ndarray, "L D"]], names: Sequence[str]) -> str:
    """Numbers at L positions in a row, a panel for each of the first of them that are `names`, a
    line for each of the curves."""
    shown = names[:MAX_PANELS]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 0.6 + 1.8 * len(shown)), layout="constrained")
        panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False).ravel()
        styles = zip((NETWORK, ACCURACY, FIDELITY), ("-", "--", "-"), strict=True)
        for (label, numbers), (color, style) in zip(curves.items(), styles, strict=True):
            for axes, column in zip(panels, numbers.T, strict=False):
                axes.plot(column, color=color, linestyle=style, linewidth=1.1, label=label)
        for axes, name in zip(panels, shown, strict=True):
            axes.set_title(printable(name), fontsize=9)
        panels[-1].set_xlabel("position")
    return finish(figure, panels[0])


def symbol_curves(windows: Sequence[Float[np.ndarray, "T C"]], names: Sequence[str]) -> str:
    """A panel for the window of steps that each symbol stands for, in the units of the series.

    Of one channel its steps from left to right; of several a line for each step, the channels from
    left to right."""
    across = min(8, len(windows))
    lines = -(-len(windows) // across)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1.4 * max(across, 3), 0.3 + 1.1 * lines), layout="constrained")
        panels = figure.subplots(lines, across, sharex=True, sharey=True, squeeze=False).ravel()
        for axes, window, name in zip(panels, windows, names, strict=False):
            axes.plot(
                window if window.shape[1] == 1 else window.T,
                color=ACCURACY,
                linewidth=1.2,
                alpha=0.8,
            )
            axes.set_title(name, fontsize=7)
        for axes in panels[len(windows) :]:
            axes.set_axis_off()
    return finish(figure)


def grid_of_panels(
    rows: int, columns: int, *, sharey: Literal["all", "row"] = "all"
) -> tuple[Figure, list[list[Axes]]]:
    """A figure in the style of all, and its panels, row by row."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(6.4, 2.6 * columns), 0.6 + 2.2 * rows), layout="constrained")
        grid = figure.subplots(rows, columns, sharey=sharey, squeeze=False)
    return figure, [list(line) for line in grid]


def finish(figure: Figure, first: Axes | None = None) -> str:
    """The figure as SVG, with the legend of one of its panels below all of them."""
    handles, labels = ([], []) if first is None else first.get_legend_handles_labels()
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        if labels:
            columns = min(len(labels), int(figure.get_figwidth() / LEGEND_WIDTH))
            figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
        unstamped = dict.fromkeys(["Date", "Creator", "Format", "Type"])
        figure.savefig(buffer, format="svg", transparent=True, metadata=unstamped)
    return buffer.getvalue()
