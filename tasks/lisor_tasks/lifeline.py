"""Processes that end when their parent process ends, for whatever reason."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing import parent_process
from threading import Thread


def end_after(wait: Callable[[], object]) -> None:
    """End this process as soon as `wait`, called in a thread of its own, returns: for instance at
    the end of a pipe to which only the parent writes."""

    def watch() -> None:
        wait()
        os._exit(1)

    Thread(target=watch, name="lifeline", daemon=True).start()


def end_with_parent() -> None:
    """End this process, which multiprocessing has started, with its parent."""
    parent = parent_process()
    if parent is not None:
        end_after(parent.join)
