"""One sequence in networks and their automata: colored text, a table of its steps, and the path."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lisor.automata import drawing
from lisor.automata.automaton import Automaton
from lisor.explain.steps import Steps
from lisor.registry import TARGETS
from lisor.report.explain_wording import wording_of
from lisor.report.page import Detail, Line, Picture, Table, Word

MAX_DRAWN = 24
"""States up to which an automaton over letters is drawn whole, the path in red; else the path
alone."""

MINUS = "\N{MINUS SIGN}"


def lines(label: str, steps: Steps, classes: Sequence[str]) -> tuple[Line, ...]:
    """The sequence colored by attribution, and for a network with attention also by that."""
    predicted = f"{classes[steps.explained]} {shown(steps.value, steps)}"
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
    name, target = classes[steps.explained], TARGETS[steps.target]
    by_automaton = steps.automaton_values[steps.read] if steps.automaton_values else None
    after = "" if target.predicts_once else f"after step {steps.read} "
    if target.is_numeric:
        true = "" if steps.label is None else f" Truly it is {shown(steps.label, steps)}."
        by_network = _capital(f"{after}{label} predicts {name} = {shown(steps.value, steps)}")
        return f"{by_network}, its automaton {shown(by_automaton, steps)}.{true}"
    predicted = f"{name} (probability {steps.value:.2f})"
    if steps.predictions[steps.read] != steps.explained:
        likely = classes[steps.predictions[steps.read]]
        predicted = f"{likely}, and gives {name} the probability {steps.value:.2f}"
    automaton = classes[steps.outputs[steps.read]]
    true = "" if steps.label is None else f" Truly it is {classes[int(steps.label)]}."
    if target.predicts_once:
        return f"{label} answers {predicted}, its automaton {automaton}.{true}"
    if by_automaton is not None:
        automaton = f"gives it the probability {by_automaton:.2f}"
    return f"{_capital(f'{after}{label}')} predicts {predicted}, its automaton {automaton}.{true}"


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
    network's probability or number, the attribution."""
    name_explained, target = classes[steps.explained], TARGETS[steps.target]
    words = wording_of(steps.target)
    headings = ["step", "symbol", "state"]
    if not target.is_numeric:
        headings.append("automaton says")
        if not target.predicts_once:
            headings.append("network says")
    if steps.automaton_values is not None:
        headings.append(f"automaton: {name_explained}")
    headings += [f"network: {name_explained}", "attribution"]
    where = "at the end" if target.predicts_once else f"after step {steps.read}"
    caption = (
        "After each symbol: the state of the automaton and its output, "
        f"{words.given} {name_explained}, and the symbol's attribution to that {where} "
        f"({words.methods[steps.method]}; {words.unlike})."
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
    says = []
    if not target.is_numeric:
        says.append(classes[steps.outputs[number]])
        if not target.predicts_once:
            says.append(classes[steps.predictions[number]])
    if steps.automaton_values is not None:
        says.append(shown(steps.automaton_values[number], steps))
    says.append(shown(steps.network_values[number], steps))
    if number == 0 and not target.reads_empty:
        says = [""] * len(says)
    row = [str(number), symbol, str(steps.states[number]), *says]
    is_read = 1 <= number <= steps.read
    row.append(_attribution(steps.attributions[number - 1], steps) if is_read else "")
    if steps.attention is not None:
        row.append(f"{steps.attention[number - 1]:.2f}" if is_read else "")
    if steps.looks is not None:
        row.append(_most_looked(steps, number) if is_read else "")
    return tuple(row)


def path_picture(name: str, steps: Steps, automaton: Automaton) -> Picture:
    """The path of a sequence on the automaton, as far as it is read where a prediction is
    explained: on all of it where it is small, else what the path visits."""
    accepting = ""
    if len(automaton.classes) == 2 and TARGETS[automaton.target].names_classes:
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
        given = f"{classes[steps.explained]} {shown(steps.network_values[number + 1], steps)}"
        size = signed(value, 2) if looks else _attribution(value, steps)
        hint = f"{size}; state {before} → {after}; {given} after it"
        words.append(Word(text=symbol, level=round(3 * value / largest), hint=hint))
    return Line(label=label, words=tuple(words), looks=looks)


def shown(value: float | None, steps: Steps) -> str:
    """A probability with two decimals, a number with four digits; nothing where there is none."""
    if value is None:
        return ""
    text = f"{value:.4g}" if TARGETS[steps.target].is_numeric else f"{value:.2f}"
    return text.replace("-", MINUS) if "e" not in text else text


def _attribution(value: float, steps: Steps) -> str:
    """An attribution with + or −: two decimals of a logit, three digits of a number."""
    if not TARGETS[steps.target].is_numeric or math.isnan(value):
        return signed(value, 2)
    return f"{value:+.3g}".replace("-", MINUS) if value else "0"


def _capital(text: str) -> str:
    """The text as a sentence begins, unless it begins with a name."""
    return f"{text[0].upper()}{text[1:]}" if text.startswith("after ") else text


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
    return "–" if math.isnan(value) else f"{value:+z.{digits}f}".replace("-", MINUS)
