"""Runs that are killed: what was finished is kept, and the next run ends where an undisturbed one does."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from lisor_tasks.artifacts import Ref, Store

pytestmark = pytest.mark.slow

SETTINGS = {
    "name": "crash",
    "datasets": [{"language": "000", "train": 2000, "validation": 100, "max_length": 20}],
    "models": {"cells": ["gru", "lstm"], "hidden_size": 12},
    "training": {"trials": 3, "max_epochs": 8, "patience": 8},
    "clustering": {"k": [2, 36]},
}


class Runs:
    """Runs of one experiment as processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "crash.yaml"
        self.config.write_text(yaml.safe_dump(SETTINGS))
        self.prefect_home = folder / "prefect"

    def start(self, home: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "lisor_flows.cli", "run", str(self.config)],
            env={**os.environ, "LISOR_HOME": str(home), "PREFECT_HOME": str(self.prefect_home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that the server it starts can be killed with it
        )

    def finish(self, home: Path) -> dict[str, int]:
        """Run to the end; the numbers of tasks."""
        process = self.start(home)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        tasks: dict[str, int] = json.loads((home / "reports/crash/latest/summary.json").read_text())["tasks"]
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
    return {path.parent: path.stat().st_mtime_ns for path in (home / "store").rglob("manifest.json")}


def check_whole(home: Path) -> None:
    """Open every artifact, which checks its digests."""
    for folder in artifacts(home):
        manifest = json.loads((folder / "manifest.json").read_text())
        Store(home).open(Ref(manifest["kind"], manifest["key"], manifest["sha256"]))


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
    return lambda home: any(files and f"/{kind}-" in at for at, _, files in os.walk(home / "scratch"))


@pytest.mark.parametrize(
    "reached",
    [
        has("dataset", 1),
        has("model", 1),
        has("model", 4),
        builds("hidden-states"),
        has("clusterings", 3),
        has("results", 1),
    ],
    ids=["first training", "training", "last training", "dump", "clustering", "report"],
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


def test_twelve_kills_at_random_moments_lose_nothing(runs: Runs, undisturbed: Path, tmp_path: Path) -> None:
    home, rng = tmp_path / "store", np.random.default_rng(0)
    for _ in range(12):
        before, more = artifacts(home), int(rng.integers(0, 3))
        process = runs.start(home)
        wait_until(process, partial(has_artifacts, home, len(before) + more))
        time.sleep(rng.uniform(0, 1 if more else 8))  # one that need make nothing more is killed while it starts, too
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        check_whole(home)
        now = artifacts(home)
        assert {folder: now[folder] for folder in before} == before
    runs.finish(home)
    assert len(artifacts(home)) == len(artifacts(undisturbed))
    pd.testing.assert_frame_equal(results(home), results(undisturbed))


IN_A_FILE_SYSTEM = """
set -eu
mount -t tmpfs -o "$OPTIONS" tmpfs "$MOUNTED"
run() {
  status=0
  "$PYTHON" -m lisor_flows.cli run "$CONFIG" > /dev/null 2> "$MOUNTED.$1" || status=$?
  echo $status >> "$MOUNTED.$1"
}
run first
"$PYTHON" -m lisor_flows.cli store verify > /dev/null
cp -a "$MOUNTED" "$MOUNTED.then"
mount -o remount,rw,size=1g "$MOUNTED"
run second
cp -a "$MOUNTED" "$MOUNTED.after"
"""
"""A run in a small or read-only file system, which is then made large and writable for another."""


def can_mount() -> bool:
    """Whether this user may mount a file system that other processes do not see."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    return (
        subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode
        == 0
    )


@pytest.mark.skipif(not can_mount(), reason="only root may mount a small file system, and not in every container")
@pytest.mark.parametrize(
    ("options", "finished", "what"),
    [
        ("ro", 0, "the store {} cannot be written: "),
        ("size=40k", 1, "the store {} cannot be written: "),
        ("size=900k", 4, "the store {} cannot be written: "),
        ("size=3m", 50, "the report cannot be written to {}/reports/crash/"),
    ],
    ids=["read-only", "full at training", "full at the dump", "full at the report"],
)
def test_a_disk_that_is_full_or_read_only_is_one_line_and_loses_nothing(
    runs: Runs, undisturbed: Path, tmp_path: Path, options: str, finished: int, what: str
) -> None:
    mounted = tmp_path / "store"
    mounted.mkdir()
    subprocess.run(
        ["unshare", "--mount", "sh", "-c", IN_A_FILE_SYSTEM],
        env={
            **os.environ, "LISOR_HOME": str(mounted), "PREFECT_HOME": str(runs.prefect_home), "OPTIONS": options,
            "MOUNTED": str(mounted), "PYTHON": sys.executable, "CONFIG": str(runs.config),
        },
        check=True,
        timeout=300,
    )  # fmt: skip
    *_, line, status = (tmp_path / "store.first").read_text().splitlines()
    assert (status, "Traceback" in (tmp_path / "store.first").read_text()) == ("2", False)
    assert line.startswith(f"lisor: {what.format(mounted)}")
    assert "/reports/" not in line or "No space left on device; what was computed is kept" in line
    *_, status = (tmp_path / "store.second").read_text().splitlines()
    assert status == "0"
    before, after = artifacts(tmp_path / "store.then"), artifacts(tmp_path / "store.after")
    before, after = ({path.parts[-2:]: made for path, made in found.items()} for found in (before, after))
    assert len(before) >= finished
    assert {name: after[name] for name in before} == before
    pd.testing.assert_frame_equal(results(tmp_path / "store.after"), results(undisturbed))


def test_ctrl_c_is_one_line_and_leaves_the_store_whole(runs: Runs, undisturbed: Path, tmp_path: Path) -> None:
    home = tmp_path / "store"
    process = runs.start(home)
    wait_until(process, lambda: count(home, "model") >= 1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert errors.strip().splitlines()[-1].startswith("lisor: stopped")
    before = artifacts(home)
    runs.finish(home)
    after = artifacts(home)
    assert {folder: after[folder] for folder in before} == before
    pd.testing.assert_frame_equal(results(home), results(undisturbed))


def test_two_runs_at_a_time_compute_each_artifact_once(runs: Runs, undisturbed: Path, tmp_path: Path) -> None:
    home = tmp_path / "store"
    both = [runs.start(home), runs.start(home)]
    for process in both:
        _, errors = process.communicate(timeout=400)
        assert process.returncode == 0, errors
    assert len(artifacts(home)) == len(artifacts(undisturbed))
    pd.testing.assert_frame_equal(results(home), results(undisturbed))
