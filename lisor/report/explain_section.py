"""The sections of the report that explain predictions and hidden units."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from lisor.automata.automaton import Automaton
from lisor.data.dataset import Dataset
from lisor.explain.associations import DRAWS, LEVEL
from lisor.explain.explanation import Explanation, Shown
from lisor.explain.parameters import MAX_DRAWN
from lisor.explain.units import ALIKE, Unit
from lisor.registry import TARGETS
from lisor.report import explain_figures, traces
from lisor.report.explain_wording import Wording, wording_of
from lisor.report.findings import Explained, Findings
from lisor.report.page import Block, Detail, Gallery, Line, Picture, Section, Table, Trace, Traces

MAX_STATES_NAMED = 12
"""Automaton states whose correlation with each unit is listed, the most frequent first."""


def explain_sections(
    dataset: Dataset, networks: Sequence[Findings], selected: Callable[[Findings], Automaton]
) -> Iterator[Section]:
    """The section that explains the networks of one dataset, if any is explained. `selected` gives
    the selected automaton of a network."""
    explained = {
        network.cell: network.explained for network in networks if network.explained is not None
    }
    if not explained:
        return
    name, title = networks[0].name, networks[0].dataset
    automata = {
        network.cell: selected(network) for network in networks if network.explained is not None
    }
    explanations = {cell: each.explanation for cell, each in explained.items()}
    words = wording_of(dataset.target)
    blocks: list[Block] = [
        _examples(name, dataset, explained, automata),
        *_attention(name, explained),
        *_absent(name, explained),
        _methods(name, explained, words),
        Picture(
            name=f"{name}-deletion",
            title="Leaving symbols out",
            caption=words.deletion,
            svg=explain_figures.deletion(explanations, words.left, dataset.target),
        ),
        Picture(
            name=f"{name}-reach",
            title="How far back the networks look",
            caption="The size of the attribution of the symbol so many steps before the end, "
            "as a multiple of the mean over the sequence: a network that forgets is high at the "
            "right and low at the left. Saliency is the gradient of the prediction by the symbol.",
            svg=explain_figures.reach(explanations),
        ),
        *_parameters(name, explanations),
        *_activations(name, explained, words),
        *(_units(name, cell, each.explanation.units, words) for cell, each in explained.items()),
    ]
    yield Section(
        title=f"{title}: why this answer?",
        introduction="The first network of each cell: its predictions for single sequences, "
        "attributions, how far back it looks, and what its hidden units do.",
        blocks=tuple(blocks),
    )


def _absent(name: str, explained: dict[str, Explained]) -> Iterator[Table]:
    """What does not apply to the networks, in a table, if there is any."""
    rows = [
        (cell, *reason.split(": ", 1))
        for cell, each in explained.items()
        for reason in each.explanation.absent
    ]
    if rows:
        yield Table(
            name=f"{name}-absent",
            title="What does not apply",
            caption="Analyses that are not below, and why.",
            headings=("cell", "analysis", "reason"),
            rows=tuple(rows),
        )


def _parameters(name: str, explanations: dict[str, Explanation]) -> Iterator[Picture | Table]:
    """The gradients of the loss by parameter, of networks that have gradients."""
    known = {cell: each for cell, each in explanations.items() if each.parameters}
    if not known:
        return
    yield Picture(
        name=f"{name}-parameter-gradients",
        title="Gradients by parameter",
        caption=f"The size of the gradient of the loss by each parameter, over {MAX_DRAWN} or "
        "fewer drawn sequences of validation: a dot is the median, a bar the middle half, a line "
        "reaches from the 5th to the 95th percent. Where sizes lie far to the left, gradients "
        "vanish; where lines are long, a few sequences decide.",
        svg=explain_figures.gradients_by_parameter(known),
    )
    yield Table(
        name=f"{name}-parameter-gradients",
        title="Gradients by parameter, in numbers",
        caption="The root mean square of the gradient over a parameter's numbers: quantiles over "
        "sequences. Unmoved is the share of its numbers whose gradient is 0 in all of them.",
        headings=(
            "cell",
            "parameter",
            "numbers",
            "5 %",
            "25 %",
            "median",
            "75 %",
            "95 %",
            "unmoved",
        ),
        rows=tuple(
            (
                cell,
                parameter.name,
                f"{parameter.count:,}",
                *(f"{size:.2g}" for size in parameter.quantiles),
                f"{parameter.unmoved:.1%}",
            )
            for cell, each in known.items()
            for parameter in each.parameters
        ),
    )  # fmt: skip


def _examples(
    name: str, dataset: Dataset, explained: dict[str, Explained], automata: dict[str, Automaton]
) -> Traces:
    """The examples, each with every network."""
    first = next(iter(explained.values())).explanation.examples
    shown, once = [], TARGETS[dataset.target].predicts_once
    for index, example in enumerate(first):
        true = _true(example, dataset)
        where = "" if once else f" after step {example.steps.read}"
        lines: list[Line] = []
        details: list[Detail] = []
        for cell, each in explained.items():
            steps = each.explanation.examples[index].steps
            stem = f"{name}-{cell}-0-example-{index + 1}"
            lines += traces.lines(cell, steps, dataset.classes)
            details.append(traces.detail(stem, cell, steps, automata[cell], dataset.classes))
        shown.append(
            Trace(
                title=f"{index + 1}. {example.kind}{where}: truly {true}",
                lines=tuple(lines),
                details=tuple(details),
            )
        )
    words = wording_of(dataset.target)
    kinds = "predictions" if not once else "texts" if dataset.is_text else "sequences"
    caveat = ""
    if TARGETS[dataset.target].is_distribution:
        caveat = (
            " Wrong says that another symbol came than the most likely one, which the best network "
            "cannot always foresee."
        )
    return Traces(
        title="Single sequences",
        caption=f"Test {kinds} chosen {words.chosen}. Each cell with {words.shown}. "
        f"Colors are attributions to that prediction ({_methods_of(first)}), or attention; the "
        "largest number of a line has the strongest color. Hold the pointer over a symbol for its "
        f"number and the automaton's states.{caveat}",
        colors=words.colors,
        traces=tuple(shown),
    )


def _true(example: Shown, dataset: Dataset) -> str:
    """What is true of an example: its class, or the number."""
    label = example.steps.label
    if label is None:
        return "unknown"
    if TARGETS[dataset.target].is_numeric:
        return traces.shown(label, example.steps)
    return dataset.classes[int(label)]


def _methods_of(examples: Sequence[Shown]) -> str:
    """By which methods examples are explained."""
    return " and ".join(
        dict.fromkeys(wording_of(each.steps.target).methods[each.steps.method] for each in examples)
    )


def _attention(name: str, explained: dict[str, Explained]) -> Iterator[Gallery]:
    pictures = []
    for index, example in enumerate(next(iter(explained.values())).explanation.examples):
        steps_of = {
            cell: each.explanation.examples[index].steps for cell, each in explained.items()
        }
        looking = {
            cell: steps
            for cell, steps in steps_of.items()
            if steps.attention is not None or steps.looks is not None
        }
        if looking:
            pictures.append(
                Picture(
                    name=f"{name}-attention-{index + 1}",
                    title=f"{index + 1}. {example.kind}",
                    caption=explain_figures.ATTENTION,
                    svg=explain_figures.attention_map(looking),
                )
            )
    if pictures:
        yield Gallery(
            title="Attention",
            caption="The attention weights of the sequences above. Attention is not attribution: "
            "the next table compares both.",
            pictures=tuple(pictures),
        )


def _methods(name: str, explained: dict[str, Explained], words: Wording) -> Table:
    rows = []
    for cell, each in explained.items():
        for judged in each.explanation.methods:
            agreed = judged.agreement
            rows.append(
                (
                    cell,
                    judged.method,
                    _with_width(judged.gain, judged.gain_width, 3),
                    "yes" if judged.finds else "no",
                    traces.signed(agreed.correlation, 2),
                    _with_width(agreed.shuffled, 2 * agreed.deviation, 2),
                    "–" if judged.close is None else f"{judged.close:.1%}",
                    f"{judged.sequences:,}",
                )
            )
    return Table(
        name=f"{name}-attribution-methods",
        title="How good are the attributions?",
        caption=f"Symbols are left out, {words.judged} "
        "(mean over test sequences, 95 % interval). A method that does not beat a random order "
        "explains nothing. Then the rank correlation of |attribution| with the steps at which the "
        "selected automaton changes its state, beside that of shuffled attributions (two standard "
        "deviations), and of integrated gradients the share of sequences whose attributions add "
        f"up to the network's {words.complete} within 1 %.",
        headings=(
            "cell",
            "method",
            "gain over random",
            "beats random",
            "agrees with automaton",
            "shuffled",
            "adds up",
            "sequences",
        ),
        rows=tuple(rows),
    )


def _with_width(value: float, width: float, digits: int) -> str:
    """A number with half the width of its interval, where it has one."""
    shown = traces.signed(value, digits)
    return shown if math.isnan(width) else f"{shown} ± {width:.{digits}f}"


def _activations(
    name: str, explained: dict[str, Explained], words: Wording
) -> Iterator[Picture | Table]:
    by_cell = {cell: each.activations for cell, each in explained.items()}
    yield Picture(
        name=f"{name}-unit-means",
        title="Hidden units over the steps",
        caption=f"The mean of each hidden unit after so many symbols, by {words.by_class}: where "
        "they differ, a unit distinguishes them.",
        svg=explain_figures.unit_means(by_cell),
    )
    yield Picture(
        name=f"{name}-unit-values",
        title="Where hidden units stand",
        caption="How often each hidden unit has which value, over all steps of validation: dark "
        "at the edges is a unit that works like a switch.",
        svg=explain_figures.unit_values(by_cell),
    )
    gated = {cell: each for cell, each in by_cell.items() if each.gates}
    if not gated:
        return
    yield Picture(
        name=f"{name}-gates",
        title="Gates",
        caption="Where gates stand, over all units and steps, and their mean at each step, by "
        f"{words.by_class}. An update gate of 1 keeps the state of a gru but renews that of a "
        "mingru; a forget gate of 1 keeps the cell of an lstm or sru but renews the state of an "
        "mgu.",
        svg=explain_figures.gates(gated),
    )
    yield Table(
        name=f"{name}-saturation",
        title="Saturated gates",
        caption="The share of steps and units at which a gate is nearly closed (below 0.1) or "
        "nearly open (above 0.9), and the number of units whose gate is so at more than half of "
        "the steps.",
        headings=("cell", "gate", "closed", "open", "units mostly closed", "units mostly open"),
        rows=tuple(
            (
                cell,
                gate,
                f"{each.closed[number].mean():.1%}",
                f"{each.open[number].mean():.1%}",
                str(int((each.closed[number] > 0.5).sum())),
                str(int((each.open[number] > 0.5).sum())),
            )
            for cell, each in gated.items()
            for number, gate in enumerate(each.gates)
        ),
    )


def _units(name: str, cell: str, units: Sequence[Unit], words: Wording) -> Table:
    units = sorted(units, key=lambda unit: -unit.moves)
    noted = any(unit.note is not None for unit in units)
    return Table(
        name=f"{name}-{cell}-units",
        title=f"The hidden units of {cell}",
        caption="Those that move most from step to step first. A sentence says only what a "
        f"permutation test supports ({DRAWS} arrangements, p < {LEVEL:.3f} after correction for "
        "all units and symbols together); a unit without one has none. r is the correlation of "
        f"its last value with {words.highest}, alone {words.alone}. Units of one group "
        f"correlate, on the average by {ALIKE} or more. The contexts are those of its highest and "
        "lowest values in validation, "
        "the symbol just read last.",
        headings=(
            "unit", "group", "moves", "what it does", "r", "alone", "highest", "lowest", "states",
            *(("note", "the evidence on it") if noted else ()),
        ),
        rows=tuple(
            (
                str(unit.number),
                str(unit.group),
                f"{unit.moves:.3f}",
                unit.sentence or "–",
                _class_correlation(unit),
                words.write_alone(unit.alone),
                " | ".join(unit.highest),
                " | ".join(unit.lowest),
                _state_correlations(unit),
                *((unit.note or "", unit.verdict or "") if noted else ()),
            )
            for unit in units
        ),
    )  # fmt: skip


def _class_correlation(unit: Unit) -> str:
    high = [
        association
        for association in unit.associations
        if association.kind == "class" and association.correlation > 0
    ]
    return f"{high[0].correlation:.2f} ({high[0].name})" if high else "–"


def _state_correlations(unit: Unit) -> str:
    """The supported correlations with states of the automaton, the strongest first."""
    states = sorted(
        (association for association in unit.associations if association.kind == "state"),
        key=lambda association: -abs(association.correlation),
    )
    return (
        ", ".join(
            f"{association.name}: {traces.signed(association.correlation, 2)}"
            for association in states[:MAX_STATES_NAMED]
        )
        or "–"
    )
