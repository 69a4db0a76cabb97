"""What Ctrl-C, SIGTERM and SIGHUP do: one line, and a status of 128 and the signal's number."""

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
from typing import Any, NoReturn

LINE = "lisor: stopped; what was finished is kept and will not be computed again"

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

MARKING_SECONDS = 2.0
"""So long Prefect's server may take to note that a run was stopped."""

_TAKEN: ContextVar[tuple[signal.Signals, ...]] = ContextVar("taken", default=())
"""The signals that end a run at once."""


class Stopped(BaseException):
    """A signal has come, for which a command ends, with this status."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


@contextmanager
def raising() -> Iterator[None]:
    """A signal raises `Stopped`, so that what is half written is cleared away; another ends the process."""
    with _handling(_raise):
        yield


@contextmanager
def ending_at_once() -> Iterator[None]:
    """A signal ends the process and all that it has started. The store is made for that, and threads that compute can
    be neither stopped nor waited for."""
    with _handling(_end) as taken:
        token = _TAKEN.set(taken)
        try:
            yield
        finally:
            _TAKEN.reset(token)


def take_back() -> None:
    """Handle the signals as before: when a flow begins Prefect takes SIGTERM, for which it would wait for its tasks."""
    for number in _TAKEN.get():
        signal.signal(number, _end)


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], NoReturn]) -> Iterator[tuple[signal.Signals, ...]]:
    """Handles the signals inside, except those that whoever started this wants ignored, as `nohup` does."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in SIGNALS if in_main_thread}
    taken = tuple(number for number, former in before.items() if former != signal.SIG_IGN)
    for number in taken:
        signal.signal(number, handler)
    try:
        yield taken
    except Stopped:
        raise  # as it is, so that another signal ends what the first began
    except BaseException:
        _restore(taken, before)
        raise
    else:
        _restore(taken, before)


def _restore(taken: tuple[signal.Signals, ...], before: dict[signal.Signals, Any]) -> None:
    for number in taken:
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
    with suppress(OSError):  # no terminal is there any more
        shown = "\x1b[?25h\n" if os.isatty(2) else ""  # a bar hides the cursor
        os.write(2, f"{shown}{LINE}\n".encode())
    _mark_stopped(signal.Signals(number).name)
    _kill(os.getpid())
    os._exit(128 + number)


def _mark_stopped(name: str) -> None:
    """Say to Prefect that its flow run has ended, else it is shown as running for ever."""
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
    """Kill all that a process has started. Where there is no /proc they end by their lifelines."""
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
