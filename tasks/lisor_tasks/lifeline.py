"""Processes that end when the one that started them does, however that ended."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing import parent_process
from threading import Thread


def end_after(wait: Callable[[], object]) -> None:
    """End this process as soon as `wait` returns, which it does in a thread of its own: at the end of a pipe that only
    the parent writes to, say."""

    def watch() -> None:
        wait()
        os._exit(1)

    Thread(target=watch, name="lifeline", daemon=True).start()


def end_with_parent() -> None:
    """End this process, which multiprocessing has started, with the one that started it."""
    parent = parent_process()
    if parent is not None:
        end_after(parent.join)
