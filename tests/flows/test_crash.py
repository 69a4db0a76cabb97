"""Runs that are killed: what was finished is kept, and the next run ends where an undisturbed one
does."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from copy import copy
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from prefect.settings import PREFECT_API_URL

from lisor_flows.stopping import LINE
from lisor_tasks.artifacts import Ref, Store
from lisor_tasks.database import open_database

pytestmark = pytest.mark.slow

SETTINGS = {
    "name": "crash",
    "datasets": [{"language": "000", "train": 2000, "validation": 100, "max_length": 20}],
    "models": {"cells": ["gru", "lstm"], "hidden_size": 12},
    "training": {"trials": 3, "max_epochs": 8, "patience": 8},
    "clustering": {"k": [2, 36]},
}


def start_run(config: Path, variables: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """A run as a process, leader of a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "lisor_flows.cli", "run", str(config), *arguments],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


class Runs:
    """Runs of one experiment as processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "crash.yaml"
        self.config.write_text(yaml.safe_dump(SETTINGS))
        self.prefect_home = folder / "prefect"

    def start(self, home: Path, *arguments: str) -> subprocess.Popen[str]:
        homes = {"LISOR_HOME": str(home), "PREFECT_HOME": str(self.prefect_home)}
        return start_run(self.config, homes, *arguments)

    def finish(self, home: Path) -> dict[str, int]:
        """Run to the end; the numbers of tasks."""
        process = self.start(home)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        tasks: dict[str, int] = json.loads(
            (home / "reports/crash/latest/summary.json").read_text()
        )["tasks"]
        return tasks


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def undisturbed(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("undisturbed")
    runs.finish(home)
    return home


def artifacts(home: Path) -> dict[Path, int]:
    return {
        path.parent: path.stat().st_mtime_ns for path in (home / "store").rglob("manifest.json")
    }


def check_whole(home: Path) -> None:
    """Open every artifact, which checks its digests."""
    for folder in artifacts(home):
        manifest = json.loads((folder / "manifest.json").read_text())
        Store(home).open(Ref(manifest["kind"], manifest["key"], manifest["sha256"]))


def check_tracked(home: Path, name: str = "crash", *, networks: int = 6) -> None:
    """MLflow shows the run, once and with all of its files; its database is whole, and so is the
    report."""
    with closing(sqlite3.connect(home / "mlflow.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert not list(home.glob("mlflow.db?*"))
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    (parent,) = (run for run in found if "mlflow.parentRunId" not in run.data.tags)
    children = [
        run for run in found if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id
    ]
    assert {run.info.status for run in found} == {"FINISHED"}
    assert len(children) == len(found) - 1 == networks
    report = (home / "reports" / name / "latest/report.html").read_bytes()
    assert Path(client.download_artifacts(parent.info.run_id, "report.html")).read_bytes() == report


def relocated(home: Path) -> Path:
    """A copy of a store, in which MLflow has been told where it is."""
    with open_database(home, lambda _: None):
        return home


def has_artifacts(home: Path, number: int) -> bool:
    return len(artifacts(home)) >= number


def count(home: Path, kind: str) -> int:
    return sum(path.parent.name == kind for path in artifacts(home))


def results(home: Path) -> pd.DataFrame:
    return pd.read_parquet(home / "reports/crash/latest/results.parquet").drop(columns="seconds")


def wait_until(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 200
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def has(kind: str, number: int) -> Callable[[Path], bool]:
    return lambda home: count(home, kind) >= number


def builds(kind: str) -> Callable[[Path], bool]:
    """Whether files of an artifact that is not finished are there."""
    return lambda home: any(
        files and f"/{kind}-" in at for at, _, files in os.walk(home / "scratch")
    )


@pytest.mark.parametrize(
    "reached",
    [
        has("model", 1),
        builds("hidden-states"),
        has("clusterings", 3),
        has("results", 1),
    ],
    ids=["training", "dump", "clustering", "report"],
)
def test_after_kill_9_nothing_finished_is_computed_again(
    runs: Runs, undisturbed: Path, tmp_path: Path, reached: Callable[[Path], bool]
) -> None:
    home = tmp_path / "a store with ümlauts"
    process = runs.start(home)
    wait_until(process, lambda: reached(home))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = artifacts(home)
    check_whole(home)
    runs.finish(home)
    after = artifacts(home)
    assert {folder: after[folder] for folder in before} == before
    pd.testing.assert_frame_equal(results(home), results(undisturbed))
    assert len(after) == len(artifacts(undisturbed))


def test_kills_at_random_moments_lose_nothing(
    runs: Runs, undisturbed: Path, tmp_path: Path
) -> None:
    home, rng = tmp_path / "store", np.random.default_rng(0)
    for _ in range(6):
        before, more = artifacts(home), int(rng.integers(0, 3))
        process = runs.start(home)
        wait_until(process, partial(has_artifacts, home, len(before) + more))
        time.sleep(
            rng.uniform(0, 1 if more else 8)
        )  # one that need make nothing more is killed while it starts, too
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        check_whole(home)
        now = artifacts(home)
        assert {folder: now[folder] for folder in before} == before
    runs.finish(home)
    assert len(artifacts(home)) == len(artifacts(undisturbed))
    pd.testing.assert_frame_equal(results(home), results(undisturbed))


def test_kills_while_the_report_and_mlflow_are_written_cost_neither(
    prefect_server: None, finished: Path, tiny: dict[str, Any], tmp_path: Path
) -> None:
    home, rng = finished, np.random.default_rng(1)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    # A server that is there already makes each run shorter, and is no part of what is killed.
    served = {"LISOR_HOME": str(home), "PREFECT_API_URL": str(PREFECT_API_URL.value())}

    def start() -> subprocess.Popen[str]:
        """A run that has to make all but its artifacts anew."""
        (home / "mlflow.db").unlink(missing_ok=True)
        shutil.rmtree(home / "reports", ignore_errors=True)
        return start_run(tmp_path / "tiny.yaml", served)

    def finish(process: subprocess.Popen[str]) -> None:
        _, errors = process.communicate(timeout=200)
        assert (process.returncode, "lisor: " in errors) == (0, False), errors

    started = time.monotonic()
    finish(start())
    usual = time.monotonic() - started
    for _ in range(10):
        process = start()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=rng.uniform(0, usual))
        process.kill()
        process.communicate()
        finish(start_run(tmp_path / "tiny.yaml", served))
        check_tracked(home, "tiny", networks=1)
    check_whole(home)


IN_A_FILE_SYSTEM = """
set -eu
mount -t tmpfs -o size=1g tmpfs "$MOUNTED"
if [ -n "$FROM" ]; then cp -a "$FROM/." "$MOUNTED"; fi
used=$(df -k --output=used "$MOUNTED" | tail -1)
mount -o "remount,size=$((used + LEFT))k,$MODE" "$MOUNTED"
run() {
  status=0
  "$PYTHON" -m lisor_flows.cli run "$CONFIG" > "$MOUNTED.$1.out" 2> "$MOUNTED.$1" || status=$?
  echo $status >> "$MOUNTED.$1"
}
run first
"$PYTHON" -m lisor_flows.cli store verify > /dev/null
cp -a "$MOUNTED" "$MOUNTED.then"
mount -o remount,rw,size=1g "$MOUNTED"
run second
cp -a "$MOUNTED" "$MOUNTED.after"
"""
"""A run in a file system with so many kB left or read-only, which is then made large and writable
for another."""


def run_in(
    mounted: Path, runs: Runs, *, left: int, mode: str = "rw", given: Path | None = None
) -> tuple[int, str, str]:
    """Status, standard output and last line of a run in a small file system; then another there
    must end well.

    `given` is a store to begin with."""
    mounted.mkdir()
    subprocess.run(
        ["unshare", "--mount", "sh", "-c", IN_A_FILE_SYSTEM],
        env={
            **os.environ,
            "LISOR_HOME": str(mounted), "PREFECT_HOME": str(runs.prefect_home),
            "LEFT": str(left), "MODE": mode, "MOUNTED": str(mounted),
            "PYTHON": sys.executable, "CONFIG": str(runs.config), "FROM": str(given or ""),
        },
        check=True,
        timeout=300,
    )  # fmt: skip
    *_, second = Path(f"{mounted}.second").read_text().splitlines()
    assert second == "0", Path(f"{mounted}.second").read_text()
    errors = Path(f"{mounted}.first").read_text()
    assert "Traceback" not in errors
    *_, line, status = errors.splitlines()
    return int(status), Path(f"{mounted}.first.out").read_text(), line


def can_mount() -> bool:
    """Whether this user may mount a file system that other processes do not see."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    return (
        subprocess.run(
            ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True
        ).returncode
        == 0
    )


