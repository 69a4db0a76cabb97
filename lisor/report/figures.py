"""Plots as SVG texts: the same numbers give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

ACCURACY, FIDELITY, NETWORK, CHOSEN = "#0072b2", "#d55e00", "#555555", "#009e73"
"""Colors of Okabe & Ito (2008), which color-blind readers can tell apart; line styles differ too."""

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "lisor",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def quality_against_k(results: pd.DataFrame, test_set: str = "test") -> str:
    """Accuracy and fidelity of the automata of one data set against k: a column for each cell, a row for each way.

    A way is a method of clustering with a rule of extraction. Lines are means over trials, bands reach from the worst
    trial to the best; a tick below marks each chosen k."""
    rows = results[results["test_set"] == test_set]
    cells = list(dict.fromkeys(rows["cell"]))
    ways = list(dict.fromkeys(zip(rows["method"], rows["rule"], strict=True)))
    figure, panels = _panels(len(ways), len(cells))
    for line, (method, rule) in zip(panels, ways, strict=True):
        for axes, cell in zip(line, cells, strict=True):
            _draw_quality(axes, rows[(rows["cell"] == cell) & (rows["method"] == method) & (rows["rule"] == rule)])
        line[0].set_ylabel(f"{method}, {rule}")
    for axes, cell in zip(panels[0], cells, strict=True):
        axes.set_title(cell)
    for axes in panels[-1]:
        axes.set_xlabel("k (clusters)")
    return _finish(figure, panels[0][0])


def _draw_quality(axes: Axes, panel: pd.DataFrame) -> None:
    for column, color, style in (("accuracy", ACCURACY, "-"), ("fidelity", FIDELITY, "--")):
        by_k = panel.groupby("k")[column].agg(["mean", "min", "max"])
        axes.fill_between(by_k.index, by_k["min"], by_k["max"], color=color, alpha=0.15, linewidth=0)
        axes.plot(by_k.index, by_k["mean"], color=color, linestyle=style, label=column)
    axes.axhline(panel["rnn_accuracy"].mean(), color=NETWORK, linestyle=":", label="network's accuracy")
    chosen = panel[panel["chosen"]]["k"]
    axes.plot(chosen, [0.015] * len(chosen), "|", color=CHOSEN, markersize=9, markeredgewidth=2,
              transform=axes.get_xaxis_transform(), label="chosen k")  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def training_curves(histories: Mapping[str, Sequence[Mapping[str, Sequence[float]]]]) -> str:
    """Validation accuracy and loss against epochs, a panel for each cell and a line for each trial."""
    figure, (panels,) = _panels(1, len(histories))
    for axes, (cell, trials) in zip(panels, histories.items(), strict=True):
        for number, history in enumerate(trials):
            for curve, color, style in (
                ("validation_accuracy", ACCURACY, "-"),
                ("validation_loss", FIDELITY, "--"),
            ):
                label = curve.replace("_", " ") if number == 0 else None
                epochs = range(1, len(history[curve]) + 1)
                axes.plot(epochs, history[curve], color=color, linestyle=style, linewidth=1, label=label)
        axes.set_title(cell)
        axes.set_xlabel("epoch")
        axes.set_ylim(0, 1.05)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return _finish(figure, panels[0])


def _panels(rows: int, columns: int) -> tuple[Figure, list[list[Axes]]]:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(max(6.4, 2.6 * columns), 0.6 + 2.2 * rows), layout="constrained")
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    return figure, [list(line) for line in grid]


def _finish(figure: Figure, first: Axes) -> str:
    handles, labels = first.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    buffer = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(
            buffer, format="svg", transparent=True, metadata=dict.fromkeys(["Date", "Creator", "Format", "Type"])
        )
    return buffer.getvalue()
