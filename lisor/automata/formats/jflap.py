"""Automata as JFLAP keeps them (Rodger & Finley, 2006, "JFLAP: An Interactive Formal Languages and
Automata Package").

An automaton of two classes is a finite automaton, in which class 1 is final; any other is a Moore
machine, in which the output of a state is the name of its class. JFLAP has no place for the names
of two classes, for classes that no state has, the alphabet's order, the unknown symbol and the
tokenizer; a symbol of several characters it draws but does not run."""

from __future__ import annotations

import math
import re
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat
from xml.sax.saxutils import escape

import numpy as np

from lisor.alphabet import Alphabet
from lisor.automata.automaton import CLASSES, Automaton
from lisor.automata.formats.table import MISSING, check_complete, name_classes, tabulate
from lisor.errors import AutomatonError

_DISTANCE = 60
"""Between neighbouring states on the circle on which they are drawn, in pixels."""

_NO_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML file can hold, not even escaped (W3C, 2008, "Extensible Markup Language
1.0", section 2.2)."""


def to_jflap(automaton: Automaton) -> str:
    """The automaton as JFLAP 7 reads it, its states on a circle, named q0, q1, …

    Raises:
        AutomatonError: a symbol is empty, or a name holds a character that no XML file can."""
    finite = len(automaton.classes) == 2
    if "" in automaton.alphabet:
        raise AutomatonError(
            "JFLAP reads an empty symbol as no symbol at all; name it, or export as json"
        )
    outputs = automaton.outputs.tolist()
    names = [_escape(name) for name in ([] if finite else automaton.classes)]
    symbols = [_escape(symbol) for symbol in automaton.alphabet]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<structure>",
        f"<type>{'fa' if finite else 'moore'}</type>",
        "<automaton>",
    ]
    for state, output in enumerate(outputs):
        turn, radius = 2 * math.pi * state / len(outputs), _DISTANCE * len(outputs) / 4 + _DISTANCE
        inner = [
            f"<x>{radius * (1 + math.cos(turn)):.1f}</x>",
            f"<y>{radius * (1 + math.sin(turn)):.1f}</y>",
            *(["<initial/>"] if state == automaton.start else []),
            *(["<final/>"] if finite and output == 1 else []),
            *([] if finite else [f"<output>{names[output]}</output>"]),
        ]
        lines.append(f'<state id="{state}" name="q{state}">{"".join(inner)}</state>')
    for source, row in enumerate(automaton.transitions.tolist()):
        for symbol, target in zip(symbols, row, strict=True):
            inner = [f"<from>{source}</from>", f"<to>{target}</to>", f"<read>{symbol}</read>"]
            inner += [] if finite else [f"<transout>{names[outputs[target]]}</transout>"]
            lines.append(f"<transition>{''.join(inner)}</transition>")
    return "\n".join([*lines, "</automaton>", "</structure>", ""])


def read_jflap(text: str) -> Automaton:
    """The automaton of a JFLAP file; states are numbered as the file lists them, the alphabet is
    sorted.

    In a finite automaton a transition that is not there leads to a new state that rejects all, as
    JFLAP means it.

    Raises:
        AutomatonError: the text is no XML or declares a document type, which could stand for more
            than it shows; it is neither a finite automaton nor a Moore machine; it has not one
            start; or it is not deterministic."""
    root = _parse(text)
    kind = root.findtext("type", "").strip()
    if root.tag != "structure" or kind not in ("fa", "moore"):
        raise AutomatonError(
            f"expected JFLAP's finite automaton (fa) or Moore machine (moore), got {kind!r}"
        )
    nodes = {node.get("id", ""): node for node in root.iter("state")}
    states = list(nodes)
    starts = [state for state, node in nodes.items() if node.find("initial") is not None]
    if len(starts) != 1 or len(states) != len(list(root.iter("state"))):
        raise AutomatonError(
            f"expected states of different ids, of which one is initial, found {len(starts)}"
        )
    steps = [
        (
            edge.findtext("from", "").strip(),
            edge.findtext("read", ""),
            edge.findtext("to", "").strip(),
        )
        for edge in root.iter("transition")
    ]
    alphabet = tuple(sorted({symbol for _, symbol, _ in steps}))
    if "" in alphabet:
        raise AutomatonError("a transition reads nothing (λ); say in JFLAP first: Convert to DFA")
    table = tabulate(states, alphabet, steps)
    if kind == "fa":
        named = [CLASSES[node.find("final") is not None] for node in nodes.values()]
        if (table == MISSING).any():
            table = np.vstack(
                [
                    np.where(table == MISSING, len(states), table),
                    np.full(len(alphabet), len(states)),
                ]
            )
            named.append(CLASSES[0])
    else:
        check_complete(table, states, alphabet)
        named = [node.findtext("output", "") for node in nodes.values()]
    classes = name_classes(named)
    return Automaton(
        alphabet=Alphabet.of(alphabet),
        classes=classes,
        transitions=table,
        outputs=np.array([classes.index(name) for name in named]),
        start=states.index(starts[0]),
    )


def _escape(text: str) -> str:
    if match := _NO_XML.search(text):
        raise AutomatonError(
            f"JFLAP's files are XML, which cannot hold {match[0]!r}, but {text!r} has it; "
            "export as json"
        )
    return escape(text, {"\r": "&#13;"})


def _parse(text: str) -> Element:
    """The root of an XML text without a document type: no entity can be declared, and no file be
    asked for."""
    parser, builder = expat.ParserCreate(), TreeBuilder()

    def refuse(*_: object) -> None:
        raise AutomatonError(
            "expected a JFLAP file without a document type (<!DOCTYPE …>); take that line out"
        )

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError) as error:
        raise AutomatonError(f"expected a JFLAP file, which is XML: {error}") from None
    return builder.close()
