"""Prefect's server for a run: the one that is given, if it answers, or a temporary one with a database in the store."""

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
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from lisor.errors import ServerError

if TYPE_CHECKING:
    from lisor_tasks.artifacts import Store

LOOPBACK = ("127.0.0.1", "localhost", "::1")

ANSWER_SECONDS = 6.0
"""A given server that has not answered by then is not there."""

ROOM = 8 << 20
"""As many bytes Prefect's database takes when it is new; its server is killed where its files cannot grow."""

_HOMES = ("PREFECT_HOME", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH")


def default_home(store: Path) -> dict[str, str]:
    """The variable that makes a folder in the store Prefect's home. The user's own home is used where a variable or the
    active profile in ~/.prefect names it or a server; else whatever is in ~/.prefect does not matter."""
    if any(os.environ.get(name) for name in _HOMES):
        return {}
    with suppress(OSError, ValueError, KeyError, TypeError, RuntimeError):  # it is damaged, or there is none
        profiles = tomllib.loads((Path.home() / ".prefect/profiles.toml").read_text(encoding="utf-8"))
        if "PREFECT_API_URL" in profiles["profiles"][profiles["active"]]:
            return {}
    return {"PREFECT_HOME": str(store / "prefect")}


def keep_proxies_from_loopback() -> None:
    """Let no proxy stand between this process and servers on this machine."""
    for name, value in list(os.environ.items()):
        # Without this library no client is made at all, not even one that needs no proxy.
        if name.lower().endswith("_proxy") and value.startswith("socks") and find_spec("socksio") is None:
            del os.environ[name]
    excepted = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host.strip() for host in excepted.split(",") if host.strip()]
    if "*" not in hosts:
        hosts += [host for host in LOOPBACK if host not in hosts]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(hosts)


def check_answers(url: str) -> None:
    """Ask the server that is given whether it is there.

    Raises:
        ServerError: it does not answer, or is not Prefect's."""
    wrong = [f"no answer in {ANSWER_SECONDS:.0f} s"]
    asking = threading.Thread(target=copy_context().run, args=(_ask, wrong), daemon=True)
    asking.start()  # in a thread: what comes byte by byte no timeout of a client's ends
    asking.join(ANSWER_SECONDS)
    if wrong:
        raise ServerError(
            f"expected Prefect's API at PREFECT_API_URL {url[:80]}, got {' '.join(wrong[0].split())[:80]}; "
            "start that server, correct the address (it ends in /api), or unset it"
        )


def _ask(wrong: list[str]) -> None:
    from prefect.client.base import ServerType
    from prefect.client.orchestration import get_client

    try:
        with get_client(sync_client=True) as client:
            response = client.request("GET", "/health")
            if client.server_type == ServerType.CLOUD or response.json() is True:
                wrong.clear()
            else:
                wrong[0] = "something else"
    except ValueError:
        wrong[0] = "something that is no JSON"
    except Exception as error:
        wrong[0] = str(error) or type(error).__name__


class TemporaryServer:
    """A server that ends with this process, however that ends.

    It is starting when this is made, so that something else may be done until it is needed. A database of the store
    with which it does not start is set aside.

    Raises:
        StoreError: the store cannot be written, or the disk is full."""

    def __init__(self, store: Store) -> None:
        from prefect.settings import get_current_settings

        self._home = store.home
        variables = get_current_settings().to_environment_variables(exclude_unset=True)
        self._own = variables.get("PREFECT_HOME") == str(store.home / "prefect") and not any(
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
            # Two servers that make the same database at once would leave it half made.
            starting.enter_context(store.lock("prefect"))
            self._start()
            self._starting = starting.pop_all()
        atexit.register(self.stop)

    @property
    def url(self) -> str:
        """The address of its API."""
        return f"http://127.0.0.1:{self._port}/api"

    def wait(self, seconds: float) -> None:
        """Wait until it answers.

        Raises:
            ServerError: it does not start.
            StoreError: the disk is full."""
        with self._starting:
            wrong = self._wait(seconds)
            if wrong is None:
                return
            if self._own and self._set_aside():
                self._start()
                wrong = self._wait(seconds)
                if wrong is None:
                    return
            last = (wrong.strip().splitlines() or ["no word"])[-1]
            raise ServerError(f"Prefect's temporary server did not start ({last[:120]}); run again")

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        folder = self._home / "prefect"
        variables = self._variables
        if self._own:  # a relative path, since no path with a question mark can stand in an address
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(ROOM))
            database = "sqlite+aiosqlite:///prefect.db"
            variables = {**variables, "PREFECT_API_DATABASE_CONNECTION_URL": database}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # until it has started
        with socket.create_server((LOOPBACK[0], 0)) as listening:
            self._port = listening.getsockname()[1]
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(listening.fileno())],
                env=variables,
                cwd=folder if self._own else None,
                pass_fds=[listening.fileno()],
                stdin=subprocess.PIPE,  # its lifeline
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C is for the run, which ends it
            )

    def _wait(self, seconds: float) -> str | None:
        """What it has said if it does not answer."""
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

    def _set_aside(self) -> bool:
        """Whether there was a database, with which it may start no more."""
        path = self._home / "prefect/prefect.db"
        if not path.exists():
            return False
        aside = next(name for n in count(1) if not (name := path.with_name(f"prefect.db.damaged-{n}")).exists())
        for companion in ("-journal", "-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                path.with_name(path.name + companion).rename(aside.with_name(aside.name + companion))
        return True


@contextmanager
def serving(url: str) -> Iterator[None]:
    """Makes this address that of Prefect's API for what is done inside, in every thread and in processes that are
    started there: a thread that did not know it would start a server of its own, which nobody ends."""
    from prefect.context import refresh_global_settings_context
    from prefect.settings import PREFECT_API_URL, temporary_settings

    os.environ[PREFECT_API_URL.name] = url
    refresh_global_settings_context()
    try:
        with temporary_settings({PREFECT_API_URL: url}):
            yield
    finally:
        del os.environ[PREFECT_API_URL.name]
        refresh_global_settings_context()


def _serve(listening: int) -> None:
    import uvicorn

    from lisor_tasks.lifeline import end_after

    end_after(sys.stdin.buffer.read)
    config = uvicorn.Config("prefect.server.api.server:create_app", factory=True, log_level="error", lifespan="on")
    server = uvicorn.Server(config)
    server.run(sockets=[socket.socket(fileno=listening)])
    if not server.started:
        sys.exit(3)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
