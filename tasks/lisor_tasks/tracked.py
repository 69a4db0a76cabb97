"""The runs that MLflow shows from its database in the store, known without loading MLflow.

LISOR_HOME/tracked.json

To load MLflow takes longer than the rest of a run from the cache. The file is valid for one state
of the database: not once the database was written or replaced, or the store was moved or copied.
Then MLflow itself is asked, and the file is written anew."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lisor_tasks.artifacts import write_text
from lisor_tasks.keys import digest
from lisor_tasks.register import Record

KEY = "lisor.key"
"""The tag by which a run is found in MLflow."""

DATABASE = "mlflow.db"

ARTIFACTS = "mlflow-artifacts"
"""The folder of MLflow's files in a store."""

TRACKED = "tracked.json"


def tracking_uri(home: Path) -> str:
    """MLFLOW_TRACKING_URI, or the database in the store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / DATABASE}"


def uses_own_database(home: Path) -> bool:
    """Does MLflow keep its runs in the store, and not at another MLFLOW_TRACKING_URI?"""
    return tracking_uri(home) == f"sqlite:///{home / DATABASE}"


def artifact_location(home: Path, name: str) -> str:
    """The URI of an experiment's files in the store."""
    return (home / ARTIFACTS / name).as_uri()


def record_key(record: Record) -> str:
    """The digest in MLflow's tags that distinguishes a run from runs with other results."""
    return digest([record.name, record.artifacts.results.sha256, record.artifacts.report.sha256])


def find_tracked(record: Record, home: Path) -> tuple[str, str] | None:
    """The ids of the experiment and of the run that show a run in the store's database; None if the
    database has changed since, or is another one."""
    with suppress(OSError, ValueError, KeyError, TypeError):  # there is no file, or it is damaged
        if uses_own_database(home):
            experiment, run = _read(home)[record_key(record)]
            return experiment, run
    return None


def note_tracked(record: Record, home: Path, ids: tuple[str, str]) -> None:
    """Write down the ids, just read from MLflow, of the experiment and of the run that show a run.

    The caller must have the store's lock of MLflow. If the file cannot be written, the next run
    asks MLflow again."""
    runs: dict[str, Any] = {}
    with suppress(OSError, ValueError, KeyError, TypeError):
        runs |= _read(home)
    runs[record_key(record)] = ids
    with suppress(OSError):
        tracked = {"database": _state(home), "runs": runs}
        write_text(home / TRACKED, json.dumps(tracked, indent=1))


def _read(home: Path) -> Mapping[str, Any]:
    """The ids by the keys of runs; none if the database has changed since."""
    tracked = json.loads((home / TRACKED).read_text(encoding="utf-8"))
    runs: Mapping[str, Any] = tracked["runs"] if tracked["database"] == _state(home) else {}
    return runs


def _state(home: Path) -> list[Any]:
    """A state that changes with any write to the database of a store, and if the store is moved.

    Times are those of the last change of the inode, which no program can set back."""
    state: list[Any] = [home.as_uri()]
    for name in (DATABASE, f"{DATABASE}-wal"):  # to which SQLite may write first
        if (home / name).exists():
            stats = (home / name).stat()
            state.append([stats.st_ino, stats.st_size, stats.st_ctime_ns])
    return state
