"""Runs logged to an MLflow server, by a process of its own: a thread that waits for a server could
not be ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any

from lisor.errors import TrackingError
from lisor_tasks.artifacts import Store
from lisor_tasks.register import Record

LOADING_SECONDS = 120
"""The most seconds until the process has loaded MLflow."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """The time that a server may take.

    Its first response may take `spare` seconds. Every later one may take `each` seconds, and all
    together may take `spare` seconds more."""

    each: float
    spare: float = 8.0


BESIDE_A_RUN = Patience(each=1.0)
"""For a run, which should not wait for MLflow."""

WHEN_ASKED = Patience(each=60.0)
"""For a command that only logs to MLflow."""


def log_to_server(record: Record, store: Store, patience: Patience) -> tuple[str, str]:
    """Log a run to the MLflow of MLFLOW_TRACKING_URI unless it is there; return the ids of its
    experiment and parent run.

    Raises:
        TrackingError: the server does not answer in time, or refuses."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", __name__],
        env={**os.environ, "LISOR_HOME": str(store.home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the run, which ends this process
        text=True,
    ) as process:
        try:
            assert process.stdin is not None and process.stdout is not None
            request = {"name": record.name, "record": record.to_json()}
            print(json.dumps(request), file=process.stdin, flush=True)
            return _wait(process.stdout, patience)
        finally:
            process.kill()


def _wait(output: IO[str], patience: Patience) -> tuple[str, str]:
    """The ids of the experiment and of the parent run, as the process prints them.

    Raises:
        TrackingError: the process failed, or its server took too long."""
    lines: SimpleQueue[str] = SimpleQueue()

    def read() -> None:
        for line in output:
            lines.put(line)
        lines.put("{}")

    Thread(target=read, name="read-tracking", daemon=True).start()
    answered, free, spare, limit = False, 0.0, patience.spare, float(LOADING_SECONDS)
    while True:
        started = time.monotonic()
        try:
            message = json.loads(lines.get(timeout=limit))
        except Empty:
            raise TrackingError(f"no answer in {limit:.0f} s") from None
        match message:
            case {"asks": True}:
                free = patience.each if answered else 0.0
                limit = free + spare
            case {"asks": False}:
                answered = True
                spare = max(0.0, spare - max(0.0, time.monotonic() - started - free))
                limit = LOADING_SECONDS  # for local work before the next request
            case {"experiment": experiment, "run": run}:
                return str(experiment), str(run)
            case {"error": error}:
                raise TrackingError(str(error))
            case _:
                raise TrackingError("the process that logs the run has ended")


class _Watched:
    """An MLflow client that reports when it sends a request and when it has the response."""

    def __init__(self, client: Any, report: Any) -> None:
        self._client, self._report = client, report

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._report(asks=True)
            result = method(*arguments, **named)
            self._report(asks=False)
            return result

        return call


def _main() -> None:
    """Log the record on standard input, and report the progress on standard output."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # MLflow prints the addresses of runs

    def report(**message: Any) -> None:
        print(json.dumps(message), file=out, flush=True)

    from mlflow import MlflowClient

    from lisor_tasks.artifacts import open_store
    from lisor_tasks.lifeline import end_after
    from lisor_tasks.register import parse
    from lisor_tasks.tracked import tracking_uri
    from lisor_tasks.tracking_run import log_run

    request = json.loads(sys.stdin.readline())
    end_after(sys.stdin.read)
    store = open_store()
    try:
        with store.lock("mlflow"):  # search-then-create is not atomic
            report(asks=True)
            client: Any = _Watched(MlflowClient(tracking_uri(store.home)), report)
            report(asks=False)
            record = parse(request["record"], request["name"])
            experiment, run = log_run(client, record, store)
        report(experiment=experiment, run=run)
    except Exception as error:
        report(error=str(error) or type(error).__name__)


if __name__ == "__main__":
    _main()
