"""Automata read from Graphviz's language: as lisor.report draws them and as AALpy saves them.

A drawing cannot show all: symbols that have commas in them, more symbols than fit on an edge, the
alphabet's order. A graph that is meant to be read again says it in attributes that Graphviz
ignores. The node from nowhere has `lisor` (see `about`), each state `output`, the number of its
class, and each edge `symbols`, the numbers of its symbols."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import NamedTuple

import numpy as np
import pygraphviz

from lisor.alphabet import Alphabet
from lisor.automata.automaton import CLASSES, Automaton
from lisor.automata.formats.table import check_complete, name_classes, tabulate
from lisor.automata.json_fields import unique_fields
from lisor.errors import AutomatonError

GRAPHVIZ = Lock()
"""Graphviz keeps global state; one use at a time."""

AALPY_START = "__start0"
"""The node from nowhere in AALpy's files, in which an edge has one symbol, commas and all."""

_MARKERS = ("point", "none", "plaintext")
"""Shapes of the node from nowhere whose edge shows the start."""

_GRAPH_FIELDS = ("start", "transitions", "outputs")
"""What the graph itself says of an automaton."""

MAX_PIECE = 4000
"""Characters, of up to four bytes, of a piece of a string."""


class _Node(NamedTuple):
    shape: str
    label: str
    output: str
    about: str


class _Edge(NamedTuple):
    source: str
    target: str
    label: str
    symbols: str


def about(automaton: Automaton) -> str:
    """The value of the attribute `lisor`: the automaton's JSON without what the graph says, quoted,
    on one line."""
    fields = json.loads(automaton.to_json())
    text = json.dumps({name: value for name, value in fields.items() if name not in _GRAPH_FIELDS})
    for character, escape in (("\\\\", "\\u005c"), ('\\"', "\\u0022"), (">", "\\u003e")):
        text = text.replace(character, escape)  # AALpy takes any line with an arrow for an edge
    return quote_whole(text)


def quote_whole(text: str) -> str:
    """A text without escapes as a string of Graphviz's language, however long: of one piece it
    reads 16,384 bytes."""
    pieces = [text[start : start + MAX_PIECE] for start in range(0, len(text), MAX_PIECE)] or [""]
    return " + ".join('"{}"'.format(piece.replace('"', '\\"')) for piece in pieces)


def read_dot(text: str) -> Automaton:
    """The automaton of a graph; its states are numbered as the graph lists them.

    Where the graph has the attributes above it is the automaton that was written, and labels count
    for nothing. Otherwise its alphabet is sorted. The label of an edge holds one symbol, or several
    with commas between (never in AALpy's files); an edge from a node without a shape leads to the
    start; accepting states are double circles; where states are records, as AALpy saves Moore
    machines, their labels end in `|` and the class.

    Raises:
        AutomatonError: the text is not a graph, has not one start, or a state lacks a transition or
            has two.
        SchemaError: the attributes were written by another version."""
    nodes, edges = _parse(text)
    markers = {name for name, node in nodes.items() if node.shape in _MARKERS}
    states = {name: node for name, node in nodes.items() if name not in markers}
    starts = [
        (edge.source, edge.target)
        for edge in edges
        if edge.source in markers and edge.target in states
    ]
    if len(starts) != 1:
        raise AutomatonError(
            f"expected one edge from nowhere that shows the start, found {len(starts)}"
        )
    ((nowhere, start),) = starts
    inner = [edge for edge in edges if edge.source in states]
    for edge in inner:
        if edge.target in markers:
            raise AutomatonError(
                f"the edge from {edge.source} to {edge.target} needs a state at its end"
            )
    if nodes[nowhere].about:
        return _as_written(nodes[nowhere].about, states, inner, start)
    return _as_drawn(states, inner, start, several=nowhere != AALPY_START)


def _as_written(
    about: str, states: Mapping[str, _Node], edges: Sequence[_Edge], start: str
) -> Automaton:
    try:
        fields = json.loads(about, object_pairs_hook=unique_fields)
        alphabet = fields["alphabet"]  # since schema 2 with how it is read
        symbols = alphabet["symbols"] if isinstance(alphabet, dict) else alphabet
        numbers = [str(number) for number in range(len(symbols))]
        outputs = [int(node.output) for node in states.values()]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise AutomatonError(
            f"expected the attributes 'lisor' and 'output' as they are written: {error!r}"
        ) from None
    steps = [
        (edge.source, symbol, edge.target) for edge in edges for symbol in edge.symbols.split()
    ]
    table = tabulate(list(states), numbers, steps)
    check_complete(table, list(states), numbers)
    fields |= {
        "start": list(states).index(start),
        "transitions": table.tolist(),
        "outputs": outputs,
    }
    return Automaton.from_json(json.dumps(fields))


def _as_drawn(
    states: Mapping[str, _Node], edges: Sequence[_Edge], start: str, *, several: bool
) -> Automaton:
    steps = []
    for edge in edges:
        symbols = [
            symbol.strip() for symbol in (edge.label.split(",") if several else [edge.label])
        ]
        if not all(symbols):
            raise AutomatonError(
                f"the edge from {edge.source} to {edge.target} needs a label of symbols"
            )
        steps += [(edge.source, symbol, edge.target) for symbol in symbols]
    alphabet = tuple(sorted({symbol for _, symbol, _ in steps}))
    table = tabulate(list(states), alphabet, steps)
    check_complete(table, list(states), alphabet)
    if any(node.shape == "record" for node in states.values()):
        named = [
            node.label.strip().strip("{}").partition("|")[2].strip() for node in states.values()
        ]
    else:
        named = [CLASSES[node.shape == "doublecircle"] for node in states.values()]
    classes = name_classes(named)
    return Automaton(
        alphabet=Alphabet.of(alphabet),
        classes=classes,
        transitions=table,
        outputs=np.array([classes.index(name) for name in named]),
        start=list(states).index(start),
    )


def _parse(text: str) -> tuple[dict[str, _Node], list[_Edge]]:
    """The nodes and edges of a graph, each with the attributes that count here, empty where it has
    none."""
    with GRAPHVIZ:
        try:
            graph = pygraphviz.AGraph(string=text)
            nodes = {
                str(node): _Node(
                    *(str(node.attr[name] or "") for name in ("shape", "label", "output", "lisor"))
                )
                for node in graph.nodes()
            }
            edges = [
                _Edge(
                    str(edge[0]),
                    str(edge[1]),
                    *(str(edge.attr[name] or "") for name in ("label", "symbols")),
                )
                for edge in graph.edges()
            ]
        except (ValueError, LookupError, TypeError, pygraphviz.DotError) as error:
            raise AutomatonError(
                f"expected a graph in Graphviz's language: {' '.join(str(error).split())}"
            ) from None
    return nodes, edges
