"""Handlers of Ctrl-C, SIGTERM and SIGHUP: they print one line and end with status 128 + signal."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from pathlib import Path
from types import FrameType
from typing import NoReturn

LINE = "lisor: stopped; what was finished is kept and will not be computed again"

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

MARKING_SECONDS = 2.0
"""The most seconds that Prefect's server may take to mark a run as stopped."""

_TAKEN: ContextVar[tuple[signal.Signals, ...]] = ContextVar("taken", default=())
"""The signals that `_end` handles in this context."""


class Stopped(BaseException):
    """A signal that ends a command, with its exit status."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


@contextmanager
def raising() -> Iterator[None]:
    """Makes a signal raise `Stopped`, so that half-written files are removed; a second one ends the
    process."""
    with _handling(_raise):
        yield


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Makes a signal end the process and all that it has started. The store is made for that, and
    threads that compute can be neither stopped nor waited for."""
    with _handling(_end) as taken:
        token = _TAKEN.set(taken)
        try:
            yield
        finally:
            _TAKEN.reset(token)


def take_back() -> None:
    """Handle the signals as before the flow: Prefect's own handler of SIGTERM waits for tasks."""
    for number in _TAKEN.get():
        signal.signal(number, _end)


@contextmanager
def _handling(
    handler: Callable[[int, FrameType | None], NoReturn],
) -> Iterator[tuple[signal.Signals, ...]]:
    """Handles the signals in the block, except those that the parent process ignores, as `nohup`
    does."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in SIGNALS if in_main_thread}
    taken = tuple(number for number, former in before.items() if former != signal.SIG_IGN)
    for number in taken:
        signal.signal(number, handler)
    stopped = False
    try:
        yield taken
    except Stopped:
        stopped = True  # the handlers stay, so that another signal ends the process
        raise
    finally:
        for number in () if stopped else taken:
            signal.signal(number, before[number])


def _raise(number: int, _: FrameType | None) -> NoReturn:
    for other in SIGNALS:
        signal.signal(other, _leave)
    raise Stopped(number)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    os._exit(128 + number)


def _end(number: int, _: FrameType | None) -> NoReturn:
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    with suppress(OSError):  # the terminal may be closed
        shown = "\x1b[?25h\n" if os.isatty(2) else ""  # a bar hides the cursor
        os.write(2, f"{shown}{LINE}\n".encode())
    _mark_stopped(signal.Signals(number).name)
    _kill(os.getpid())
    os._exit(128 + number)


def _mark_stopped(name: str) -> None:
    """Mark the flow run as ended, which Prefect would else show as running for ever."""
    context = getattr(sys.modules.get("prefect.context"), "FlowRunContext", None)
    run = getattr(context and context.get(), "flow_run", None)
    if run is None:
        return

    def mark() -> None:
        from prefect.client.orchestration import get_client
        from prefect.states import Crashed

        with suppress(Exception), get_client(sync_client=True) as client:
            client.set_flow_run_state(run.id, Crashed(message=f"Stopped by {name}."), force=True)

    thread = threading.Thread(target=copy_context().run, args=(mark,), daemon=True)
    thread.start()
    thread.join(MARKING_SECONDS)


def _kill(pid: int) -> None:
    """Kill all children of a process; without /proc they end by their lifelines."""
    children: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended
            children += map(int, file.read_text().split())
    for child in children:
        _kill(child)
        with suppress(OSError):
            os.kill(child, signal.SIGKILL)
        if pid == os.getpid():
            with suppress(OSError):
                os.waitpid(child, 0)
