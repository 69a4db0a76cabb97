"""From nothing to a scheduled run: a Prefect server, a work pool, a deployment with a schedule, a
worker, one run that the schedule starts, and everything stopped again.

python -m demos.schedule        prints what it saw; the store and Prefect's files lie in a folder
                                that is deleted"""

from __future__ import annotations

import json
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from demos.servers import prefect, prefect_server, running, wait

EVERY = 15
"""Seconds between scheduled runs."""

SETTINGS = {
    "name": "scheduled",
    "datasets": [
        {"language": "000", "train": 500, "validation": 100, "test": 100, "selection": 100}
    ],
    "models": {"cells": ["gru"]},
    "training": {"trials": 1, "max_epochs": 5},
    "clustering": {"k": [2, 8]},
}
"""Of the demonstration's own schedule for the deployment quickstart: small enough to end in
seconds."""


def main() -> None:
    """Run it."""
    started = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {what}", flush=True)

    with TemporaryDirectory(prefix="lisor-demo-") as folder, ExitStack() as servers:
        environment = servers.enter_context(prefect_server(Path(folder)))

        def runs() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = _post(environment["PREFECT_API_URL"], "flow_runs/filter")
            return [
                run for run in found if run["auto_scheduled"] and run["state_type"] == "COMPLETED"
            ]

        say(f"Prefect's server answers on 127.0.0.1:{environment['PREFECT_SERVER_API_PORT']}")
        prefect(environment, "work-pool", "create", "lisor", "--type", "process")
        say("work pool lisor made")
        prefect(environment, "automation", "create", "--from-file", "automations.yaml")
        say("automation lisor-zombies made: a run that sends no heartbeat is marked as crashed")
        parameters = json.dumps({"settings": SETTINGS})
        prefect(
            environment,
            "deploy",
            "--name",
            "quickstart",
            "--interval",
            str(EVERY),
            "--params",
            parameters,
        )
        say(f"deployment lisor/quickstart made, a run every {EVERY} s")
        worker = ("-m", "prefect", "worker", "start", "--pool", "lisor", "--limit", "1")
        servers.enter_context(
            running(*worker, environment=environment, log=Path(folder, "worker.log"))
        )
        say("worker started")
        wait(lambda: bool(runs()), 300)
        run = runs()[0]
        say(f"run {run['name']} was started by the schedule and is {run['state_name'].lower()}")
        summary = json.loads(
            Path(folder, "store/reports/scheduled/latest/summary.json").read_text()
        )
        row = summary["headline"][0]
        say(
            f"its report is there: {row['dataset']}, {row['cell']}, {summary['tasks']['run']} "
            f"tasks run"
        )
    say("worker and server stopped, all their files deleted")


def _post(url: str, path: str) -> Any:
    request = urllib.request.Request(f"{url}/{path}", b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


if __name__ == "__main__":
    main()
