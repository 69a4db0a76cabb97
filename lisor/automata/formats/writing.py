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
from lisor.automata.formats.pautomac import to_pautomac
from lisor.automata.formats.python_code import to_python
from lisor.errors import AutomatonError, ConfigError
from lisor.registry import TARGETS

WRITERS: Mapping[str, Callable[[Automaton], str | bytes]] = {
    "json": Automaton.to_json,
    "dot": partial(to_dot, exact=True),
    "aalpy": to_aalpy,
    "jff": to_jflap,
    "regex": to_regex,
    "python": to_python,
    "c": to_c,
    "onnx": to_onnx,
    "pautomac": to_pautomac,
}
"""What writes an automaton in each format."""

CLASSES_ALONE = ("aalpy", "jff", "regex")
"""Formats that have no room for probabilities or numbers."""

WITHOUT_NUMBERS = (*CLASSES_ALONE, "pautomac")
"""Formats that have no room for numbers."""


def export(automaton: Automaton, form: str) -> bytes:
    """What a file of that format holds; texts are UTF-8 and end with a line feed.

    Raises:
        ConfigError: there is no such format.
        AutomatonError: the format cannot hold this automaton."""
    if form not in WRITERS:
        raise ConfigError(f"expected one of the formats {', '.join(WRITERS)}, got {form!r}")
    kind = TARGETS[automaton.target]
    lacking = CLASSES_ALONE if kind.is_distribution else WITHOUT_NUMBERS if kind.is_numeric else ()
    if form in lacking:
        fitting = [name for name in WRITERS if name not in lacking]
        raise AutomatonError(
            f"the format {form} has no room for {kind.predicted}: use one of {', '.join(fitting)}"
        )
    content = WRITERS[form](automaton)
    return content if isinstance(content, bytes) else (content.rstrip("\n") + "\n").encode("utf-8")
