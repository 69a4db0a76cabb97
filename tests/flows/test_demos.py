"""The demonstrations, as a person runs them."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_a_schedule_starts_a_run_that_finishes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demos.schedule"],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "was started by the schedule and is completed" in done.stdout
