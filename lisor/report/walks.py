"""One sequence on its way through networks and their automata: colored text, a table of its steps, and the path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lisor.explain.steps import Steps
from lisor.fsa.automaton import Automaton
from lisor.report import drawing
from lisor.report.page import Detail, Line, Picture, Table, Word

MOST_DRAWN = 24
"""States up to which an automaton over letters is drawn whole, the path in red; else the path alone."""


def lines(label: str, steps: Steps, classes: Sequence[str]) -> tuple[Line, ...]:
    """The sequence colored by attribution, and for a network with attention also by that."""
    answer = f"{label}: {classes[steps.explained]} {steps.probabilities[-1][steps.explained]:.2f}"
    colored = [_line(answer, steps, steps.attributions, classes)]
    if steps.attention is not None:
        colored.append(_line(f"{label}: attention", steps, steps.attention, classes, looks=True))
    if steps.looks is not None:
        colored.append(_line(f"{label}: looked back at", steps, _looked_at(steps.looks), classes, looks=True))
    return tuple(colored)


def detail(name: str, label: str, steps: Steps, automaton: Automaton, classes: Sequence[str]) -> Detail:
    """The steps of a sequence as a table, and its path on the automaton."""
    return Detail(title=label, blocks=(steps_table(name, steps, classes), path_picture(name, steps, automaton)))


def steps_table(name: str, steps: Steps, classes: Sequence[str]) -> Table:
    """The steps of a sequence, a row for each symbol: the automaton's state, the network's mind, what counted."""
    likely = classes[1] if len(classes) == 2 else classes[steps.explained]
    column = classes.index(likely)
    headings = ["step", "symbol", "state", "automaton says", f"network: {likely}", "attribution"]
    headings += ["attention"] if steps.attention is not None else []
    rows = [["0", "", str(steps.states[0]), classes[steps.outputs[0]], f"{steps.probabilities[0][column]:.2f}", ""]]
    rows[0] += [""] * (len(headings) - len(rows[0]))
    for number, symbol in enumerate(steps.symbols, 1):
        row = [
            str(number),
            symbol if steps.known[number - 1] else f"{symbol} (unknown)",
            str(steps.states[number]),
            classes[steps.outputs[number]],
            f"{steps.probabilities[number][column]:.2f}",
            f"{steps.attributions[number - 1]:+.2f}",
        ]
        rows.append(row + ([f"{steps.attention[number - 1]:.2f}"] if steps.attention is not None else []))
    return Table(
        name=f"{name}-steps",
        title="Step by step",
        caption="After each symbol: the state of the automaton and its answer there, the probability that the network "
        f"gives {likely}, and how much the symbol counts for the network's answer, {classes[steps.explained]}, at the "
        "end (integrated gradients).",
        headings=tuple(headings),
        rows=tuple(map(tuple, rows)),
    )


def path_picture(name: str, steps: Steps, automaton: Automaton) -> Picture:
    """The path of a sequence on the automaton: on all of it where it is small, else what the path visits."""
    whole = len(automaton.alphabet) <= drawing.LETTERS and automaton.n_states <= MOST_DRAWN
    if whole:
        dot, caption = drawing.to_dot(automaton, path=steps.symbols), "The path is red."
    else:
        dot = drawing.walk_to_dot(automaton, steps.states, steps.symbols)
        caption = "The states that the sequence visits; edges bear the numbers of its steps. It ends in the red state."
    return Picture(name=f"{name}-path", title="The path on the automaton", caption=caption, svg=drawing.render(dot))


def _line(label: str, steps: Steps, values: Sequence[float], classes: Sequence[str], *, looks: bool = False) -> Line:
    """Symbols in the colors of numbers, the largest of them in the strongest."""
    largest = max(map(abs, values), default=0.0) or 1.0
    words = []
    for number, (symbol, value) in enumerate(zip(steps.symbols, values, strict=True)):
        before, after = steps.states[number : number + 2]
        sure = steps.probabilities[number + 1][steps.explained]
        hint = f"{value:+.2f}; state {before} → {after}; {classes[steps.explained]} {sure:.2f} after it"
        words.append(Word(text=symbol, level=round(3 * value / largest), hint=hint))
    return Line(label=label, words=tuple(words), looks=looks)


def _looked_at(looks: Sequence[Sequence[float]]) -> list[float]:
    """How much later steps look at each symbol, on the average: 1 is as much as at any other."""
    steps = len(looks)
    evenly = np.array(looks) * np.arange(steps)[:, None]  # the step of number t has t earlier ones to look at
    means: list[float] = (evenly.sum(axis=0) / np.maximum(1, steps - 1 - np.arange(steps))).tolist()
    return means
