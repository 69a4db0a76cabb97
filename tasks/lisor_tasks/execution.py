"""How a call of a step is executed, which does not change its artifacts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from prefect.logging import get_run_logger

LOG_SECONDS = 10.0
"""A step logs its progress at most once in so many seconds."""

PROGRESS = "lisor_progress"
"""Marks log records that a person at the terminal wants to see."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """The store (its folder `home`, or LISOR_HOME if None), the `label` that people see, and the
    number of threads in numerical libraries."""

    home: str | None = None
    label: str = ""
    threads: int = 1

    def progress_log(self) -> Callable[[str], None]:
        """A function that writes a message to the run's log, at most every `LOG_SECONDS`."""
        logger, logged = get_run_logger(), time.monotonic()

        def log(message: str) -> None:
            nonlocal logged
            if time.monotonic() - logged > LOG_SECONDS:
                logged = time.monotonic()
                logger.info("%s: %s", self.label, message, extra={PROGRESS: True})

        return log
