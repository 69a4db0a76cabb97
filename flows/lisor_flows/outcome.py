"""The summary of a run as soon as the run is in the register, whatever fails after that.

It is a module of its own because Prefect sends a flow to processes with the globals of its module,
and without context."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_SUMMARIES: ContextVar[list[dict[str, Any]] | None] = ContextVar("summaries", default=None)


@contextmanager
def awaited() -> Iterator[list[dict[str, Any]]]:
    """A list to which the run in this block adds its summary as soon as it is whole."""
    summaries: list[dict[str, Any]] = []
    token = _SUMMARIES.set(summaries)
    try:
        yield summaries
    finally:
        _SUMMARIES.reset(token)


def add_summary(summary: dict[str, Any]) -> None:
    """Add the summary of a run that is whole; the run may still extend it."""
    summaries = _SUMMARIES.get()
    if summaries is not None:
        summaries.append(summary)
