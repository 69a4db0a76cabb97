"""From nothing to a scheduled run: a Prefect server, a work pool, a deployment with a schedule, a worker, one run that
the schedule starts, and everything stopped again.

python -m demos.schedule        prints what it saw; the store and Prefect's files lie in a folder that is deleted"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parent.parent
EVERY = 15
"""Seconds between scheduled runs."""

SETTINGS = {
    "name": "scheduled",
    "datasets": [{"language": "000", "train": 500, "validation": 100, "test": 100, "selection": 100}],
    "models": {"cells": ["gru"]},
    "training": {"trials": 1, "max_epochs": 5},
    "clustering": {"k": [2, 8]},
}
"""Of the demonstration's own schedule for the deployment quickstart: small enough to end in seconds."""


def main() -> None:
    """Run it."""
    started = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {what}", flush=True)

    with TemporaryDirectory(prefix="lisor-demo-") as folder, ExitStack() as running:
        port = free_port()
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PREFECT_HOME": f"{folder}/prefect",
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "true",
            "LISOR_HOME": f"{folder}/store",
            "PREFECT_RESULTS_LOCAL_STORAGE_PATH": f"{folder}/store/results",
        }

        def prefect(*arguments: str) -> None:
            command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"prefect {' '.join(arguments)} failed: {done.stdout}{done.stderr}")

        def start(*arguments: str) -> None:
            command = [sys.executable, "-m", "prefect", *arguments]
            log = running.enter_context(Path(folder, f"{arguments[0]}.log").open("w"))
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
            running.callback(stop, process)

        def runs() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = _post(environment["PREFECT_API_URL"], "flow_runs/filter")
            return [run for run in found if run["auto_scheduled"] and run["state_type"] == "COMPLETED"]

        start("server", "start")
        wait(lambda: _answers(environment["PREFECT_API_URL"]), 120)
        say(f"Prefect's server answers on 127.0.0.1:{port}")
        prefect("work-pool", "create", "lisor", "--type", "process")
        say("work pool lisor made")
        prefect("automation", "create", "--from-file", "automations.yaml")
        say("automation lisor-zombies made: a run that sends no heartbeat is marked as crashed")
        prefect(
            "deploy", "--name", "quickstart", "--interval", str(EVERY), "--params", json.dumps({"settings": SETTINGS})
        )
        say(f"deployment lisor/quickstart made, a run every {EVERY} s")
        start("worker", "start", "--pool", "lisor", "--limit", "1")
        say("worker started")
        wait(lambda: bool(runs()), 300)
        run = runs()[0]
        say(f"run {run['name']} was started by the schedule and is {run['state_name'].lower()}")
        summary = json.loads(Path(folder, "store/reports/scheduled/summary.json").read_text())
        row = summary["headline"][0]
        say(f"its report is there: {row['dataset']}, {row['cell']}, {summary['tasks']['run']} tasks run")
    say("worker and server stopped, all their files deleted")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process with all that it has started."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/health", timeout=5).close()
    except OSError:
        return False
    return True


def _post(url: str, path: str) -> Any:
    request = urllib.request.Request(f"{url}/{path}", b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"nothing came of it within {seconds:.0f} s")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
