"""What MLflow's own database in the store knows of a run, asked of the database itself.

To load MLflow takes longer than all else that a run does which is answered from the cache."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from lisor_tasks.keys import digest
from lisor_tasks.register import Record

KEY = "lisor.key"
"""The tag by which a run is found again."""

DATABASE = "mlflow.db"

_FINISHED = """
SELECT runs.experiment_id, runs.run_uuid
FROM experiments JOIN runs USING (experiment_id) JOIN tags USING (run_uuid)
WHERE experiments.name = ? AND tags.key = ? AND tags.value = ? AND runs.status = 'FINISHED'
  AND experiments.lifecycle_stage = 'active' AND runs.lifecycle_stage = 'active'
  AND runs.run_uuid NOT IN (SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId')
"""


def tracking_uri(home: Path) -> str:
    """MLFLOW_TRACKING_URI, or the database in the store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or _uri(home / DATABASE)


def _uri(database: Path) -> str:
    """The database as SQLAlchemy takes it, for which a question mark ends the path.

    With the driver named, MLflow does not make a folder `file:` out of the URI."""
    if "?" not in str(database):
        return f"sqlite:///{database}"
    return f"sqlite+pysqlite:///file:{quote(str(database))}?uri=true"


def record_key(record: Record) -> str:
    """What tells a run from one of other results, in MLflow's tags."""
    return digest([record.name, record.artifacts.results.sha256, record.artifacts.report.sha256])


def find_told(record: Record, home: Path) -> tuple[str, str] | None:
    """The ids of the experiment and of the run that show a run in the store's database, if that was told everything.

    None also where another MLflow is asked, or the database cannot be read: then MLflow itself says what is wrong."""
    path = home / DATABASE
    if tracking_uri(home) != _uri(path):
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            found = database.execute(_FINISHED, (record.name, KEY, record_key(record))).fetchone()
    except sqlite3.Error:
        return None
    return None if found is None else (str(found[0]), str(found[1]))
