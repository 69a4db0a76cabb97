"""What the store knows of what a real MLflow shows, and when that counts no longer."""

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from lisor_tasks.artifacts import Ref
from lisor_tasks.database import open_database
from lisor_tasks.register import Artifacts, Record
from lisor_tasks.tracked import (
    DATABASE,
    KEY,
    TRACKED,
    artifact_location,
    find_tracked,
    note_tracked,
    record_key,
)

RECORD = Record(
    name="tiny",
    out="",
    settings={},
    artifacts=Artifacts(
        results=Ref("results", "r", "1"), report=Ref("report", "p", "2"), networks=()
    ),
)


OTHER = replace(RECORD, artifacts=replace(RECORD.artifacts, results=Ref("results", "r", "another")))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database as MLflow makes it."""
    home = tmp_path_factory.mktemp("template")
    with open_database(home, lambda _: None):
        return (home / DATABASE).read_bytes()


def open_client(home: Path, template: bytes) -> MlflowClient:
    (home / DATABASE).write_bytes(template)
    with open_database(home, lambda _: None) as client:
        return client


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@pytest.fixture
def client(home: Path, template: bytes) -> MlflowClient:
    return open_client(home, template)


def log(client: MlflowClient, home: Path, record: Record = RECORD) -> tuple[str, str]:
    """A finished run, noted as tracking notes it."""
    known = client.get_experiment_by_name(record.name)
    experiment = (
        client.create_experiment(record.name, artifact_location(home, record.name))
        if known is None
        else known.experiment_id
    )
    run = client.create_run(experiment, tags={KEY: record_key(record)}).info.run_id
    client.set_terminated(run, "FINISHED")
    note_tracked(record, home, (experiment, run))
    return experiment, run


def test_nothing_is_known_of_a_store_without_a_database(home: Path) -> None:
    assert find_tracked(RECORD, home) is None
    assert not list(home.iterdir())


@pytest.mark.parametrize("name", ["a störe of 100%", "o d#%41é"])
def test_a_run_is_known_once_it_was_noted_and_another_is_not(
    tmp_path: Path, template: bytes, name: str
) -> None:
    home = tmp_path / name
    home.mkdir()
    ids = log(open_client(home, template), home)
    assert find_tracked(RECORD, home) == ids
    assert find_tracked(OTHER, home) is None
    assert [path.name for path in tmp_path.iterdir()] == [name]  # nothing is made elsewhere


def test_runs_of_one_database_are_known_side_by_side(home: Path, client: MlflowClient) -> None:
    first, second = log(client, home), log(client, home, OTHER)
    assert find_tracked(RECORD, home) is None  # the database has changed since it was asked
    note_tracked(RECORD, home, first)
    assert (find_tracked(RECORD, home), find_tracked(OTHER, home)) == (first, second)


@pytest.mark.parametrize(
    "change",
    ["run deleted", "experiment deleted", "run restored", "unfinished", "another run"],
)
def test_whatever_is_changed_in_mlflow_is_left_to_mlflow(
    home: Path, client: MlflowClient, change: str
) -> None:
    experiment, run = log(client, home)
    if change == "run restored":
        client.delete_run(run)
        note_tracked(RECORD, home, (experiment, run))
    {
        "run deleted": lambda: client.delete_run(run),
        "experiment deleted": lambda: client.delete_experiment(experiment),
        "run restored": lambda: client.restore_run(run),
        "unfinished": lambda: client.set_terminated(run, "FAILED"),
        "another run": lambda: client.create_run(experiment),
    }[change]()
    assert find_tracked(RECORD, home) is None


def test_what_is_only_in_the_log_of_writes_is_a_change_too(
    home: Path, client: MlflowClient
) -> None:
    with closing(sqlite3.connect(home / DATABASE)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        ids = log(client, home)
        assert find_tracked(RECORD, home) == ids
        client.delete_run(ids[1])
        assert find_tracked(RECORD, home) is None


@pytest.mark.parametrize("change", ["deleted", "replaced", "restored", "moved", "copied"])
def test_another_database_or_another_place_is_left_to_mlflow(
    home: Path, client: MlflowClient, change: str
) -> None:
    log(client, home)
    path, elsewhere = home / DATABASE, home.with_name("elsewhere")
    backup = shutil.copy2(path, home / "backup.db")
    if change == "deleted":
        path.unlink()
    elif change == "replaced":
        Path(backup).replace(path)
    elif change == "restored":
        times = path.stat()
        path.write_bytes(path.read_bytes())
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    elif change == "moved":
        home.rename(elsewhere)
    else:
        shutil.copytree(home, elsewhere)
    assert find_tracked(RECORD, elsewhere if change in ("moved", "copied") else home) is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"database": 1, "runs": 1}', b"\xff"]
)
def test_a_damaged_note_is_left_to_mlflow_and_written_anew(
    home: Path, client: MlflowClient, content: bytes
) -> None:
    ids = log(client, home)
    (home / TRACKED).write_bytes(content)
    assert find_tracked(RECORD, home) is None
    note_tracked(RECORD, home, ids)
    assert find_tracked(RECORD, home) == ids


def test_a_note_that_cannot_be_written_costs_nothing(home: Path, client: MlflowClient) -> None:
    (home / TRACKED).mkdir()
    log(client, home)
    assert find_tracked(RECORD, home) is None


def test_of_another_mlflow_the_store_knows_nothing(
    home: Path, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(client, home)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5999")
    assert find_tracked(RECORD, home) is None
