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
    """Accuracy and fidelity of the automata of one data set against k, a panel for each cell.

    Lines are means over trials, bands reach from the worst trial to the best; a tick below marks each chosen k."""
    rows = results[results["test_set"] == test_set]
    cells = list(dict.fromkeys(rows["cell"]))
    figure, panels = _panels(len(cells))
    for axes, cell in zip(panels, cells, strict=True):
        panel = rows[rows["cell"] == cell]
        for column, color, style in (("accuracy", ACCURACY, "-"), ("fidelity", FIDELITY, "--")):
            by_k = panel.groupby("k")[column].agg(["mean", "min", "max"])
            axes.fill_between(by_k.index, by_k["min"], by_k["max"], color=color, alpha=0.15, linewidth=0)
            axes.plot(by_k.index, by_k["mean"], color=color, linestyle=style, label=column)
        axes.axhline(panel["rnn_accuracy"].mean(), color=NETWORK, linestyle=":", label="network's accuracy")
        chosen = panel[panel["chosen"]]["k"]
        axes.plot(chosen, [0.015] * len(chosen), "|", color=CHOSEN, markersize=9, markeredgewidth=2,
                  transform=axes.get_xaxis_transform(), label="chosen k")  # fmt: skip
        axes.set_title(cell)
        axes.set_xlabel("k (clusters)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].set_ylabel(f"share of the {test_set} set")
    return _finish(figure, panels[0])


def training_curves(histories: Mapping[str, Sequence[Mapping[str, Sequence[float]]]]) -> str:
    """Validation accuracy and loss against epochs, a panel for each cell and a line for each trial."""
    figure, panels = _panels(len(histories))
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


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(max(6.4, 2.6 * count), 2.8), layout="constrained")
        grid = figure.subplots(1, count, sharey=True, squeeze=False)
    return figure, list(grid[0])


def _finish(figure: Figure, first: Axes) -> str:
    handles, labels = first.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    buffer = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(
            buffer, format="svg", transparent=True, metadata=dict.fromkeys(["Date", "Creator", "Format", "Type"])
        )
    return buffer.getvalue()
