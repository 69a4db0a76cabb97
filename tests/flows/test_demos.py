"""The demonstrations, as a person runs them."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def demonstrate(*command: str) -> str:
    """What a demonstration prints."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_schedule_starts_a_run_that_finishes() -> None:
    assert "was started by the schedule and is completed" in demonstrate("demos.schedule")


@pytest.mark.parametrize("runner", ["dask", "ray"])
def test_a_cluster_finds_what_threads_find(runner: str) -> None:
    pytest.importorskip(
        f"prefect_{runner}", reason=f"needs the extra {runner}: make demo-{runner} installs it"
    )
    told = demonstrate("demos.cluster", runner)
    assert "results are equal" in told
    assert "artifacts are equal" in told
