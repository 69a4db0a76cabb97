"""Prefect's server for a run: the given one, if it answers, or a temporary one with a database in
the store."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import copy_context
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path

from lisor.errors import ServerError
from lisor_tasks.artifacts import Store, set_aside

LOOPBACK = ("127.0.0.1", "localhost", "::1")

ANSWER_SECONDS = 6.0
"""The most seconds until a given server answers."""

ROOM = 8 << 20
"""The bytes of a new database of Prefect's, whose server is killed if its files cannot grow."""

_HOMES = ("PREFECT_HOME", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH")


def default_home(store: Path) -> dict[str, str]:
    """The environment variable that makes a folder in the store Prefect's home.

    It is left out if a variable names another home, or the active profile in ~/.prefect names a
    server. Else nothing in ~/.prefect counts."""
    if any(os.environ.get(name) for name in _HOMES):
        return {}
    # the profiles may be missing or damaged
    with suppress(OSError, ValueError, KeyError, TypeError, RuntimeError):
        path = Path.home() / ".prefect/profiles.toml"
        profiles = tomllib.loads(path.read_text(encoding="utf-8"))
        if "PREFECT_API_URL" in profiles["profiles"][profiles["active"]]:
            return {}
    return {"PREFECT_HOME": str(store / "prefect")}


def keep_proxies_from_loopback() -> None:
    """Connect to servers on this computer without a proxy."""
    for name, value in list(os.environ.items()):
        # without this library no client can be made, not even one that needs no proxy
        if (
            name.lower().endswith("_proxy")
            and value.startswith("socks")
            and find_spec("socksio") is None
        ):
            del os.environ[name]
    excepted = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host.strip() for host in excepted.split(",") if host.strip()]
    if "*" not in hosts:
        hosts += [host for host in LOOPBACK if host not in hosts]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(hosts)


def check_answers(url: str) -> None:
    """Check that the given server answers.

    Raises:
        ServerError: it does not answer, or is not Prefect's."""
    problems = [f"no answer in {ANSWER_SECONDS:.0f} s"]
    # in a thread: a client's timeout does not end a response that comes byte by byte
    asking = threading.Thread(target=copy_context().run, args=(_ask, problems), daemon=True)
    asking.start()
    asking.join(ANSWER_SECONDS)
    if problems:
        raise ServerError(
            f"expected Prefect's API at PREFECT_API_URL {url[:80]}, "
            f"got {' '.join(problems[0].split())[:80]}; "
            "start that server, correct the address (it ends in /api), or unset it"
        )


def _ask(problems: list[str]) -> None:
    """Clear the list if the server answers as Prefect's, else put its problem there."""
    from prefect.client.base import ServerType
    from prefect.client.orchestration import get_client

    try:
        with get_client(sync_client=True) as client:
            response = client.request("GET", "/health")
            if client.server_type == ServerType.CLOUD or response.json() is True:
                problems.clear()
            else:
                problems[0] = "something else"
    except ValueError:
        problems[0] = "something that is no JSON"
    except Exception as error:
        problems[0] = str(error) or type(error).__name__


class TemporaryServer:
    """A server that ends with this process, for whatever reason.

    It starts in the background when this object is made. A database of the store with which it does
    not start is set aside.

    Raises:
        StoreError: the store cannot be written, or the disk is full."""

    def __init__(self, store: Store) -> None:
        from prefect.settings import get_current_settings

        self._home = store.home
        variables = get_current_settings().to_environment_variables(exclude_unset=True)
        self._in_store = variables.get("PREFECT_HOME") == str(store.home / "prefect") and not any(
            name.endswith("DATABASE_CONNECTION_URL") for name in variables
        )
        self._variables = {
            **os.environ,
            **variables,
            "PREFECT_UI_ENABLED": "0",
            "PREFECT__SERVER_EPHEMERAL": "1",
            "PREFECT__SERVER_FINAL": "1",
        }
        with ExitStack() as starting:
            # two servers that make the same database at once would leave it half made
            starting.enter_context(store.lock("prefect"))
            self._start()
            self._starting = starting.pop_all()
        atexit.register(self.stop)

    @property
    def url(self) -> str:
        """The address of the server's API."""
        return f"http://127.0.0.1:{self._port}/api"

    def wait(self, seconds: float) -> None:
        """Wait until the server answers.

        Raises:
            ServerError: it does not start.
            StoreError: the disk is full."""
        database = self._home / "prefect/prefect.db"
        with self._starting:
            log = self._wait(seconds)
            if log is not None and self._in_store and database.exists():
                set_aside(database)
                self._start()
                log = self._wait(seconds)
            if log is not None:
                last = (log.strip().splitlines() or ["it printed nothing"])[-1]
                raise ServerError(
                    f"Prefect's temporary server did not start ({last[:120]}); run again"
                )

    def stop(self) -> None:
        """End the server."""
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        folder = self._home / "prefect"
        variables = self._variables
        if self._in_store:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(ROOM))
            # a relative path: an absolute one may have a question mark, which ends an address
            database = "sqlite+aiosqlite:///prefect.db"
            variables = {**variables, "PREFECT_API_DATABASE_CONNECTION_URL": database}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # until it has started
        with socket.create_server((LOOPBACK[0], 0)) as listening:
            self._port = listening.getsockname()[1]
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(listening.fileno())],
                env=variables,
                cwd=folder if self._in_store else None,
                pass_fds=[listening.fileno()],
                stdin=subprocess.PIPE,  # its lifeline
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C is for the run, which ends it
            )

    def _wait(self, seconds: float) -> str | None:
        """The output of the server if it does not answer; None if it does."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError, HTTPException):
                connection = HTTPConnection(LOOPBACK[0], self._port, timeout=2)
                connection.request("GET", "/api/health")
                if connection.getresponse().status == 200:
                    return None
        self.stop()
        self._log.seek(0)
        return self._log.read().decode(errors="replace")


@contextmanager
def serving(url: str) -> Iterator[None]:
    """Makes this the address of Prefect's API in the block, for all threads and for processes that
    are started there: a thread without it would start a server that nobody ends.

    Nobody waits for heartbeats on a server that ends with the run, and the thread that sends them
    keeps the end of a flow waiting for up to a second."""
    from prefect.context import refresh_global_settings_context
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        temporary_settings,
    )

    os.environ[PREFECT_API_URL.name] = url
    refresh_global_settings_context()
    try:
        with temporary_settings({PREFECT_API_URL: url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            yield
    finally:
        del os.environ[PREFECT_API_URL.name]
        refresh_global_settings_context()


def _serve(listening: int) -> None:
    import uvicorn

    from lisor_tasks.lifeline import end_after

    end_after(sys.stdin.buffer.read)
    config = uvicorn.Config(
        "prefect.server.api.server:create_app", factory=True, log_level="error", lifespan="on"
    )
    server = uvicorn.Server(config)
    server.run(sockets=[socket.socket(fileno=listening)])
    if not server.started:
        sys.exit(3)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
