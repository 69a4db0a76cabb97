"""`lisor run quickstart` where everything is cached and a Prefect server is running."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from tempfile import mkdtemp
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.measure import Work

COMMAND = [sys.executable, "-m", "flows.cli", "run", "quickstart"]


def works() -> list[Work]:
    """The command as ours; nothing to hold it against."""
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    address = _serve(folder)
    environment = os.environ | {
        "LISOR_HOME": str(folder / "store"),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": address,
    }

    def run() -> str:
        done = subprocess.run(COMMAND, check=True, env=environment, capture_output=True, text=True)
        return next(line for line in done.stdout.splitlines() if "tasks" in line)

    return [Work(name="cached", ours=run, peer=None, quality=lambda said, _: said)]


def _serve(folder: Path) -> str:
    """The address of a Prefect server on this machine, stopped when the process ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"PREFECT_HOME": str(folder / "prefect")}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              start_new_session=True)  # fmt: skip
    atexit.register(os.killpg, server.pid, signal.SIGTERM)
    address = f"http://127.0.0.1:{port}/api"
    for _ in range(600):
        try:
            urlopen(f"{address}/health", timeout=1).close()
            return address
        except (URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError("the Prefect server did not answer within a minute")
