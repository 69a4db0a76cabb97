"""One sequence in networks and their automata: colored text, a table of its steps, and the path."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lisor.automata import drawing
from lisor.automata.automaton import Automaton
from lisor.explain.steps import Steps
from lisor.report.page import Detail, Line, Picture, Table, Word

MAX_DRAWN = 24
"""States up to which an automaton over letters is drawn whole, the path in red; else the path
alone."""


def lines(label: str, steps: Steps, classes: Sequence[str]) -> tuple[Line, ...]:
    """The sequence colored by attribution, and for a network with attention also by that."""
    predicted = f"{classes[steps.explained]} {steps.probabilities[-1][steps.explained]:.2f}"
    colored = [_line(f"{label}: {predicted}", steps, steps.attributions, classes)]
    if steps.attention is not None:
        colored.append(_line(f"{label}: attention", steps, steps.attention, classes, looks=True))
    if steps.looks is not None:
        colored.append(
            _line(f"{label}: looked back at", steps, _looked_at(steps.looks), classes, looks=True)
        )
    return tuple(colored)


def verdict(label: str, steps: Steps, classes: Sequence[str]) -> str:
    """The predictions of the network and of its automaton, as a sentence."""
    sure, automaton = steps.probabilities[-1][steps.explained], classes[steps.outputs[-1]]
    return (
        f"{label} answers {classes[steps.explained]} (probability {sure:.2f}), its automaton "
        f"{automaton}."
    )


def detail(
    name: str, label: str, steps: Steps, automaton: Automaton, classes: Sequence[str]
) -> Detail:
    """The steps of a sequence as a table, and its path on the automaton."""
    return Detail(
        title=label,
        blocks=(steps_table(name, steps, classes), path_picture(name, steps, automaton)),
    )


def steps_table(name: str, steps: Steps, classes: Sequence[str]) -> Table:
    """The steps of a sequence, a row for each symbol: the automaton's state and output, the
    network's probability, the attribution."""
    likely, column = classes[steps.explained], steps.explained
    headings = ["step", "symbol", "state", "automaton says", f"network: {likely}", "attribution"]
    caption = (
        "After each symbol: the state of the automaton and its output, the network's probability "
        f"of {likely}, its prediction at the end, and the symbol's attribution to that "
        "(integrated gradients, in units of the logit; below 0 it speaks against it)."
    )
    if steps.attention is not None:
        headings.append("attention")
        caption += " Attention is the symbol's weight in the prediction."
    if steps.looks is not None:
        headings.append("looks back most at")
        caption += " Last, the earlier symbol with the most attention there, and its weight."
    rows = [
        [
            "0",
            "",
            str(steps.states[0]),
            classes[steps.outputs[0]],
            f"{steps.probabilities[0][column]:.2f}",
            "",
        ]
    ]
    rows[0] += [""] * (len(headings) - len(rows[0]))
    for number, symbol in enumerate(steps.symbols, 1):
        row = [
            str(number),
            symbol if steps.known[number - 1] else f"{symbol} (unknown)",
            str(steps.states[number]),
            classes[steps.outputs[number]],
            f"{steps.probabilities[number][column]:.2f}",
            signed(steps.attributions[number - 1], 2),
        ]
        row += [f"{steps.attention[number - 1]:.2f}"] if steps.attention is not None else []
        row += [_most_looked(steps, number)] if steps.looks is not None else []
        rows.append(row)
    return Table(
        name=f"{name}-steps",
        title="Step by step",
        caption=caption,
        headings=tuple(headings),
        rows=tuple(map(tuple, rows)),
    )


def path_picture(name: str, steps: Steps, automaton: Automaton) -> Picture:
    """The path of a sequence on the automaton: on all of it where it is small, else what the path
    visits."""
    accepting = (
        f" A double circle answers {automaton.classes[1]}." if len(automaton.classes) == 2 else ""
    )
    if len(automaton.alphabet) <= drawing.LETTERS and automaton.n_states <= MAX_DRAWN:
        dot = drawing.to_dot(automaton, path=steps.symbols)
        caption = f"The path is red and thick.{accepting}"
    else:
        dot = drawing.path_to_dot(automaton, steps.states, steps.symbols)
        caption = (
            "The states that the sequence visits; edges bear the numbers of its steps. It ends in "
            f"the red state.{accepting}"
        )
    return Picture(
        name=f"{name}-path",
        title="The path on the automaton",
        caption=caption,
        svg=drawing.render(dot),
        small=True,
    )


def _line(
    label: str,
    steps: Steps,
    values: Sequence[float],
    classes: Sequence[str],
    *,
    looks: bool = False,
) -> Line:
    """Symbols in the colors of numbers, the largest of them in the strongest."""
    largest = max(map(abs, values), default=0.0) or 1.0
    words = []
    for number, (symbol, value) in enumerate(zip(steps.symbols, values, strict=True)):
        before, after = steps.states[number : number + 2]
        sure = steps.probabilities[number + 1][steps.explained]
        hint = (
            f"{signed(value, 2)}; state {before} → {after}; {classes[steps.explained]} {sure:.2f} "
            "after it"
        )
        words.append(Word(text=symbol, level=round(3 * value / largest), hint=hint))
    return Line(label=label, words=tuple(words), looks=looks)


def _most_looked(steps: Steps, number: int) -> str:
    """The earlier symbol that a step looks at most, and its share; nothing for the first step."""
    row = steps.looks[number - 1][: number - 1] if steps.looks is not None else ()
    most = max(range(len(row)), key=row.__getitem__, default=None)
    return "" if most is None else f"{steps.symbols[most]} (step {most + 1}): {row[most]:.2f}"


def _looked_at(looks: Sequence[Sequence[float]]) -> list[float]:
    """The mean attention of later steps to each symbol: 1 is as much as to any other."""
    steps = len(looks)
    # Step t has t earlier ones to look at.
    evenly = np.array(looks) * np.arange(steps)[:, None]
    return list(evenly.sum(axis=0) / np.maximum(1, steps - 1 - np.arange(steps)))


def signed(value: float, digits: int) -> str:
    """A number with + or a real minus, neither before zero; a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:+z.{digits}f}".replace("-", "\N{MINUS SIGN}")
