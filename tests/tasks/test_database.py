"""MLflow's database in a store, with a real MLflow: made, damaged, half made, of another version,
moved."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from mlflow import MlflowClient
from mlflow.store.db.utils import _get_alembic_config, create_sqlalchemy_engine
from mlflow.store.tracking.dbmodels.initial_models import Base

from lisor.errors import StoreWarning
from lisor_tasks.database import open_database
from lisor_tasks.tracked import DATABASE, KEY, artifact_location


def fill(client: MlflowClient, home: Path) -> None:
    """What a run leaves: an experiment in the store and a run with the tag that marks it as
    ours."""
    experiment = client.create_experiment("tiny", artifact_location=artifact_location(home, "tiny"))
    client.create_run(experiment, tags={KEY: "a key"})


def experiments(home: Path) -> dict[str, str]:
    """Names and places of the experiments, without MLflow."""
    with closing(sqlite3.connect(home / DATABASE)) as database:
        return dict(database.execute("SELECT name, artifact_location FROM experiments"))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The database of another store."""
    home = tmp_path_factory.mktemp("another store")
    with open_database(home, lambda client: fill(client, home)):
        return (home / DATABASE).read_bytes()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder whose name is hard to write in an address."""
    folder = tmp_path / "100% of #1, ünd?"
    folder.mkdir()
    yield folder
    assert not list(folder.glob("*.new-*"))


def test_a_new_database_is_filled_before_it_is_there(home: Path) -> None:
    def look(client: MlflowClient) -> None:
        assert not (home / DATABASE).exists()
        fill(client, home)

    with open_database(home, look) as client:
        assert {one.name for one in client.search_experiments()} == {"Default", "tiny"}
    assert names(home) == {DATABASE}
    assert experiments(home)["tiny"] == (home / "mlflow-artifacts/tiny").as_uri()


def test_a_database_that_could_not_be_filled_is_not_there(home: Path) -> None:
    def fail(_: MlflowClient) -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"), open_database(home, fail):
        pass
    assert not list(home.iterdir())


def begin(path: Path, revision: str) -> None:
    """A database as MLflow makes it, but only as far as a migration."""
    engine = create_sqlalchemy_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        config = _get_alembic_config(f"sqlite:///{path}")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def half_made(path: Path) -> None:
    """As a process leaves it that is killed before it notes that it has ended a migration."""
    begin(path, "head-2")
    with closing(sqlite3.connect(path)) as database, database:
        (version,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
        script = ScriptDirectory.from_config(_get_alembic_config(f"sqlite:///{path}"))
        former = script.get_revision(version).down_revision
        database.execute("UPDATE alembic_version SET version_num = ?", (former,))


def with_a_damaged_page(path: Path, template: bytes) -> None:
    path.write_bytes(template[: 4096 * 20] + b"x" * 4096 * 40 + template[4096 * 60 :])


@pytest.mark.parametrize("damage", ["page", "half made", "garbage", "cut", "empty"])
def test_a_damaged_database_is_kept_aside_and_filled_anew(
    tmp_path: Path, template: bytes, damage: str
) -> None:
    path = tmp_path / DATABASE
    {
        "page": lambda: with_a_damaged_page(path, template),
        "half made": lambda: half_made(path),
        "garbage": lambda: path.write_bytes(b"not a database" * 1000),
        "cut": lambda: path.write_bytes(template[:100_000]),
        "empty": path.touch,
    }[damage]()
    path.with_name(f"{DATABASE}-shm").write_bytes(b"of the damaged one")
    before = path.read_bytes()
    said = pytest.warns(StoreWarning, match=r"was damaged .* kept as mlflow.db.damaged-1")
    with said, open_database(tmp_path, lambda client: fill(client, tmp_path)):
        pass
    assert set(experiments(tmp_path)) == {"Default", "tiny"}
    assert names(tmp_path) >= {DATABASE, f"{DATABASE}.damaged-1"}
    assert not path.with_name(f"{DATABASE}-shm").exists()
    assert len((tmp_path / f"{DATABASE}.damaged-1").read_bytes()) == len(before)


def test_a_database_of_an_earlier_mlflow_is_upgraded_with_all_that_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    begin(path, "head-3")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "INSERT INTO experiments (name, lifecycle_stage) VALUES ('mine', 'active')"
        )
    with open_database(tmp_path, lambda client: fill(client, tmp_path)) as client:
        assert {one.name for one in client.search_experiments()} >= {"mine", "tiny"}
    assert names(tmp_path) == {DATABASE}


def test_a_database_that_is_in_use_is_not_taken_for_a_damaged_one(
    tmp_path: Path, template: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / DATABASE).write_bytes(template)
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *where, **how: connect(*where, **{"timeout": 0.1, **how})
    )
    with closing(connect(tmp_path / DATABASE)) as other:
        other.execute("BEGIN EXCLUSIVE")
        said = pytest.raises(sqlite3.OperationalError, match="locked")
        with said, open_database(tmp_path, lambda client: fill(client, tmp_path)):
            pass
    assert (tmp_path / DATABASE).read_bytes() == template


def test_what_a_killed_process_had_begun_is_undone(tmp_path: Path, template: bytes) -> None:
    path = tmp_path / DATABASE
    path.write_bytes(template)
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "PRAGMA cache_size = 1"
        )  # so that pages are written before the transaction ends
        database.execute("BEGIN")
        database.execute("CREATE TABLE half AS SELECT hex(randomblob(2000)) FROM sqlite_master")
        left = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    assert set(left) == {DATABASE, f"{DATABASE}-journal"}
    for name, content in left.items():
        (tmp_path / name).write_bytes(content)
    with open_database(tmp_path, lambda client: fill(client, tmp_path)) as client:
        assert {one.name for one in client.search_experiments()} == {"Default", "tiny"}
    assert names(tmp_path) == {DATABASE}


def test_in_a_moved_store_its_own_experiments_are_at_home(tmp_path: Path, template: bytes) -> None:
    path = tmp_path / DATABASE
    path.write_bytes(template)
    elsewhere = "file:///elsewhere/mlflow-artifacts/of others"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "INSERT INTO experiments (name, artifact_location) VALUES ('others', ?)", (elsewhere,)
        )
        before = experiments(tmp_path)
    assert before["tiny"].endswith("/another%20store0/mlflow-artifacts/tiny")
    with open_database(tmp_path, lambda client: fill(client, tmp_path)) as client:
        (run,) = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
        assert run.info.artifact_uri.startswith(artifact_location(tmp_path, "tiny"))
    at_home = {
        name: artifact_location(tmp_path, place)
        for name, place in {"Default": "0", "tiny": "tiny"}.items()
    }
    assert experiments(tmp_path) == {**at_home, "others": elsewhere}
