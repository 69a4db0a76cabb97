"""Telling an MLflow elsewhere, in a process of its own: a server that never answers cannot be waited for in a thread,
which nobody can end."""

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
"""A process that has not loaded MLflow by then does not run."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a server is waited for.

    Its first answer may take `spare` seconds. Of every later one `each` seconds are free, and what they take beyond
    that is at most `spare` seconds in all."""

    each: float
    spare: float = 8.0


BESIDE_A_RUN = Patience(each=1.0)
"""For who waits for a run, and not for MLflow."""

WHEN_ASKED = Patience(each=60.0)
"""For who waits for nothing else."""


def log_to_server(record: Record, store: Store, patience: Patience) -> tuple[str, str]:
    """The ids of the experiment and of the parent run that show a run in the MLflow of MLFLOW_TRACKING_URI.

    Raises:
        TrackingError: it does not answer in time, or refuses."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", __name__],
        env={**os.environ, "LISOR_HOME": str(store.home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the run, which says what becomes of this
        text=True,
    ) as process:
        try:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps({"name": record.name, "record": record.to_json()}) + "\n")
            process.stdin.flush()
            return _wait(process.stdout, patience)
        finally:
            process.kill()


def _wait(output: IO[str], patience: Patience) -> tuple[str, str]:
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
            said = json.loads(lines.get(timeout=limit))
        except Empty:
            raise TrackingError(f"no answer in {limit:.0f} s") from None
        match said:
            case {"asks": True}:
                free = patience.each if answered else 0.0
                limit = free + spare
            case {"asks": False}:
                answered, spare = True, max(0.0, spare - max(0.0, time.monotonic() - started - free))
                limit = LOADING_SECONDS  # for what this machine does before it asks again
            case {"experiment": experiment, "run": run}:
                return str(experiment), str(run)
            case {"error": error}:
                raise TrackingError(str(error))
            case _:
                raise TrackingError("the process that asked it has ended")


class _Watched:
    """An MLflow client that says when it asks and when it was answered."""

    def __init__(self, client: Any, say: Any) -> None:
        self._client, self._say = client, say

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._say(asks=True)
            result = method(*arguments, **named)
            self._say(asks=False)
            return result

        return call


def _main() -> None:
    """Tell the server of the record on standard input, and say on standard output how that goes."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # MLflow prints where a run can be seen

    def say(**what: Any) -> None:
        print(json.dumps(what), file=out, flush=True)

    from mlflow import MlflowClient

    from lisor_tasks import tracking
    from lisor_tasks.artifacts import open_store
    from lisor_tasks.lifeline import end_after
    from lisor_tasks.register import parse
    from lisor_tasks.told import tracking_uri

    given = json.loads(sys.stdin.readline())
    end_after(sys.stdin.read)
    store = open_store()
    try:
        with store.lock("mlflow"):  # search-then-create is not atomic
            say(asks=True)
            client: Any = _Watched(MlflowClient(tracking_uri(store.home)), say)
            say(asks=False)
            record = parse(given["record"], given["name"])
            experiment, run = tracking._fill(client, record, store)
        say(experiment=experiment, run=run)
    except Exception as error:
        say(error=str(error) or type(error).__name__)


if __name__ == "__main__":
    _main()
