"""The summary of a run from the moment on that it is in the register, whatever happens after.

A module of its own: to processes Prefect sends a flow with the values that its module holds, and no context."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_SETTLED: ContextVar[list[dict[str, Any]] | None] = ContextVar("settled", default=None)


@contextmanager
def awaited() -> Iterator[list[dict[str, Any]]]:
    """A list to which the run inside adds its summary as soon as it is whole."""
    summaries: list[dict[str, Any]] = []
    token = _SETTLED.set(summaries)
    try:
        yield summaries
    finally:
        _SETTLED.reset(token)


def settle(summary: dict[str, Any]) -> None:
    """Hand on the summary of a run that is whole, which may still be added to."""
    summaries = _SETTLED.get()
    if summaries is not None:
        summaries.append(summary)
