"""Automata from files, whose endings say how they are read."""

from __future__ import annotations

from pathlib import Path

from lisor.automata.automaton import Automaton
from lisor.automata.formats.dot import read_dot
from lisor.automata.formats.jflap import read_jflap
from lisor.automata.formats.pautomac import read_pautomac
from lisor.errors import AutomatonError, LanguageError, show
from lisor.files import read_text, reason, shorten

READERS = {
    ".dot": read_dot,
    ".gv": read_dot,
    ".jff": read_jflap,
    ".pautomac": read_pautomac,
}
"""How files are read whose names end so; all others are JSON."""


def read_automaton(path: Path) -> Automaton:
    """An automaton from a Graphviz file (.dot, .gv; AALpy's too), from JFLAP's (.jff), from
    PAutomaC's (.pautomac), or from JSON in any other.

    Raises:
        LanguageError: the file cannot be read.
        AutomatonError: it does not hold an automaton.
        SchemaError: it was written by another version."""
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise LanguageError(
            f"the automaton {shorten(path)} cannot be read: {reason(error)}"
        ) from None
    read = READERS.get(path.suffix.lower())
    if read is None and path.suffix.lower() != ".json" and not text.lstrip().startswith("{"):
        raise AutomatonError(
            f"expected an automaton as JSON, or in a file that ends in {', '.join(READERS)}; "
            f"{shorten(path)} begins with {show(text.strip()[:20])}: export it as one of these"
        )
    return (read or Automaton.from_json)(text)
