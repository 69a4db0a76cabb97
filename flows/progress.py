"""How far a run is: bars on a terminal, plain lines into a pipe."""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import Any, TypeVar

from prefect.exceptions import UnfinishedRun
from prefect.futures import PrefectFuture
from prefect.tasks import Task
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tasks.rnn import PROGRESS

R = TypeVar("R")

QUIET_SECONDS = 5.0
"""Into a pipe, a stage says at most once in so many seconds how far it is."""


class RunProgress:
    """Counts the tasks of each stage, and which of them were answered from the cache."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Progress(*columns, console=console) if console.is_terminal else None
        self._ids: dict[str, TaskID] = {}
        self._lock = Lock()
        self._told = time.monotonic()
        self.total: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.cached: Counter[str] = Counter()
        self._futures: list[PrefectFuture[Any]] = []

        self._handler = _Lines(self._print)

    def __enter__(self) -> RunProgress:
        logging.getLogger("prefect.task_runs").addHandler(self._handler)
        if self._bars:
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        logging.getLogger("prefect.task_runs").removeHandler(self._handler)
        if self._bars:
            self._bars.stop()
        if isinstance(error, UnfinishedRun):
            raise self._find_failure() or error from None  # what went wrong, not the task that was waiting for it

    def submit(self, stage: str, task: Task[..., R], *arguments: Any) -> PrefectFuture[R]:
        """Submit a task of a stage; it is counted now, and again when it is done."""
        future: PrefectFuture[R] = task.submit(*arguments)
        with self._lock:
            self._futures.append(future)
            self.total[stage] += 1
            if self._bars and stage not in self._ids:
                self._ids[stage] = self._bars.add_task(stage, total=0)
            if self._bars:
                self._bars.update(self._ids[stage], total=self.total[stage])
        future.add_done_callback(lambda done: self._advance(stage, done))
        return future

    def _advance(self, stage: str, future: PrefectFuture[Any]) -> None:
        future.wait()  # it is done, but its state is read from the server until somebody has waited
        with self._lock:
            self.done[stage] += 1
            self.cached[stage] += future.state.name == "Cached"
            if self._bars:
                self._bars.advance(self._ids[stage])
            elif self._is_news(stage):
                self._told = time.monotonic()
                done = f"{self.done[stage]} of {self.total[stage]} done"
                self._print(f"{stage}: {done}, {self.cached[stage]} from the cache")

    def _find_failure(self) -> BaseException | None:
        """What the first failed task raised."""
        for future in self._futures:
            future.wait(timeout=0)
            if future.state.is_failed() or future.state.is_crashed():
                raised: BaseException = future.state.result(raise_on_failure=False)
                return raised
        return None

    def _is_news(self, stage: str) -> bool:
        return self.done[stage] == self.total[stage] or time.monotonic() - self._told > QUIET_SECONDS

    def _print(self, line: str) -> None:
        if self._bars:
            self._bars.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)


class _Lines(logging.Handler):
    """Hands on what tasks say of their progress."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._show = show
        self.addFilter(lambda record: getattr(record, PROGRESS, False))

    def emit(self, record: logging.LogRecord) -> None:
        self._show(record.getMessage())
