"""Standard output and error that a command can always write to, warnings there, and the list of
commands."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import EPIPE
from typing import Any, TextIO

from typer.core import TyperGroup

from lisor.errors import DataWarning, LisorError, StoreWarning, one_line

STDOUT, STDERR = 1, 2


class Commands(TyperGroup):
    """A group of commands whose list shows whole sentences."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each command with the first sentence of its help."""
        commands = self.commands.items()
        sentences = [(name, command.get_short_help_str(MAX_SENTENCE)) for name, command in commands]
        with formatter.section("Commands"):
            formatter.write_dl(sentences)


MAX_SENTENCE = 1000
"""The most characters of a sentence in the list of commands; Typer cuts at the end of a line."""


class OutputError(LisorError):
    """Standard output cannot be written."""


class OutputClosedError(OutputError):
    """The reader of standard output, such as `head`, has closed it."""


class _Stream(io.FileIO):
    """A file descriptor that calls `fail` once when it cannot be written, and drops what follows:
    else Python would try again at its end."""

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
    """Makes `sys.stdout` raise an OutputError if it cannot be written, and `sys.stderr` drop what
    cannot be written.

    That includes closed ones. Characters that the encoding lacks are escaped."""
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


def print_warnings() -> None:
    """Print each warning about data or the store once, as one plain line."""
    printed: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: object) -> None:
        if not issubclass(category, (DataWarning, StoreWarning)):
            logging.getLogger("py.warnings").debug("%s", message)
        elif str(message) not in printed:
            printed.add(str(message))
            print(one_line(f"lisor: note: {message}"), file=sys.stderr)

    warnings.showwarning = show  # type: ignore[assignment]