only_root = pytest.mark.skipif(
    not can_mount(), reason="only root may mount a small file system, and not in every container"
)


@only_root
@pytest.mark.parametrize(
    ("left", "mode", "finished", "what"),
    [
        (1000, "ro", 0, "the store {} cannot be written: "),
        (12, "rw", 0, "the store {} cannot be written: "),
        (40, "rw", 1, "the store {} cannot be written: "),
        (900, "rw", 4, "the store {} cannot be written: "),
        (3700, "rw", 50, "the report cannot be written to {}/reports/crash/"),
    ],
    ids=["read-only", "12 kB", "full at training", "full at the dump", "full at the report"],
)
def test_a_disk_that_is_full_or_read_only_is_one_line_and_loses_nothing(
    runs: Runs, undisturbed: Path, tmp_path: Path, left: int, mode: str, finished: int, what: str
) -> None:
    mounted = tmp_path / "store"
    status, _, line = run_in(mounted, runs, left=left, mode=mode)
    assert status == 2
    assert line.startswith(f"lisor: {what.format(mounted)}")
    assert "/reports/" not in line or "No space left on device; what was computed is kept" in line
    before, after = artifacts(tmp_path / "store.then"), artifacts(tmp_path / "store.after")
    before, after = (
        {path.parts[-2:]: made for path, made in found.items()} for found in (before, after)
    )
    assert len(before) >= finished
    assert {name: after[name] for name in before} == before
    pd.testing.assert_frame_equal(results(tmp_path / "store.after"), results(undisturbed))


