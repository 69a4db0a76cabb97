"""Standard output and error as a command needs them, whatever the shell has made of them."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import EPIPE
from typing import Any, TextIO

from typer.core import TyperGroup

from lisor.errors import LisorError

STDOUT, STDERR = 1, 2


class Commands(TyperGroup):
    """Commands whose sentences are whole in the list of them."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each command with the first sentence of its help."""
        commands = self.commands.items()
        sentences = [(name, command.get_short_help_str(MAX_SENTENCE)) for name, command in commands]
        with formatter.section("Commands"):
            formatter.write_dl(sentences)


MAX_SENTENCE = 1000
"""Characters; Typer cuts at what is left of a line."""


class OutputError(LisorError):
    """Standard output cannot be written."""


class OutputClosedError(OutputError):
    """What reads standard output, such as `head`, wants no more of it."""


class _Stream(io.FileIO):
    """A file descriptor that is written until that fails: then `fail` is called once, and what
    follows is dropped. Else Python tries again at its end what was left unwritten."""

    def __init__(self, descriptor: int, fail: Callable[[OSError], None]) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._fail = fail
        self._failed = False

    def write(self, content: Any, /) -> int:
        if not self._failed:
            try:
                return super().write(content)
            except OSError as error:
                self._failed = True
                self._fail(error)
        return len(content)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Makes `sys.stdout` raise an OutputError where it cannot be written, and `sys.stderr` drop
    what it cannot show.

    A closed one is as one that cannot be written. What the encoding lacks is escaped."""
    for descriptor in (STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file to be opened would be the output
            os.dup2(os.open(os.devnull, os.O_RDONLY), descriptor)
    before = sys.stdout, sys.stderr
    sys.stdout = _text(STDOUT, sys.stdout, _refuse)
    sys.stderr = _text(STDERR, sys.stderr, lambda error: None)
    try:
        yield
    finally:
        with suppress(OutputError):  # an error that ends the command has its own line and status
            sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def _text(descriptor: int, before: TextIO | None, fail: Callable[[OSError], None]) -> TextIO:
    if before is not None:
        before.flush()
    stream = _Stream(descriptor, fail)
    encoding = "utf-8" if before is None else before.encoding
    lines = descriptor == STDERR or stream.isatty()
    buffer = io.BufferedWriter(stream)
    return io.TextIOWrapper(buffer, encoding, errors="backslashreplace", line_buffering=lines)


def _refuse(error: OSError) -> None:
    if error.errno == EPIPE:
        raise OutputClosedError("standard output was closed") from None
    reason = f"{error.strerror}; free space or write elsewhere"
    raise OutputError(f"standard output cannot be written: {reason}") from None
