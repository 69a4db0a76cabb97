"""Automata as Graphviz drawings.

Shapes: Q states, S symbols, N of them."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pygraphviz
from jaxtyping import Bool, Int

from lisor.automata.automaton import Automaton
from lisor.automata.fonts import load_fonts
from lisor.automata.formats.dot import GRAPHVIZ, about, quote_whole
from lisor.errors import one_line
from lisor.quantizer import BARS
from lisor.sequences import Sequences

CLASS_COLORS = (
    "#f4f4f4",
    "#bfe3d0",
    "#fbe3a6",
    "#c9d7f0",
    "#f3c9d3",
    "#d9c8ec",
    "#cfe8ee",
    "#ead8c3",
)
"""Fills of the states of each class: light, so that black text stays readable. The label
distinguishes classes too."""

LETTERS = 8
"""Symbols of an alphabet of which each one is written on its edge."""

MAX_EDGES = 300
"""A drawing with more edges than this cannot be read."""

MAX_WRAPPED = 64
"""Symbols of an alphabet, not of words, of which an edge lists all that it has or all that it
lacks."""

MAX_LINE = 24
"""Characters of a line of such a list."""

MAX_LABEL = 1000
"""Characters of a line of a label."""

MAX_CURVES = 5
"""Curves or ranges of levels on an edge, one below the other."""

MAX_WORDS = 3
"""Words named on an edge, one below the other; of more the first are named and the rest counted."""

MIN_SHARE = 0.005
"""Probability of a symbol or of the end from which it is drawn."""

MAX_LIKELY = 3
"""Symbols that an edge names with their probabilities."""

MIN_WIDTH, MAX_WIDTH = 0.5, 4.0
"""The width of an edge that is never taken, and by how much one is wider that always is."""

_HEAD = """digraph automaton {
  graph [rankdir=LR, bgcolor="transparent", nodesep=0.35, ranksep=0.6]
  node [shape=circle, style=filled, fontname="Helvetica", fontsize=12, width=0.5, margin=0.05]
  edge [fontname="Helvetica", fontsize=11, arrowsize=0.7]
  nowhere [shape=point, style=invis, width=0]"""

CURVE_STEP, CURVE_WIDTH, CURVE_HEIGHT = 6.0, 72.0, 10.0
"""Of a curve on an edge, in points: how far its numbers stand apart and all of them at most, and
how high it is."""

_TEXT_OF_BARS = re.compile(rf"<text(?P<attributes>[^>]*)>(?P<bars>[{BARS}]{{2,}})(?: \d+)?</text>")

_RED = 'color="#c1121f", fontcolor="#c1121f", penwidth=1.8'


def to_dot(
    automaton: Automaton,
    seen: Bool[np.ndarray, "Q S"] | None = None,
    *,
    path: Sequence[str] = (),
    word_classes: bool = False,
    exact: bool = False,
) -> str:
    """The automaton in Graphviz's language.

    An arrow from nowhere marks the start and a double circle the accepting states (more classes
    than two are written out); parallel edges are one, labelled with all their symbols; states that
    no word reaches are left out. `seen` are the transitions that validation showed: the others are
    dashed, and left out where the alphabet is large.

    The states and edges that the word `path` takes are red. `word_classes` names each edge by its
    two states, "0-1", and counts its symbols (the word classes of Hou & Zhou, 2020, figure 7).

    Where states have probabilities, an edge is as wide as its symbols are likely and names them
    with their probabilities, a state that of the end; symbols less likely than `MIN_SHARE` are left
    out. Where transitions have numbers, an edge names them behind an arrow.

    An `exact` drawing looks the same but has every state and symbol, and attributes from which
    `read_dot` makes the automaton."""
    states = (
        list(range(automaton.n_states)) if exact else np.flatnonzero(automaton.reachable()).tolist()
    )
    edges = []
    for source, target, edge in _parallel(automaton, states):
        shown = edge if seen is None else edge & seen[source]
        if automaton.probabilities is not None:
            shares = automaton.probabilities[source, :-1]
            shown = edge if exact else edge & (shares >= MIN_SHARE)
            if shown.any():
                label = _likely(automaton, source, shown)
                share = float(shares[shown].sum())
                edges.append(_Edge(source, target, shown, label, share=share))
            continue
        if shown.any():
            label = _label(automaton, shown, source)
            if word_classes:
                words = [automaton.alphabet[symbol] for symbol in np.flatnonzero(shown)[:MAX_WORDS]]
                label = [f"{source}-{target}: {shown.sum():,} words", *words]
            edges.append(_Edge(source, target, shown, label))
        unseen = edge & ~shown
        if len(automaton.alphabet) <= LETTERS and unseen.any():
            label = _label(automaton, unseen, source)
            edges.append(_Edge(source, target, unseen, label, unseen=True))
    return _graph(automaton, states, edges, path, exact=exact)


def kept_to_dot(
    automaton: Automaton, seen: Bool[np.ndarray, "Q S"], states: int, path: Sequence[str] = ()
) -> str:
    """The first `states`, the start and the clusters, and their kept transitions alone, with what
    the start does not reach by them set apart.

    As Hou & Zhou (2020) draw theirs, figures 3 and 4: transitions that validation never showed are
    left out, and so is the sink they lead to. The states and edges that the word `path` takes are
    red."""
    numbers = list(range(states))
    kept = (
        (source, target, edge & seen[source])
        for source, target, edge in _parallel(automaton, numbers)
    )
    edges = [
        _Edge(source, target, edge, _label(automaton, edge, source))
        for source, target, edge in kept
        if edge.any()
    ]
    reached = {automaton.start}
    while new := {edge.target for edge in edges if edge.source in reached} - reached:
        reached |= new
    return _graph(automaton, numbers, edges, path, apart=set(numbers) - reached)


def path_to_dot(automaton: Automaton, states: Sequence[int], symbols: Sequence[str]) -> str:
    """The path of one sequence alone: its states, the start first, and its numbered steps on the
    edges."""
    steps: dict[tuple[int, int], list[str]] = {}
    for number, (source, target, symbol) in enumerate(
        zip(states[:-1], states[1:], symbols, strict=True), 1
    ):
        steps.setdefault((source, target), []).append(f"{number} {symbol}")
    nodes = (_node(automaton, state, red=state == states[-1]) for state in dict.fromkeys(states))
    edges = (
        f"  {source} -> {target} [label={_quote(*label)}]"
        for (source, target), label in steps.items()
    )
    return "\n".join([_HEAD, *nodes, f"  nowhere -> {states[0]}", *edges, "}", ""])


def printable(text: str) -> str:
    """The text with U+FFFD for each character that cannot be printed and that SVG may not hold."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def to_svg(automaton: Automaton, seen: Bool[np.ndarray, "Q S"] | None = None) -> str:
    """The drawing of `to_dot` as SVG."""
    return render(to_dot(automaton, seen))


def render(dot: str) -> str:
    """A graph in Graphviz's language as SVG.

    With more than `MAX_EDGES` edges its states stand on a circle and its edges are straight and
    without labels: no layout would make it readable, and finding one takes minutes. Text that is a
    curve of bars becomes a curve."""
    with GRAPHVIZ:
        load_fonts()
        graph = pygraphviz.AGraph(string=dot)
        if graph.number_of_edges() <= MAX_EDGES:
            svg: bytes = graph.draw(format="svg", prog="dot")
        else:
            nodes = graph.nodes()
            for number, node in enumerate(nodes):
                turn, radius = 2 * math.pi * number / len(nodes), 12 * len(nodes)
                node.attr["pos"] = f"{radius * math.cos(turn):.1f},{radius * math.sin(turn):.1f}!"
            for edge in graph.edges():
                edge.attr["label"] = ""
            svg = graph.draw(format="svg", prog="neato", args="-n2 -Gsplines=line")
    return _TEXT_OF_BARS.sub(_curve, svg.decode("utf-8"))


def _curve(text: re.Match[str]) -> str:
    """A small curve over its zero line, where SVG has a text of bars."""
    color, x, y = (
        re.search(rf'{name}="([^"]*)"', text["attributes"]) for name in ("fill", "x", "y")
    )
    heights = [BARS.index(bar) for bar in text["bars"]]
    apart = min(CURVE_STEP, CURVE_WIDTH / (len(heights) - 1))
    left = float(x[1]) - apart * (len(heights) - 1) / 2 if x else 0.0
    bottom = float(y[1]) + 2 if y else 0.0
    right = left + apart * (len(heights) - 1)
    points = " ".join(
        f"{left + apart * step:.1f},{bottom - CURVE_HEIGHT * height / 7:.1f}"
        for step, height in enumerate(heights)
    )
    return (
        f"<g><title>{text['bars']}</title>"
        f'<path d="M{left:.1f},{bottom:.1f}H{right:.1f}" stroke="#cccccc" fill="none"/>'
        f'<polyline points="{points}" fill="none" stroke="{color[1] if color else "#1d3557"}" '
        'stroke-width="1.4"/></g>'
    )


class _Edge(NamedTuple):
    """An arrow for some symbols, with the lines of its label."""

    source: int
    target: int
    symbols: Bool[np.ndarray, " S"]
    label: list[str]
    unseen: bool = False
    share: float | None = None
    """How likely its symbols are, where that is known."""


def _parallel(
    automaton: Automaton, states: Sequence[int]
) -> Iterator[tuple[int, int, Bool[np.ndarray, " S"]]]:
    """Each pair of states that some symbol joins, with the symbols that do."""
    for source in states:
        for target in np.unique(automaton.transitions[source]).tolist():
            yield source, target, automaton.transitions[source] == target


def _graph(
    automaton: Automaton,
    states: Sequence[int],
    edges: Sequence[_Edge],
    path: Sequence[str],
    apart: Collection[int] = (),
    *,
    exact: bool = False,
) -> str:
    """States and edges in Graphviz's language, those that `path` takes red, those of `apart` in a
    box of their own."""
    word = automaton.encode(path)
    trace = [automaton.start, *automaton.trace(Sequences.from_lists([word])).tolist()]
    steps = list(zip(trace, word, strict=False))
    red = set(trace) if word else set()
    lines = [
        _HEAD,
        *(_node(automaton, state, red=state in red) for state in states if state not in apart),
    ]
    if apart:
        lines += [
            '  subgraph cluster_apart { label="no kept transition leads here"; '
            'fontname="Helvetica"\n  fontsize=11; style=dashed; color="#999999"; '
            'fontcolor="#777777"',
            *(_node(automaton, state, red=False) for state in states if state in apart),
            "  }",
        ]
    if exact:
        outputs = (f"  {state} [output={automaton.outputs[state]}]" for state in states)
        lines += [f"  nowhere [lisor={about(automaton)}]", *outputs]
    lines.append(f"  nowhere -> {automaton.start}")
    for edge in edges:
        styles = ["style=dashed"] if edge.unseen else []
        if any(source == edge.source and edge.symbols[symbol] for source, symbol in steps):
            styles.append(_RED)
        elif edge.unseen:
            styles.append('color="#999999", fontcolor="#777777"')
        elif edge.share is not None:
            styles.append(f"penwidth={MIN_WIDTH + MAX_WIDTH * edge.share:.2f}")
        if exact:
            numbers = " ".join(map(str, np.flatnonzero(edge.symbols)))
            styles.append(f"symbols={quote_whole(numbers)}")
        attributes = ", ".join([f"label={_quote(*edge.label)}", *styles])
        lines.append(f"  {edge.source} -> {edge.target} [{attributes}]")
    return "\n".join([*lines, "}", ""])


def _node(automaton: Automaton, state: int, *, red: bool) -> str:
    output = int(automaton.outputs[state])
    accepts = len(automaton.classes) == 2
    label = [str(state)] if accepts else [str(state), automaton.classes[output]]
    color = CLASS_COLORS[output % len(CLASS_COLORS)]
    if automaton.values is not None:
        accepts, label, color = False, [str(state)], CLASS_COLORS[0]
    if automaton.probabilities is not None:
        accepts, end = False, float(automaton.probabilities[state, -1])
        label = [str(state), *([f"end {_percent(end)}"] if end >= MIN_SHARE else [])]
        color = CLASS_COLORS[round(end)]
    attributes = [
        f"label={_quote(*label)}",
        f"shape={'doublecircle' if accepts and output == 1 else 'circle'}",
        f'fillcolor="{color}"',
        *([_RED] if red else []),
    ]
    return f"  {state} [{', '.join(attributes)}]"


def _likely(automaton: Automaton, source: int, edge: Bool[np.ndarray, " S"]) -> list[str]:
    """The likeliest symbols of an edge with their probabilities, and how many more there are."""
    shares = automaton.distributions[source, :-1]
    numbers = np.flatnonzero(edge)
    numbers = numbers[np.argsort(-shares[numbers], kind="stable")]
    named = [f"{automaton.alphabet[n]}: {_percent(shares[n])}" for n in numbers[:MAX_LIKELY]]
    rest = numbers[MAX_LIKELY:]
    more = f"… {len(rest):,} more: {_percent(shares[rest].sum())}"
    return [*named, *([more] if len(rest) else [])]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= MIN_SHARE or share == 0 else "< 1 %"


def _label(automaton: Automaton, edge: Bool[np.ndarray, " S"], source: int) -> list[str]:
    """The lines of the label of an edge from a state; the first words of an alphabet are the most
    frequent. Where transitions have numbers, they stand behind an arrow."""
    quantizer, numbers = automaton.alphabet.quantizer, np.flatnonzero(edge)
    if quantizer is not None and quantizer.has_levels:
        runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
        lines = [
            quantizer.span(int(run[0]), int(run[-1])) + _values(automaton, source, run)
            for run in runs[:MAX_CURVES]
        ]
        more = len(runs) - MAX_CURVES
        return [*lines, *([f"… {more:,} more"] if more > 0 else [])]
    lines = _symbols(automaton, edge)
    return [*lines[:-1], lines[-1] + _values(automaton, source, numbers)]


def _values(automaton: Automaton, source: int, symbols: Int[np.ndarray, " N"]) -> str:
    """The numbers of some transitions of a state, each the least and the greatest, where there are
    any: the first few."""
    if automaton.values is None:
        return ""
    shown = []
    for column in automaton.values[source, symbols].T[:MAX_LIKELY]:
        low, high = (
            f"{number:.3g}".replace("-", "\N{MINUS SIGN}")
            for number in (column.min(), column.max())
        )
        shown.append(low if low == high else f"{low} … {high}")
    more = ", …" * (automaton.values.shape[2] > MAX_LIKELY)
    return f" → {', '.join(shown)}{more}"


def _symbols(automaton: Automaton, edge: Bool[np.ndarray, " S"]) -> list[str]:
    alphabet, quantizer = automaton.alphabet, automaton.alphabet.quantizer
    symbols = [alphabet[symbol] for symbol in np.flatnonzero(edge)]
    if quantizer is None and len(alphabet) <= LETTERS:
        return [", ".join(symbols)]
    if quantizer is None and alphabet.tokenizer is None and len(alphabet) <= MAX_WRAPPED:
        others = [alphabet[symbol] for symbol in np.flatnonzero(~edge)]
        text = ", ".join(symbols)
        if len(others) < len(symbols):
            text = f"all but {', '.join(others)}" if others else "all"
        return textwrap.wrap(text, MAX_LINE)
    shown = MAX_WORDS if quantizer is None else MAX_CURVES
    more = len(symbols) - shown
    return [*symbols[:shown], *([f"… {more:,} more"] if more > 0 else [])]


def _quote(*lines: str) -> str:
    """Lines of text as one label; of a line of thousands of characters, which Graphviz does not
    read, the middle is left out."""
    shown = (
        printable(one_line(line, MAX_LABEL) if len(line) > MAX_LABEL else line) for line in lines
    )
    text = "\n".join(shown).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    return '"' + text.replace("\n", "\\n") + '"'
