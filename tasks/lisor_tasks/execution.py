"""How a call of a step is executed, which changes nothing of what it makes."""

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
    """In which store (its folder `home`, or that of LISOR_HOME), shown to people as `label`, with so many threads in
    numerical libraries."""

    home: str | None = None
    label: str = ""
    threads: int = 1

    def progress_log(self) -> Callable[[str], None]:
        """A function that logs a message to the run's log, unless it did so a moment ago."""
        logger, logged = get_run_logger(), time.monotonic()

        def log(message: str) -> None:
            nonlocal logged
            if time.monotonic() - logged > LOG_SECONDS:
                logged = time.monotonic()
                logger.info("%s: %s", self.label, message, extra={PROGRESS: True})

        return log