@only_root
@pytest.mark.parametrize("left", [12, 500, 3000])
def test_a_disk_that_is_full_when_mlflow_is_told_costs_no_run(
    runs: Runs, undisturbed: Path, tmp_path: Path, left: int
) -> None:
    """What is computed and published is given: what is left is for MLflow alone."""
    given, mounted = tmp_path / "given", tmp_path / "store"
    shutil.copytree(undisturbed, given, symlinks=True)
    (given / "mlflow.db").unlink()
    shutil.rmtree(given / "mlflow-artifacts")
    size = sum(file.stat().st_size for file in (given / "reports").rglob("*")) // 1000
    status, out, line = run_in(mounted, runs, left=left + size, given=given)
    assert status == 0, line
    assert "answered from the cache" in out
    assert "lisor track crash" in out or left == 3000
    check_tracked(relocated(tmp_path / "store.after"))


@only_root
def test_a_store_without_room_for_prefects_database_is_one_line(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = tmp_path / "store"
    runs = copy(runs)
    runs.prefect_home = mounted / "prefect"
    status, _, line = run_in(mounted, runs, left=3000)
    assert (status, line) == (
        2,
        f"lisor: the store {mounted} cannot be written: No space left on device",
    )


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended
            for child in map(int, file.read_text().split()):
                found |= {child, *descendants(child)}
    return found


def alive(pids: set[int]) -> set[int]:
    """Those processes of these that have not ended."""
    found = set()
    for pid in pids:
        with suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.add(pid)
    return found


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "start": lambda home: (home / "locks/prefect.lock").exists(),
    "training": has("model", 1),
    "report": has("results", 1),
    "tracking": lambda home: any(home.glob("mlflow.db.new-*")),
}
"""By what the store shows that a run has come so far; when it is being tracked it is in the
register."""


@pytest.mark.parametrize(
    ("moment", "number", "runner"),
    [
        *(
            (moment, number, "threads")
            for moment, number in product(MOMENTS, (signal.SIGTERM, signal.SIGKILL))
        ),
        ("training", signal.SIGHUP, "threads"),
        ("training", signal.SIGINT, "threads"),
        # its processes are there while something is computed
        ("training", signal.SIGTERM, "processes"),
        ("training", signal.SIGKILL, "processes"),
    ],
    ids=str,
)
def test_a_signal_at_any_moment_is_one_line_and_leaves_no_process_and_a_whole_store(
    runs: Runs, undisturbed: Path, tmp_path: Path, moment: str, number: signal.Signals, runner: str
) -> None:
    home = tmp_path / "store"
    if moment in ("report", "tracking"):  # what comes before has been computed by another run
        shutil.copytree(undisturbed, home, symlinks=True)
        for folder in ("store/report", "store/results", "results", "runs", "mlflow-artifacts"):
            shutil.rmtree(home / folder, ignore_errors=True)
        (home / "mlflow.db").unlink()
    process = runs.start(home, "--set", f"runner={runner}")
    wait_until(process, lambda: MOMENTS[moment](home))
    time.sleep(0.3)  # so that what has begun is under way
    children = descendants(process.pid)
    assert children, "the server is one"
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    if number == signal.SIGKILL:
        deadline = time.monotonic() + 10
        while alive(children):
            assert time.monotonic() < deadline, alive(children)
            time.sleep(0.05)
        assert process.returncode == -number
    else:
        assert not alive(children)
        assert process.returncode == 128 + number
        assert "Traceback" not in errors
        assert [line for line in errors.splitlines() if line.startswith("lisor: ")] == [LINE]
    check_whole(home)
    if runner == "processes" or (moment, number) == ("tracking", signal.SIGKILL):
        before = artifacts(home)
        runs.finish(home)
        after = artifacts(home)
        assert {folder: after[folder] for folder in before} == before
        check_tracked(home)
        pd.testing.assert_frame_equal(results(home), results(undisturbed))


def test_two_runs_at_a_time_compute_each_artifact_once(
    runs: Runs, undisturbed: Path, tmp_path: Path
) -> None:
    home = tmp_path / "store"
    both = [runs.start(home), runs.start(home)]
    for process in both:
        _, errors = process.communicate(timeout=400)
        assert process.returncode == 0, errors
    assert len(artifacts(home)) == len(artifacts(undisturbed))
    pd.testing.assert_frame_equal(results(home), results(undisturbed))
