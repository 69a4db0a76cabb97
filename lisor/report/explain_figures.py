"""Plots of explanations: reach, deletion and insertion curves, units, gates and attention."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from lisor.automata.drawing import printable
from lisor.explain.activations import BINS, Activations
from lisor.explain.explanation import SHARES, Explanation
from lisor.explain.steps import Steps
from lisor.registry import TARGETS
from lisor.report.figures import CELL_COLORS, NETWORK, STYLE, finish, grid_of_panels

MIN_GRADIENT = 1e-12
"""What smaller gradients are drawn as, zeros too."""

LINES = ("-", "--", "-.", ":")
"""Styles that distinguish lines without color."""

ATTENTION = (
    "Dark is much. A strip: the weight of each symbol in the prediction. A square: in the row of "
    "each symbol, the attention to each earlier one. The weights of a strip, or of a row, sum to "
    "1."
)
"""How `attention_map` is read."""


def reach(explanations: Mapping[str, Explanation]) -> str:
    """How far back each network looks: |attribution| by steps before the end, median and quartiles
    over sequences; by the first of its methods, gradients where there are some."""
    figure, (row,) = grid_of_panels(1, len(explanations))
    for axes, (cell, explanation) in zip(row, explanations.items(), strict=True):
        first = explanation.methods[0]
        lower, middle, upper = first.reach or ((), (), ())
        back = range(len(middle))
        axes.fill_between(
            back, lower, upper, color=CELL_COLORS[0], alpha=0.2, linewidth=0, label="middle half"
        )
        axes.plot(back, middle, color=CELL_COLORS[0], label="median")
        axes.axhline(1, color=NETWORK, linestyle=":", label="a sequence's mean")
        axes.set(title=f"{cell}: {first.method}", xlabel="steps before the end")
        axes.invert_xaxis()
        axes.set_ylim(bottom=0)
    row[0].set_ylabel("|attribution|, relative")
    return finish(figure, row[0])


def deletion(explanations: Mapping[str, Explanation], left: str, target: str) -> str:
    """The deletion curves (above) and insertion curves (below) of each method and of a random
    order: of `left`, a probability, or where numbers are predicted a distance."""
    factor = -1 if TARGETS[target].is_numeric else 1
    figure, grid = grid_of_panels(2, len(explanations))
    for column, (cell, explanation) in enumerate(explanations.items()):
        for row, curve, random in (
            (0, "deletion", explanation.random_deletion),
            (1, "insertion", explanation.random_insertion),
        ):
            axes = grid[row][column]
            for judged, color, style in zip(
                explanation.methods, CELL_COLORS, itertools.cycle(LINES)
            ):
                axes.plot(
                    SHARES,
                    factor * np.array(getattr(judged, curve)),
                    color=color,
                    linestyle=style,
                    label=judged.method,
                )
            axes.plot(
                SHARES,
                factor * np.array(random),
                color=NETWORK,
                linewidth=2.5,
                alpha=0.6,
                label="random order",
            )
            axes.set_ylim(0, 1.02 if factor == 1 else None)
        grid[0][column].set_title(cell)
        grid[1][column].set_xlabel("share of the symbols")
    grid[0][0].set_ylabel(f"{left}: left out")
    grid[1][0].set_ylabel(f"{left}: kept alone")
    return finish(figure, max(grid[1], key=lambda axes: len(axes.lines)))


def gradients_by_parameter(explanations: Mapping[str, Explanation]) -> str:
    """The quantiles over sequences of the size of each parameter's gradient: a bar for the middle
    half, a line from the 5th to the 95th percent, a dot at the median."""
    counts = [len(explanation.parameters) for explanation in explanations.values()]
    size = (6.4, 0.26 * sum(counts) + 0.75 * len(counts))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        rows = figure.subplots(len(counts), 1, squeeze=False, height_ratios=counts, sharex=True)
    for axes, (cell, explanation) in zip(rows[:, 0], explanations.items(), strict=True):
        parameters = explanation.parameters
        sizes = np.array([parameter.quantiles for parameter in parameters])
        sizes = np.maximum(sizes, MIN_GRADIENT)
        at = range(len(parameters))
        axes.hlines(at, sizes[:, 0], sizes[:, 4], color=CELL_COLORS[0], linewidth=1)
        axes.hlines(at, sizes[:, 1], sizes[:, 3], color=CELL_COLORS[0], linewidth=6, alpha=0.4)
        axes.plot(sizes[:, 2], at, "o", color=CELL_COLORS[0], markersize=4)
        axes.set_yticks(at, labels=[printable(parameter.name) for parameter in parameters])
        axes.set(title=cell, xscale="log", ylim=(len(parameters) - 0.5, -0.5))
        axes.xaxis.set_major_locator(LogLocator(numticks=8))
        axes.xaxis.set_major_formatter("{x:.0e}")
        axes.xaxis.set_minor_locator(NullLocator())
    rows[-1, 0].set_xlabel("gradient, root mean square over the parameter's numbers")
    return finish(figure)


def unit_means(by_cell: Mapping[str, Activations]) -> str:
    """The mean of each unit at each step, a row of panels for each class and a column for each
    cell."""
    classes = next(iter(by_cell.values())).classes
    figure, grid = grid_of_panels(len(classes), len(by_cell))
    bound = max(activations.bound for activations in by_cell.values())
    for column, (cell, activations) in enumerate(by_cell.items()):
        for row, name in enumerate(classes):
            axes = grid[row][column]
            image = axes.imshow(
                activations.unit_means[row].T, cmap="PuOr_r", vmin=-bound, vmax=bound,
                aspect="auto", interpolation="nearest",
            )  # fmt: skip
            if row == 0:
                axes.set_title(cell)
            if column == 0:
                axes.set_ylabel(f"{printable(name)}\nunit")
        grid[-1][column].set_xlabel("step")
    figure.colorbar(image, ax=[axes for row in grid for axes in row], label="mean value")
    return finish(figure)


def unit_values(by_cell: Mapping[str, Activations]) -> str:
    """The histogram of each unit over all steps: a row of panels for each class and a column
    for each cell."""
    classes = next(iter(by_cell.values())).classes
    figure, grid = grid_of_panels(len(classes), len(by_cell))
    for column, (cell, activations) in enumerate(by_cell.items()):
        for row, name in enumerate(classes):
            axes, counts = grid[row][column], activations.units[row]
            shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
            image = axes.imshow(
                shares, cmap="Greys", vmin=0, vmax=0.5, aspect="auto", interpolation="nearest",
                extent=(-activations.bound, activations.bound, len(shares) - 0.5, -0.5),
            )  # fmt: skip
            if row == 0:
                axes.set_title(cell)
            if column == 0:
                axes.set_ylabel(f"{printable(name)}\nunit")
        grid[-1][column].set_xlabel("value")
    figure.colorbar(image, ax=[axes for row in grid for axes in row], label="share of steps")
    return finish(figure)


def gates(by_cell: Mapping[str, Activations]) -> str:
    """The histogram of each gate over all units and steps (above), and its mean at each step
    (below), by class."""
    columns = [
        (cell, activations, gate)
        for cell, activations in by_cell.items()
        for gate in range(len(activations.gates))
    ]
    classes = next(iter(by_cell.values())).classes
    figure, grid = grid_of_panels(2, len(columns), sharey="row")
    middles = (np.arange(BINS) + 0.5) / BINS
    for column, (cell, activations, gate) in enumerate(columns):
        for number, name in enumerate(classes):
            color, style = CELL_COLORS[number % len(CELL_COLORS)], LINES[number % len(LINES)]
            counts = activations.gate_values[gate, number]
            label = f" {printable(name)}"
            grid[0][column].plot(
                middles, counts / max(1, counts.sum()), color=color, linestyle=style, label=label
            )
            means = activations.gate_means[gate, number]
            grid[1][column].plot(
                range(1, len(means) + 1), means, color=color, linestyle=style, label=label
            )
        grid[0][column].set(title=f"{cell}: {activations.gates[gate]}", xlabel="value, 0 is closed")
        grid[1][column].set(xlabel="step", ylim=(0, 1))
    grid[0][0].set_ylabel("share of steps")
    grid[1][0].set_ylabel("mean")
    return finish(figure, grid[0][0])


def attention_map(traces: Mapping[str, Steps]) -> str:
    """The attention of networks in one sequence: a strip of its symbols for attention over all
    states, and for attention in the recurrence a square, row t being where step t looks back."""
    strips = {cell: steps for cell, steps in traces.items() if steps.attention is not None}
    squares = {cell: steps for cell, steps in traces.items() if steps.looks is not None}
    first = next(iter(traces.values()))
    symbols = [printable(symbol) for symbol in first.symbols[: first.read]]
    heights = [0.35] * len(strips) + [0.16 * max(6, len(symbols))] * len(squares)
    with mpl.rc_context(STYLE):
        size = (max(3.6, 0.2 * len(symbols) + 0.8), sum(heights) + 0.9 * len(heights) + 0.3)
        figure = Figure(figsize=size, layout="constrained")
        rows = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (cell, steps) in zip(rows, [*strips.items(), *squares.items()], strict=True):
        weights = np.array([steps.attention] if steps.looks is None else steps.looks)
        axes.imshow(weights, cmap="Greens", vmin=0, aspect="auto", interpolation="nearest")
        axes.set_title(cell)
        if steps.looks is not None:
            axes.set(ylabel="as it reads", xlabel="it looks back at")
        axes.set_yticks(
            [] if steps.looks is None else range(len(symbols)),
            labels=[] if steps.looks is None else symbols,
            fontsize=6,
        )
        axes.set_xticks(range(len(symbols)), labels=symbols, rotation=90, fontsize=7)
    return finish(figure)
