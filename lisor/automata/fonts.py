"""The fonts of drawings, loaded without what fontconfig says of a system's settings.

The fontconfig inside pygraphviz's wheels is older than the settings of many systems, and reads all
of them, whatever it is asked to read: it complains of each element that it does not know, on the
standard error of the process, and where there are no settings or no folder for its cache."""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache

import pygraphviz

STDERR = 2

_GRAPH = 'graph { node [fontname="Helvetica"] a }'


@lru_cache(maxsize=1)
def load_fonts() -> None:
    """Let Graphviz load its fonts, once in a process and before it draws.

    What others write to standard error in the meantime is shown after it."""
    try:
        shown = os.dup(STDERR)
    except OSError:  # it is closed: nobody would read what fontconfig says
        return
    with tempfile.TemporaryFile() as messages:
        try:
            os.dup2(messages.fileno(), STDERR)
            pygraphviz.AGraph(string=_GRAPH).draw(format="svg", prog="dot")
        finally:
            os.dup2(shown, STDERR)
            os.close(shown)
        messages.seek(0)
        others = [line for line in messages if not line.startswith(b"Fontconfig ")]
    if others:
        os.write(STDERR, b"".join(others))
