"""Calls of a user's own code, whose faults end in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lisor.errors import ModelError, one_line

SHOWN = 80
"""Characters of a text from outside that a message shows."""

LONGER = 150
"""Of an exception's message where nothing follows it."""


@contextmanager
def calling(what: str, advice: str = "") -> Iterator[None]:
    """Whatever the code inside raises, `sys.exit()` too, as a ModelError that names the call and
    the reason."""
    try:
        yield
    except ModelError:
        raise
    except (Exception, SystemExit) as error:
        why = f"{reason(error)}; {advice}" if advice else reason(error, LONGER)
        raise ModelError(f"{what} raised {why}") from error


def reason(error: BaseException, most: int = SHOWN) -> str:
    """The class of an exception and the first line of its message, of which at most so many
    characters."""
    lines = str(error).strip().splitlines()
    return type(error).__name__ + (f": {one_line(lines[0], most)}" if lines else "")
