"""Real servers on 127.0.0.1 for as long as a context lasts, on ports that nothing else has."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, Popen

ROOT = Path(__file__).parent.parent


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def running(
    *arguments: str, environment: Mapping[str, str], log: Path | None = None, cwd: Path = ROOT
) -> Iterator[Popen[bytes]]:
    """`python arguments` as a process that ends with the context, together with all that it has
    started."""
    with (log or Path(os.devnull)).open("wb") as out:
        process = Popen(
            [sys.executable, *arguments], cwd=cwd, env=environment,
            stdin=DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        _stop(process)


@contextmanager
def prefect_server(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which commands speak to a Prefect server that has its files, and the
    store, in a folder."""
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
    }
    with running(
        "-m", "prefect", "server", "start", environment=environment, log=folder / "server.log"
    ) as server:
        wait_until_it_answers(f"{environment['PREFECT_API_URL']}/health", server)
        yield environment


def prefect(environment: Mapping[str, str], *arguments: str) -> None:
    """Run a command of Prefect in the repository's folder, and exit with what it says if it
    fails."""
    python("-m", "prefect", "--no-prompt", *arguments, environment=environment)


def python(*arguments: str, environment: Mapping[str, str]) -> str:
    """What `python arguments` prints, run in the repository's folder; exit with all that it says if
    it fails."""
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"python {' '.join(arguments)} failed: {done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def mlflow_pages(home: Path) -> Iterator[str]:
    """The address of MLflow's pages on a store, as `lisor ui` shows them."""
    port, environment = free_port(), {**os.environ, "LISOR_HOME": str(home)}
    with running(
        "-m", "lisor_flows.cli", "ui", "--port", str(port), environment=environment
    ) as server:
        url = f"http://127.0.0.1:{port}"
        wait_until_it_answers(f"{url}/health", server)
        yield url


def wait(condition: Callable[[], bool], seconds: float) -> None:
    """Return when a condition holds; exit if it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"nothing came of it within {seconds:.0f} s")
        time.sleep(0.2)


def wait_until_it_answers(url: str, server: Popen[bytes], seconds: float = 120.0) -> None:
    """Return when an address answers; exit if its server has ended or does not within so many
    seconds."""

    def answers() -> bool:
        if server.poll() is not None:
            sys.exit(f"the server of {url} ended with status {server.returncode}")
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            return False
        return True

    wait(answers, seconds)


def _stop(process: Popen[bytes]) -> None:
    """End a process with all that it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
