"""MLflow's own database in the store: whole, of the version that the installed MLflow needs, with the paths of today.

A new one is made and filled beside and renamed into place: a process that dies leaves none that is half made."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
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
from lisor_tasks.told import ARTIFACTS, DATABASE, KEY

_DAMAGE = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""What SQLite says of a file that is no database or has no table of versions; a full disk or a lock says otherwise."""

_COMPANIONS = ("-journal", "-wal", "-shm")
"""Files of SQLite beside a database. They are moved before it: another database in its place must not find them."""

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
    """A client of the database in a store, which is made and filled by `fill` where there is none, or a damaged one.

    Whoever asks holds the store's lock of MLflow."""
    path = home / DATABASE
    for left in home.glob(f"{DATABASE}.new-*"):
        left.unlink()  # by a process that was killed
    with _spelled(home) as spelled:
        wrong = _what_is_wrong(path) if path.exists() else "it is not there"
        if wrong is not None:
            _replace(path, spelled, wrong, fill)
        _relocate(path, home)
        yield MlflowClient(_uri(spelled / DATABASE))


def _replace(path: Path, spelled: Path, wrong: str, fill: Callable[[MlflowClient], None]) -> None:
    """Put a database in the place of one with which something is wrong, which is set aside, or is upgraded."""
    fresh = spelled / f"{DATABASE}.new-{uuid4().hex}"
    try:
        upgraded = path.exists() and _upgrade(path, fresh)
        if not upgraded:
            fresh.unlink(missing_ok=True)
            TrackingStore(_uri(fresh), (path.parent / ARTIFACTS).as_uri())  # type: ignore[no-untyped-call]
        fill(MlflowClient(_uri(fresh)))
        _close(fresh)
        if path.exists() and not upgraded:
            aside = next(name for n in count(1) if not (name := path.with_name(f"{path.name}.damaged-{n}")).exists())
            warnings.warn(
                f"{path} was damaged ({wrong[:80]}); it is kept as {aside.name}, and MLflow shows the runs of the "
                "store anew",
                StoreWarning,
                stacklevel=2,
            )
            _move(path, aside)
        for companion in _COMPANIONS:
            path.with_name(path.name + companion).unlink(missing_ok=True)  # of a database that somebody deleted
        fresh.replace(path)
    finally:
        _close(fresh)
        for left in path.parent.glob(f"{fresh.name}*"):
            left.unlink()
    _close(spelled / DATABASE)


def _what_is_wrong(path: Path) -> str | None:
    """Why MLflow cannot use a database, if it cannot.

    Raises:
        sqlite3.Error: it cannot be known, because of a lock or a disk that is full."""
    try:
        # May be written to: SQLite undoes what a process that was killed had begun.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as database:
            (check,) = database.execute("PRAGMA integrity_check(1)").fetchone()
            versions = [version for (version,) in database.execute("SELECT version_num FROM alembic_version")]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in _DAMAGE:
            raise
        return str(error)
    if check != "ok":
        return str(check).splitlines()[-1]
    needed = _get_latest_schema_revision()  # type: ignore[no-untyped-call]
    return None if versions == [needed] else f"it has version {', '.join(versions) or 'none'}, MLflow needs {needed}"


def _upgrade(path: Path, fresh: Path) -> bool:
    """Whether a copy of a database, which another version of MLflow has made, could be upgraded."""
    try:
        with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(fresh)) as new:
            old.backup(new)
        engine = create_sqlalchemy_engine_with_retry(_uri(fresh))  # type: ignore[no-untyped-call]
        try:
            _upgrade_db(engine)  # type: ignore[no-untyped-call]
        finally:
            engine.dispose()
        return _what_is_wrong(fresh) is None
    except Exception as error:  # whatever a damaged or half-made one leads to: it is not upgraded
        code = getattr(getattr(error, "orig", error), "sqlite_errorcode", None)
        if isinstance(error, OSError) or (code is not None and code & 0xFF not in _DAMAGE):
            raise
        return False


def _move(path: Path, aside: Path) -> None:
    for companion in (*_COMPANIONS, ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + companion).rename(aside.with_name(aside.name + companion))


def _relocate(path: Path, home: Path) -> None:
    """Say where the artifacts are in a store that was moved or copied: MLflow knows them by absolute paths only."""
    today = home.as_uri()
    with closing(sqlite3.connect(path)) as database, database:
        locations = [location for (location,) in database.execute(_OUR_LOCATIONS, (KEY,)) if location]
        former = {location.rpartition(f"/{ARTIFACTS}/")[0] for location in locations}
        for before in former - {today, ""}:
            for table, column in _COLUMNS_OF_PATHS:
                database.execute(
                    f"UPDATE {table} SET {column} = replace({column}, :before, :today) WHERE instr({column}, :before)",
                    {"before": f"{before}/", "today": f"{today}/"},
                )


@contextmanager
def _spelled(home: Path) -> Iterator[Path]:
    """A path to a folder that the address of a database can hold, which ends at a question mark."""
    if "?" not in str(home):
        yield home
        return
    with TemporaryDirectory() as folder:
        link = Path(folder) / "home"
        link.symlink_to(home)
        yield link


def _uri(path: Path) -> str:
    return f"sqlite:///{path}"


def _close(path: Path) -> None:
    """Close what MLflow holds open of a database: its clients live as long as the process."""
    for kind in (TrackingStore, RegistryStore):
        engine = kind._engine_map.get(_uri(path))
        if engine is not None:
            engine.dispose()
