"""Runs logged to MLflow.

All that is logged comes from artifacts, and a run is found again by a tag with its key: the same
run is logged once, and a deleted or damaged database is filled anew without computing anything."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlflow import MlflowClient
from prefect import task

from lisor.errors import LisorError, StoreWarning, TrackingError, one_line
from lisor_tasks.artifacts import Store, open_store
from lisor_tasks.database import open_database
from lisor_tasks.register import Record, look_up, registered
from lisor_tasks.tracked import note_tracked, tracking_uri, uses_own_database
from lisor_tasks.tracking_run import log_run
from lisor_tasks.tracking_server import BESIDE_A_RUN, Patience, log_to_server


def _own_database(*_: Any) -> bool:
    return uses_own_database(open_store().home)  # a server was retried already


@task(
    name="track",
    task_run_name="track {record.name} in MLflow",
    retries=1,
    retry_delay_seconds=2,
    retry_condition_fn=_own_database,
)
def track(record: Record, patience: Patience = BESIDE_A_RUN) -> tuple[str, str]:
    """Log a run to MLflow unless it is there; return the ids of its experiment and parent run.

    Raises:
        TrackingError: MLflow does not answer, or refuses, or the disk is full."""
    store = open_store()
    try:
        if not uses_own_database(store.home):
            return log_to_server(record, store, patience)
        with own_database(store) as client:
            ids = log_run(client, record, store)
            note_tracked(record, store.home, ids)
            return ids
    except Exception as error:  # no error of MLflow's may fail a run that is whole
        away = "Max retries" in str(error)
        reason = "it does not answer" if away else one_line(str(error), 110)
        raise TrackingError(
            f"the run was not logged to MLflow at {one_line(tracking_uri(store.home), 80)} "
            f"({reason or type(error).__name__}); "
            f"the store has everything: run later: lisor track {record.run}"
        ) from error


@contextmanager
def own_database(store: Store) -> Iterator[MlflowClient]:
    """A client of the database in the store, with the lock for writing: neither the first client of
    a database nor search-then-create is atomic. A missing or damaged database is made anew with all
    registered runs.

    Raises:
        LisorError, MlflowException, SQLAlchemyError, sqlite3.Error, OSError: it cannot be made or
        read."""

    def fill_each(client: MlflowClient) -> None:
        for name in registered():
            try:
                log_run(client, look_up(name), store)
            except LisorError as error:
                warnings.warn(
                    f"MLflow does not show the run {name}: {error}", StoreWarning, stacklevel=2
                )

    quiet()
    with store.lock("mlflow"), open_database(store.home, fill_each) as client:
        yield client


def quiet() -> None:
    """Keep MLflow from logging what is raised as an error anyway."""
    for name in ("alembic", "mlflow", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
