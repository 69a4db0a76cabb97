"""Automata as Graphviz drawings.

Shapes: Q states, S symbols."""

from __future__ import annotations

from threading import Lock

import numpy as np
import pygraphviz
from jaxtyping import Bool

from lisor.fsa.automaton import Automaton

CLASS_COLORS = ("#f4f4f4", "#bfe3d0", "#fbe3a6", "#c9d7f0", "#f3c9d3", "#d9c8ec", "#cfe8ee", "#ead8c3")
"""Fills of the states of each class: light, so that black text stays readable, and told apart by the label too."""

LETTERS = 8
"""Up to so many symbols an alphabet is one of letters: every one is written on its edge."""

MOST_WORDS = 3
"""Words named on an edge, one below the other; of more the first are named and the rest counted."""

_GRAPHVIZ = Lock()
"""Graphviz keeps global state; one drawing at a time."""


def to_dot(automaton: Automaton, seen: Bool[np.ndarray, "Q S"] | None = None) -> str:
    """The automaton in Graphviz's language.

    An arrow from nowhere marks the start and a double circle the accepting states (more classes than two are written
    out); parallel edges are one, labelled with all their symbols; states that no word reaches are left out. `seen`
    tells which transitions validation showed: the others are dashed, and left out where the alphabet is large."""
    reachable = automaton.reachable()
    letters = len(automaton.alphabet) <= LETTERS
    lines = [
        "digraph automaton {",
        '  graph [rankdir=LR, bgcolor="transparent", nodesep=0.35, ranksep=0.6]',
        '  node [shape=circle, style=filled, fontname="Helvetica", fontsize=12, width=0.5, margin=0.05]',
        '  edge [fontname="Helvetica", fontsize=11, arrowsize=0.7]',
        "  nowhere [shape=point, style=invis, width=0]",
    ]
    for state in np.flatnonzero(reachable):
        output = int(automaton.outputs[state])
        shape = "doublecircle" if len(automaton.classes) == 2 and output == 1 else "circle"
        label = [str(state)] if len(automaton.classes) == 2 else [str(state), automaton.classes[output]]
        color = CLASS_COLORS[output % len(CLASS_COLORS)]
        lines.append(f"  {state} [label={_quote(*label)}, shape={shape}, fillcolor={_quote(color)}]")
    lines.append(f"  nowhere -> {automaton.start}")
    for source in np.flatnonzero(reachable):
        for target in np.unique(automaton.transitions[source]):
            edge = automaton.transitions[source] == target
            shown = edge if seen is None else edge & seen[source]
            if shown.any():
                lines.append(f"  {source} -> {target} [label={_quote(*_label(automaton, shown))}]")
            elif letters:
                style = 'style=dashed, color="#999999", fontcolor="#777777"'
                lines.append(f"  {source} -> {target} [label={_quote(*_label(automaton, edge))}, {style}]")
    return "\n".join([*lines, "}", ""])


def to_svg(automaton: Automaton, seen: Bool[np.ndarray, "Q S"] | None = None) -> str:
    """The drawing of `to_dot` as SVG."""
    return render(to_dot(automaton, seen))


def render(dot: str) -> str:
    """A graph in Graphviz's language as SVG."""
    with _GRAPHVIZ:
        svg: bytes = pygraphviz.AGraph(string=dot).draw(format="svg", prog="dot")
    return svg.decode("utf-8")


def _label(automaton: Automaton, edge: Bool[np.ndarray, " S"]) -> list[str]:
    """The lines of an edge's label; the first words of a vocabulary are the most frequent."""
    symbols = [automaton.alphabet[symbol] for symbol in np.flatnonzero(edge)]
    if len(automaton.alphabet) <= LETTERS:
        return [", ".join(symbols)]
    more = len(symbols) - MOST_WORDS
    return [*symbols[:MOST_WORDS], *([f"… {more:,} more"] if more > 0 else [])]


def _quote(*lines: str) -> str:
    """Lines of text as one label; what cannot be printed is shown as U+FFFD, since SVG does not allow it."""
    printable = ["".join(sign if sign.isprintable() else "\ufffd" for sign in line) for line in lines]
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;") for line in printable]
    return '"' + "\\n".join(escaped) + '"'
