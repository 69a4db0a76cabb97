"""The queue of the tasks of a run, with progress by stages on the terminal."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from prefect.futures import PrefectFuture
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from lisor_flows.runners import Runner
from lisor_tasks.caching import EXECUTION, CachedTask
from lisor_tasks.execution import PROGRESS, Execution

R = TypeVar("R")

QUIET_SECONDS = 5.0
"""The seconds between two lines of progress of a stage where there is no terminal."""


class TaskQueue:
    """Submits tasks to a runner, each when its inputs exist, so that no thread waits.

    `home` is the folder of the store, `threads` the number of threads of each task. A terminal
    shows a bar for each stage; a pipe gets plain lines."""

    def __init__(self, runner: Runner, home: Path, threads: int) -> None:
        self._runner, self._execution = runner, Execution(home=str(home), threads=threads)
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description:<9}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._bars = Progress(*columns, console=console) if console.is_terminal else None
        self._ids: dict[str, TaskID] = {}
        self._printed = time.monotonic()
        self._handler = _Lines(self._print)
        self.total: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.cached: Counter[str] = Counter()

    def __enter__(self) -> TaskQueue:
        logging.getLogger("prefect.task_runs").addHandler(self._handler)
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        logging.getLogger("prefect.task_runs").removeHandler(self._handler)
        if self._bars:
            self._bars.stop()

    async def run(
        self, stage: str, task: CachedTask[..., R], *, label: str = "", **arguments: Any
    ) -> R:
        """The result of a task, which progress and logs show as `label`."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def wake(_: PrefectFuture[R]) -> None:
            with suppress(RuntimeError):  # the loop is closed: another task has failed
                loop.call_soon_threadsafe(done.set)

        future: PrefectFuture[R] = self._runner.submit(
            task, {**task.step.bind(**arguments), EXECUTION: replace(self._execution, label=label)}
        )
        future.add_done_callback(wake)
        self._begin(stage)
        await done.wait()
        result = future.result()
        self._finish(stage, cached=future.state.name == "Cached")
        return result

    def _begin(self, stage: str) -> None:
        self.total[stage] += 1
        if self._bars:
            if stage not in self._ids:
                self._ids[stage] = self._bars.add_task(stage, total=0)
            self._bars.update(self._ids[stage], total=self.total[stage])

    def _finish(self, stage: str, *, cached: bool) -> None:
        self.done[stage] += 1
        self.cached[stage] += cached
        if self._bars:
            self._bars.advance(self._ids[stage])
        elif (
            self.done[stage] == self.total[stage]
            or time.monotonic() - self._printed > QUIET_SECONDS
        ):
            self._printed = time.monotonic()
            done = f"{self.done[stage]} of {self.total[stage]} done"
            self._print(f"{stage}: {done}, {self.cached[stage]} from the cache")

    def _print(self, line: str) -> None:
        if self._bars:
            self._bars.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)


class _Lines(logging.Handler):
    """Shows the progress messages of tasks."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._show = show
        self.addFilter(lambda record: getattr(record, PROGRESS, False))

    def emit(self, record: logging.LogRecord) -> None:
        self._show(record.getMessage())
