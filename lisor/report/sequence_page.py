"""The page of `lisor explain`: one sequence through one network and its automaton."""

from __future__ import annotations

from collections.abc import Sequence

from lisor.automata.automaton import Automaton
from lisor.explain.steps import Steps
from lisor.report import explain_figures, page, traces
from lisor.report.explain_wording import wording_of


def render(
    about: str,
    name: str,
    cell: str,
    sequence: str,
    steps: Steps,
    automaton: Automaton,
    classes: Sequence[str],
    absent: Sequence[str],
) -> str:
    """The page as HTML: the sequence in colors, attention where there is some, the path, and every
    step.

    `about` names the network, `name` begins the names of files, `sequence` is the input as it was
    given, `absent` has sentences on what does not apply to the network."""
    colored = page.Traces(
        title="Attributions",
        caption=f"The attribution of each symbol for or against the prediction of {cell} "
        f"({wording_of(steps.target).methods[steps.method]}): the largest has the strongest "
        "color. Hold the pointer over a symbol for its number.",
        colors=wording_of(steps.target).colors,
        traces=(page.Trace(title="", lines=traces.lines(cell, steps, classes)),),
    )
    blocks: list[page.Block] = [colored]
    if steps.attention is not None or steps.looks is not None:
        blocks.append(
            page.Picture(
                name=f"{name}-attention",
                title="Attention",
                caption=explain_figures.ATTENTION,
                svg=explain_figures.attention_map({cell: steps}),
                small=True,
            )
        )
    blocks += [
        traces.path_picture(name, steps, automaton),
        traces.steps_table(name, steps, classes),
    ]
    section = page.Section(
        title=sequence,
        introduction=" ".join([traces.verdict(cell, steps, classes), *absent]),
        blocks=tuple(blocks),
    )
    return page.render("Why this answer?", about, [section])
