"""The page of `lisor explain`: one sequence through one network and its automaton."""

from __future__ import annotations

from collections.abc import Sequence

from lisor.explain.steps import Steps
from lisor.fsa.automaton import Automaton
from lisor.report import explain_figures, page, walks


def render(
    about: str, name: str, cell: str, asked: str, steps: Steps, automaton: Automaton, classes: Sequence[str]
) -> str:
    """The page as HTML: the sequence in colors, attention where there is some, the path, and every step.

    `about` says where the network is from, `name` begins the names of files, `asked` is the sequence as it came."""
    colored = page.Walks(
        title="What counts",
        caption=f"What each symbol says for or against the answer of {cell} (integrated gradients): the symbol that "
        "counts most has the strongest color. Hold the pointer over a symbol for its number.",
        walks=(page.Walk(title="", lines=walks.lines(cell, steps, classes)),),
    )
    blocks: list[page.Block] = [colored]
    if steps.attention is not None or steps.looks is not None:
        blocks.append(
            page.Picture(
                name=f"{name}-attention",
                title="Where the network looks",
                caption=explain_figures.ATTENTION,
                svg=explain_figures.attention_map({cell: steps}),
                small=True,
            )
        )
    blocks += [walks.path_picture(name, steps, automaton), walks.steps_table(name, steps, classes)]
    section = page.Section(title=asked, introduction=walks.verdict(cell, steps, classes), blocks=tuple(blocks))
    return page.render("Why this answer?", about, [section])
