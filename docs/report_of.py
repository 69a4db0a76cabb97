"""Runs of the program for the pages that are written from them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
REPORTS = Path(os.environ.get("LISOR_HOME", str(ROOT / ".lisor"))) / "reports"
"""Where runs leave their reports."""


def report_of(config: str, *changes: str) -> Path:
    """The folder of a run's report, which another run of that name leaves alone."""
    name = next(
        (change.removeprefix("name=") for change in changes if change.startswith("name=")), config
    )
    command = ["lisor", "run", config, *(part for change in changes for part in ("--set", change))]
    subprocess.run(command, check=True, cwd=ROOT)
    return (REPORTS / name / "latest").resolve()
