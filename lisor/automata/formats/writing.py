"""Automata in the languages of other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from lisor.automata.automaton import Automaton
from lisor.automata.drawing import to_dot
from lisor.automata.formats.aalpy_dot import to_aalpy
from lisor.automata.formats.c_code import to_c
from lisor.automata.formats.expression import to_regex
from lisor.automata.formats.jflap import to_jflap
from lisor.automata.formats.onnx_model import to_onnx
from lisor.automata.formats.python_code import to_python
from lisor.errors import ConfigError

WRITERS: Mapping[str, Callable[[Automaton], str | bytes]] = {
    "json": Automaton.to_json,
    "dot": partial(to_dot, exact=True),
    "aalpy": to_aalpy,
    "jff": to_jflap,
    "regex": to_regex,
    "python": to_python,
    "c": to_c,
    "onnx": to_onnx,
}
"""What writes an automaton in each format."""


def export(automaton: Automaton, form: str) -> bytes:
    """What a file of that format holds; texts are UTF-8 and end with a line feed.

    Raises:
        ConfigError: there is no such format.
        AutomatonError: the format cannot hold this automaton."""
    if form not in WRITERS:
        raise ConfigError(f"expected one of the formats {', '.join(WRITERS)}, got {form!r}")
    content = WRITERS[form](automaton)
    return content if isinstance(content, bytes) else (content.rstrip("\n") + "\n").encode("utf-8")
