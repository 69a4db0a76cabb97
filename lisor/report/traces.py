"""One sequence in networks and their automata: colored text, a table of its steps, and the path."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lisor.automata import drawing
from lisor.automata.automaton import Automaton
from lisor.explain.removal import REMOVAL
from lisor.explain.steps import Steps
from lisor.registry import TARGETS
from lisor.report.page import Detail, Line, Picture, Table, Word

MAX_DRAWN = 24
"""States up to which an automaton over letters is drawn whole, the path in red; else the path
alone."""

METHODS = {
    "integrated-gradients": "integrated gradients, in units of the logit",
    REMOVAL: "how far its logit falls without the symbol",
}
"""What an attribution by each method is."""


def lines(label: str, steps: Steps, classes: Sequence[str]) -> tuple[Line, ...]:
    """The sequence colored by attribution, and for a network with attention also by that."""
    predicted = f"{classes[steps.explained]} {steps.probability:.2f}"
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
    predicted = f"{classes[steps.explained]} (probability {steps.probability:.2f})"
    automaton = classes[steps.outputs[steps.read]]
    true = "" if steps.label is None else f" Truly it is {classes[steps.label]}."
    if TARGETS[steps.target].predicts_once:
        return f"{label} answers {predicted}, its automaton {automaton}.{true}"
    if steps.automaton_probabilities is not None:
        shares = steps.automaton_probabilities
        automaton = f"gives it the probability {shares[steps.read]:.2f}"
    return f"After step {steps.read} {label} predicts {predicted}, its automaton {automaton}.{true}"


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
    likely, target = classes[steps.explained], TARGETS[steps.target]
    headings = ["step", "symbol", "state", "automaton says"]
    explained = "its prediction at the end"
    if not target.predicts_once:
        headings.append("network says")
        explained = f"its prediction after step {steps.read}"
    if steps.automaton_probabilities is not None:
        headings.append(f"automaton: {likely}")
    headings += [f"network: {likely}", "attribution"]
    caption = (
        "After each symbol: the state of the automaton and its output, the network's probability "
        f"of {likely}, {explained}, and the symbol's attribution to that "
        f"({METHODS[steps.method]}; below 0 it speaks against it)."
    )
    if steps.attention is not None:
        headings.append("attention")
        caption += " Attention is the symbol's weight in the prediction."
    if steps.looks is not None:
        headings.append("looks back most at")
        caption += " Last, the earlier symbol with the most attention there, and its weight."
    return Table(
        name=f"{name}-steps",
        title="Step by step",
        caption=caption,
        headings=tuple(headings),
        rows=tuple(_row(number, steps, classes) for number in range(len(steps.symbols) + 1)),
    )


def _row(number: int, steps: Steps, classes: Sequence[str]) -> tuple[str, ...]:
    """The row of a step; the start is step 0, and what is read later has no attribution."""
    target, symbol = TARGETS[steps.target], ""
    if number:
        symbol = steps.symbols[number - 1]
        symbol = symbol if steps.known[number - 1] else f"{symbol} (unknown)"
    says = [classes[steps.outputs[number]]]
    if not target.predicts_once:
        says.append(classes[steps.predictions[number]])
    if steps.automaton_probabilities is not None:
        says.append(f"{steps.automaton_probabilities[number]:.2f}")
    says.append(f"{steps.probabilities[number]:.2f}")
    if number == 0 and not target.reads_empty:
        says = [""] * len(says)
    row = [str(number), symbol, str(steps.states[number]), *says]
    is_read = 1 <= number <= steps.read
    row.append(signed(steps.attributions[number - 1], 2) if is_read else "")
    if steps.attention is not None:
        row.append(f"{steps.attention[number - 1]:.2f}" if is_read else "")
    if steps.looks is not None:
        row.append(_most_looked(steps, number) if is_read else "")
    return tuple(row)


def path_picture(name: str, steps: Steps, automaton: Automaton) -> Picture:
    """The path of a sequence on the automaton, as far as it is read where a prediction is
    explained: on all of it where it is small, else what the path visits."""
    accepting = ""
    if len(automaton.classes) == 2 and automaton.probabilities is None:
        accepting = f" A double circle answers {automaton.classes[1]}."
    symbols, states = steps.symbols[: steps.read], steps.states[: steps.read + 1]
    is_known = all(symbol in automaton.alphabet for symbol in symbols)
    if len(automaton.alphabet) <= drawing.LETTERS and automaton.n_states <= MAX_DRAWN and is_known:
        dot = drawing.to_dot(automaton, path=symbols)
        caption = f"The path is red and thick.{accepting}"
    else:
        dot = drawing.path_to_dot(automaton, states, symbols)
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
    """The symbols read in the colors of numbers, the largest of them in the strongest."""
    largest = max(map(abs, values), default=0.0) or 1.0
    words = []
    for number, (symbol, value) in enumerate(zip(steps.symbols, values, strict=False)):
        before, after = steps.states[number : number + 2]
        sure = steps.probabilities[number + 1]
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
