"""Automata as AALpy saves and loads them (Muškardin et al., 2022, "AALpy: an active automata
learning library").

Its dialect of Graphviz's language is that of the Automata Wiki: a line for each state and for each
transition."""

from __future__ import annotations

from urllib.parse import quote

from lisor.automata.automaton import Automaton
from lisor.automata.formats.dot import AALPY_START, about

MAX_DIGITS = 1000
"""Of a name that AALpy may make an integer of."""

_PLAIN = "!#$'()*+,-./:;=?@[]^_`~"
"""Characters that AALpy's patterns leave alone, as they do ASCII letters and digits."""


def to_aalpy(automaton: Automaton) -> str:
    """The automaton as AALpy's `load_automaton_from_file` reads it, as "dfa" if it has two classes,
    else as "moore".

    Names that AALpy's patterns would break are percent-encoded as in URLs (RFC 3986), and of those
    that consist of digits AALpy makes integers. `lisor.automata.formats.dot.read_dot` reads the
    very automaton back."""
    accepts = len(automaton.classes) == 2
    classes = [_name(name) for name in automaton.classes]
    symbols = [_name(symbol) for symbol in automaton.alphabet]
    lines = ["digraph automaton {"]
    for state, output in enumerate(automaton.outputs.tolist()):
        if accepts:
            look = f'label="s{state}"' + ", shape=doublecircle" * (output == 1)
        else:
            look = f'label="s{state}|{classes[output]}", shape=record, style=rounded'
        lines.append(f"s{state} [{look}, output={output}];")
    lines += [
        f's{source} -> s{target} [label="{symbols[number]}", symbols={number}];'
        for source, row in enumerate(automaton.transitions.tolist())
        for number, target in enumerate(row)
    ]
    lines.append(f'{AALPY_START} [shape=none, label="", lisor={about(automaton)}];')
    return "\n".join([*lines, f'{AALPY_START} -> s{automaton.start} [label=""];', "}", ""])


def _name(text: str) -> str:
    """The text as AALpy reads it whole, in other words for other texts."""
    if (
        text.isascii()
        and text.isdecimal()
        and (text[0] == "0" or len(text) > MAX_DIGITS)
        and text != "0"
    ):
        # AALpy takes 01 for 1, and Python refuses to read an integer of thousands of digits
        return "".join(f"%{ord(digit):02X}" for digit in text)
    return quote(text, safe=_PLAIN).replace(AALPY_START, "%5F%5Fstart0") or "%"
