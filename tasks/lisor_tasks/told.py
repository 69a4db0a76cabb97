"""What MLflow's own database in the store knows of a run, asked of the database itself.

To load MLflow takes longer than all else that a run does which is answered from the cache."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from lisor_tasks.keys import digest
from lisor_tasks.register import Record

KEY = "lisor.key"
"""The tag by which a run is found again."""

DATABASE = "mlflow.db"

ARTIFACTS = "mlflow-artifacts"
"""The folder of MLflow's files in the store."""

_FINISHED = """
SELECT runs.experiment_id, runs.run_uuid, experiments.artifact_location
FROM experiments JOIN runs USING (experiment_id) JOIN tags USING (run_uuid)
WHERE experiments.name = ? AND tags.key = ? AND tags.value = ? AND runs.status = 'FINISHED'
  AND experiments.lifecycle_stage = 'active' AND runs.lifecycle_stage = 'active'
  AND runs.run_uuid NOT IN (SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId')
"""


def tracking_uri(home: Path) -> str:
    """MLFLOW_TRACKING_URI, or the database in the store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / DATABASE}"


def uses_own_database(home: Path) -> bool:
    """Does MLflow keep its runs in the store itself, rather than where MLFLOW_TRACKING_URI says?"""
    return tracking_uri(home) == f"sqlite:///{home / DATABASE}"


def artifact_location(home: Path, name: str) -> str:
    """Where the files of an experiment lie in the store, as MLflow knows it."""
    return (home / ARTIFACTS / name).as_uri()


def record_key(record: Record) -> str:
    """What tells a run from one of other results, in MLflow's tags."""
    return digest([record.name, record.artifacts.results.sha256, record.artifacts.report.sha256])


def find_told(record: Record, home: Path) -> tuple[str, str] | None:
    """The ids of the experiment and of the run that show a run in the store's database, if that was told everything.

    None also where another MLflow is asked, the database cannot be read, or the store has been moved since: then MLflow
    itself is asked, which puts right what is wrong."""
    path = home / DATABASE
    if not uses_own_database(home):
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            found = database.execute(_FINISHED, (record.name, KEY, record_key(record))).fetchone()
    except sqlite3.Error:
        return None
    if found is None:
        return None
    experiment, run, location = map(str, found)
    today = artifact_location(home, record.name)
    moved = location != today and location.endswith(today.removeprefix(home.as_uri()))
    return None if moved else (experiment, run)
