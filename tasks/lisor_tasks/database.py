"""MLflow's database in the store: whole, of the version that the installed MLflow needs, with
today's paths.

A new one is made and filled under another name and then renamed: a process that dies leaves no half
a database."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from mlflow import MlflowClient
from mlflow.store.db.utils import (
    _get_latest_schema_revision,
    _upgrade_db,
    create_sqlalchemy_engine_with_retry,
)
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as RegistryStore
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as TrackingStore

from lisor.errors import StoreWarning
from lisor_tasks.artifacts import COMPANIONS, set_aside
from lisor_tasks.tracked import ARTIFACTS, DATABASE, KEY

_DAMAGE = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""SQLite's errors for a file that is no database or has no table of versions; a full disk or a lock
gives others."""

_OUR_LOCATIONS = """
SELECT DISTINCT artifact_location
FROM experiments JOIN runs USING (experiment_id) JOIN tags USING (run_uuid)
WHERE tags.key = ?
"""

_COLUMNS_OF_PATHS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("datasets", "dataset_source"),
)


@contextmanager
def open_database(home: Path, fill: Callable[[MlflowClient], None]) -> Iterator[MlflowClient]:
    """A client of the database in a store. If there is none, or a damaged one, a new one is made
    and filled by `fill`.

    The caller must have the store's lock of MLflow."""
    path = home / DATABASE
    for leftover in home.glob(f"{DATABASE}.new-*"):
        leftover.unlink()  # of a process that was killed
    with _plain_path(home) as plain:
        problem = _find_problem(path) if path.exists() else "it is not there"
        if problem is not None:
            _replace(path, plain, problem, fill)
        _relocate(path, home)
        yield MlflowClient(_uri(plain / DATABASE))


def _replace(path: Path, plain: Path, problem: str, fill: Callable[[MlflowClient], None]) -> None:
    """Put a new database in place of an unusable one, which is upgraded or set aside."""
    fresh = plain / f"{DATABASE}.new-{uuid4().hex}"
    try:
        upgraded = path.exists() and _upgrade(path, fresh)
        if not upgraded:
            fresh.unlink(missing_ok=True)
            TrackingStore(_uri(fresh), (path.parent / ARTIFACTS).as_uri())  # type: ignore[no-untyped-call]
        fill(MlflowClient(_uri(fresh)))
        _close(fresh)
        if path.exists() and not upgraded:
            aside = set_aside(path)
            warnings.warn(
                f"{path} was damaged ({problem[:80]}); it is kept as {aside.name}, "
                "and MLflow shows the runs of the store anew",
                StoreWarning,
                stacklevel=2,
            )
        for companion in COMPANIONS:  # of a database that somebody deleted
            path.with_name(path.name + companion).unlink(missing_ok=True)
        fresh.replace(path)
    finally:
        _close(fresh)
        for leftover in path.parent.glob(f"{fresh.name}*"):
            leftover.unlink()
    _close(plain / DATABASE)


def _find_problem(path: Path) -> str | None:
    """The reason why MLflow cannot use a database; None if it can.

    Raises:
        sqlite3.Error: a lock or a full disk prevents the check."""
    try:
        # opened for writing: SQLite undoes what a killed process had begun
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as database:
            (check,) = database.execute("PRAGMA integrity_check(1)").fetchone()
            rows = database.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in _DAMAGE:
            raise
        return str(error)
    if check != "ok":
        return str(check).splitlines()[-1]
    needed = _get_latest_schema_revision()  # type: ignore[no-untyped-call]
    if rows == [(needed,)]:
        return None
    versions = ", ".join(version for (version,) in rows) or "none"
    return f"it has version {versions}, MLflow needs {needed}"


def _upgrade(path: Path, fresh: Path) -> bool:
    """Copy a database that another version of MLflow has made, and return whether the copy could be
    upgraded."""
    try:
        with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(fresh)) as new:
            old.backup(new)
        engine = create_sqlalchemy_engine_with_retry(_uri(fresh))  # type: ignore[no-untyped-call]
        try:
            _upgrade_db(engine)  # type: ignore[no-untyped-call]
        finally:
            engine.dispose()
        return _find_problem(fresh) is None
    except Exception as error:  # of any kind that a damaged database leads to
        code = getattr(getattr(error, "orig", error), "sqlite_errorcode", None)
        if isinstance(error, OSError) or (code is not None and code & 0xFF not in _DAMAGE):
            raise
        return False


def _relocate(path: Path, home: Path) -> None:
    """Correct the paths of artifacts in a store that was moved or copied: MLflow keeps absolute
    paths.

    This is the only SQL on MLflow's tables: MLflow 3.17 has neither a function nor a command that
    moves the artifacts of an experiment (its issues 3144 and 8226 ask for one)."""
    today = home.as_uri()
    with closing(sqlite3.connect(path)) as database, database:
        locations = database.execute(_OUR_LOCATIONS, (KEY,)).fetchall()
        former = {(location or "").rpartition(f"/{ARTIFACTS}/")[0] for (location,) in locations}
        for before in former - {today, ""}:
            for table, column in _COLUMNS_OF_PATHS:
                database.execute(
                    f"UPDATE {table} SET {column} = replace({column}, :before, :today) "
                    f"WHERE instr({column}, :before)",
                    {"before": f"{before}/", "today": f"{today}/"},
                )


@contextmanager
def _plain_path(home: Path) -> Iterator[Path]:
    """A path to a folder without a question mark, at which the address of a database would end."""
    if "?" not in str(home):
        yield home
        return
    with TemporaryDirectory() as folder:
        alias = Path(folder) / "home"
        alias.symlink_to(home)
        yield alias


def _uri(path: Path) -> str:
    return f"sqlite:///{path}"


def _close(path: Path) -> None:
    """Close MLflow's connections to a database: its clients live as long as the process."""
    for kind in (TrackingStore, RegistryStore):
        engine = kind._engine_map.get(_uri(path))
        if engine is not None:
            engine.dispose()
