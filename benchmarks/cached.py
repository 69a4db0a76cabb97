"""`lisor run quickstart` where everything is cached and a Prefect server is running."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import Work
from demos.servers import prefect_server, python


def works() -> list[Work]:
    """The command as ours; nothing to hold it against."""
    started = ExitStack()
    atexit.register(started.close)
    environment = started.enter_context(
        prefect_server(Path(started.enter_context(TemporaryDirectory())))
    )

    def run() -> str:
        printed = python("-m", "lisor_flows.cli", "run", "quickstart", environment=environment)
        return next(line for line in printed.splitlines() if "tasks" in line)

    return [Work(name="cached", ours=run, peer=None, quality=lambda said, _: said)]
