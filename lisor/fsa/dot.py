"""Automata read from Graphviz's language, as lisor.report and AALpy write it."""

from __future__ import annotations

from threading import Lock

import numpy as np
import pygraphviz

from lisor.errors import AutomatonError
from lisor.fsa.automaton import CLASSES, Automaton

GRAPHVIZ = Lock()
"""Graphviz keeps global state; one use at a time."""

_MARKERS = ("point", "none", "plaintext")
"""Shapes of the node from nowhere whose edge shows the start."""


def read_dot(text: str) -> Automaton:
    """An automaton of two classes; its states are numbered as the graph lists them, its alphabet is sorted.

    Accepting states are double circles; an edge from a node without a shape leads to the start; the label of an edge
    holds one symbol or several with commas between.

    Raises:
        AutomatonError: the text is not a graph, has not one start, or a state lacks a transition or has two."""
    with GRAPHVIZ:
        try:
            graph = pygraphviz.AGraph(string=text)
            shapes = {str(node): str(node.attr["shape"] or "") for node in graph.nodes()}
            edges = [(str(edge[0]), str(edge[1]), str(edge.attr["label"] or "")) for edge in graph.edges()]
        except (ValueError, LookupError, TypeError, pygraphviz.DotError) as error:
            raise AutomatonError(f"expected a graph in Graphviz's language: {' '.join(str(error).split())}") from None
    states = [name for name, shape in shapes.items() if shape not in _MARKERS]
    starts = [target for source, target, _ in edges if shapes[source] in _MARKERS and target in states]
    if len(starts) != 1:
        raise AutomatonError(f"expected one edge from nowhere that shows the start, found {len(starts)}")
    steps = []
    for source, target, label in edges:
        if shapes[source] in _MARKERS:
            continue
        symbols = [symbol.strip() for symbol in label.split(",")]
        if not all(symbols) or shapes[target] in _MARKERS:
            raise AutomatonError(f"the edge from {source} to {target} needs a label of symbols, and a state at its end")
        steps += [(source, symbol, target) for symbol in symbols]
    alphabet = sorted({symbol for _, symbol, _ in steps})
    place = {name: number for number, name in enumerate(states)}
    table = np.full((len(states), len(alphabet)), -1)
    for source, symbol, target in steps:
        cell = place[source], alphabet.index(symbol)
        if table[cell] not in (-1, place[target]):
            raise AutomatonError(f"state {source} has two transitions on {symbol!r}")
        table[cell] = place[target]
    if (table < 0).any():
        row, column = np.argwhere(table < 0)[0]
        raise AutomatonError(f"state {states[row]} has no transition on {alphabet[column]!r}")
    accepting = [shapes[name] == "doublecircle" for name in states]
    return Automaton(
        alphabet=tuple(alphabet),
        classes=CLASSES,
        transitions=table,
        outputs=np.array(accepting),
        start=place[starts[0]],
    )
