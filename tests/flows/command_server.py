"""Runs command lines, each in a process that is forked with all libraries loaded, so that no time
goes into imports.

One line of JSON on standard input for each: the arguments, the folder to stand in, the seconds
until it is killed, and whether it is to be a Python of its own. One line of JSON is the answer: the
status (None of what was killed), the seconds that it kept a processor busy, and the most memory
that it used, in bytes. Even a Python of its own is started from here, since what a process held
before it became another program counts as its memory too."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

MODULES = (
    "lisor_flows.pipeline",
    "lisor_flows.explain",
    "lisor_flows.runners",
    "lisor_tasks.mirror",
    "lisor_tasks.upkeep",
    "lisor_tasks.tracking",
    "lisor.automata.formats.writing",
    "lisor.automata.prediction",
    "lisor.data.streams",
    "lisor.networks.external.builds",
    "lisor.networks.training",
    "lisor.clustering.clustering",
)


def become(arguments: list[str], folder: str, *, fresh: bool) -> None:
    """Be the command line; does not return."""
    from lisor_flows import cli

    os.setsid()
    os.chdir(folder)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ["LISOR_HOME"] = f"{folder}/home"
    if fresh:
        os.execv(sys.executable, [sys.executable, "-m", "lisor_flows.cli", *arguments])
    sys.argv = ["lisor", *arguments]
    try:
        cli.main()
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def wait(pid: int, seconds: float) -> tuple[int | None, float, int]:
    """The status, seconds and memory of a process that leads a session; after so many seconds it is
    killed."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        done, status, used = os.wait4(pid, os.WNOHANG)
        if done:
            return (
                os.waitstatus_to_exitcode(status),
                used.ru_utime + used.ru_stime,
                used.ru_maxrss * 1024,
            )
        time.sleep(0.02)
    os.killpg(pid, signal.SIGKILL)
    _, _, used = os.wait4(pid, 0)
    return None, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def main() -> None:
    from importlib import import_module

    for module in MODULES:
        import_module(module)
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            become(asked["arguments"], asked["folder"], fresh=asked["fresh"])
        print(json.dumps(wait(pid, asked["seconds"])), flush=True)


if __name__ == "__main__":
    main()
