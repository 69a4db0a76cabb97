"""Automata in the languages of other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from lisor.errors import ConfigError
from lisor.fsa.automaton import Automaton
from lisor.fsa.formats.aalpy_dot import to_aalpy
from lisor.fsa.formats.c_code import to_c
from lisor.fsa.formats.expression import to_regex
from lisor.fsa.formats.jflap import to_jflap
from lisor.fsa.formats.onnx_model import to_onnx
from lisor.fsa.formats.python_code import to_python
from lisor.report.drawing import to_dot

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
