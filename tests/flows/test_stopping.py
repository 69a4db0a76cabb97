"""Signals, in processes that do what a run does: they start others and wait."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lisor_flows.stopping import LINE

BEGIN = """
import signal, subprocess, sys, threading, time
from lisor_flows import stopping

def wait(*, children=True):
    if children:
        # One that has a session of its own and a child of its own, as a cluster has.
        subprocess.Popen(["sh", "-c", "sleep 1000 & wait"], start_new_session=True)
    threading.Thread(target=time.sleep, args=(1000,)).start()  # computes, and cannot be stopped
    time.sleep(0.2)
    print("ready", flush=True)
    while True:  # a signal that comes just before Python sleeps is seen when it wakes
        time.sleep(0.1)
"""

AT_ONCE = f"{BEGIN}\nwith stopping.ending_at_once():\n    wait()"

AFTER_PREFECT = f"""{BEGIN}
with stopping.ending_at_once():
    signal.signal(signal.SIGTERM, lambda *_: None)  # as Prefect does when a flow begins
    stopping.take_back()
    wait()
"""

BY_EXCEPTION = f"""{BEGIN}
try:
    with stopping.raising():
        try:
            print("ready", flush=True)
            while True:
                time.sleep(0.1)
        finally:
            print("cleared away", flush=True)
            if len(sys.argv) > 1:
                time.sleep(1000)
except stopping.Stopped as stopped:
    sys.exit(stopped.status)
"""


def start(code: str, *arguments: str, shell: str = "") -> subprocess.Popen[str]:
    """A process that has said that it is ready."""
    command = [sys.executable, "-c", code, *arguments]
    if shell:
        command = ["sh", "-c", f'{shell}; exec "$@"', "sh", *command]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, file.read_text().split()):
            found |= {child, *descendants(child)}
    return found


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name
)
@pytest.mark.parametrize("code", [AT_ONCE, AFTER_PREFECT], ids=["at once", "after Prefect"])
def test_a_signal_ends_a_process_and_all_that_it_has_started(
    code: str, number: signal.Signals
) -> None:
    process = start(code)
    children = descendants(process.pid)
    assert len(children) == 2
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (128 + number, f"{LINE}\n")
    assert not [child for child in children if runs(child)]


def test_one_signal_after_another_is_one_line() -> None:
    process = start(AT_ONCE)
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode in (
        128 + signal.SIGINT,
        128 + signal.SIGTERM,
    )  # whichever the process sees first
    assert errors == f"{LINE}\n"


def test_what_is_half_written_is_cleared_away() -> None:
    process = start(BY_EXCEPTION)
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=20)
    assert (process.returncode, out, errors) == (143, "cleared away\n", "")


def test_a_second_signal_ends_what_takes_too_long_to_clear_away() -> None:
    process = start(BY_EXCEPTION, "slowly")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "cleared away\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    process.communicate()


def test_signals_that_were_to_be_ignored_still_are() -> None:
    process = start(AT_ONCE, shell="trap '' HUP INT")
    for number in (signal.SIGHUP, signal.SIGINT):
        process.send_signal(number)
    time.sleep(0.3)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 143


def test_handlers_are_as_before_when_nothing_has_happened() -> None:
    code = f"""{BEGIN}
before = [signal.getsignal(number) for number in stopping.SIGNALS]
for handling in (stopping.raising, stopping.ending_at_once):
    with handling():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(number) for number in stopping.SIGNALS] == before
print("ready", flush=True)
"""
    process = start(code)
    assert process.communicate(timeout=20)[1] == ""
    assert process.returncode == 0


def test_a_process_ends_with_the_one_that_started_it() -> None:
    child = (
        "import sys, time; from lisor_tasks.lifeline import end_after; end_after(sys.stdin.read); "
        "time.sleep(1000)"
    )
    code = f"""
import subprocess, sys, time
child = subprocess.Popen(
    [sys.executable, "-c", {child!r}], stdin=subprocess.PIPE, start_new_session=True
)
print("ready", flush=True)
time.sleep(1000)
"""
    process = start(code)
    (pid,) = descendants(process.pid)
    time.sleep(0.5)
    assert runs(pid)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    deadline = time.monotonic() + 10
    while runs(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
