"""What the database of a real MLflow knows, beside what MLflow itself says."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from lisor_tasks.artifacts import Ref
from lisor_tasks.database import open_database
from lisor_tasks.register import Artifacts, Record
from lisor_tasks.told import KEY, artifact_location, find_told, record_key

RECORD = Record(
    name="tiny",
    out="",
    settings={},
    artifacts=Artifacts(results=Ref("results", "r", "1"), report=Ref("report", "p", "2"), networks=()),
)


def begin(client: MlflowClient, experiment: str, key: str = record_key(RECORD), **tags: str) -> str:
    return str(client.create_run(experiment, tags={KEY: key, **tags}).info.run_id)


@pytest.mark.parametrize("name", ["a störe of 100%", "o d#?%41é"])
def test_a_run_is_found_once_it_is_finished_and_while_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    home = tmp_path / name
    home.mkdir()
    assert find_told(RECORD, home) is None
    assert not list(home.iterdir())
    with open_database(home, lambda _: None) as client:
        find_and_lose(client, home, monkeypatch)
    assert [path.name for path in tmp_path.iterdir()] == [name]  # nothing is made elsewhere


def find_and_lose(client: MlflowClient, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {name: artifact_location(home, name) for name in ("tiny", "other")}
    experiment, other = (client.create_experiment(name, artifact_location=place) for name, place in places.items())
    run = begin(client, experiment)
    child = begin(client, experiment, **{"mlflow.parentRunId": run})
    for wrong in (child, begin(client, experiment, "another key"), begin(client, other)):
        client.set_terminated(wrong, "FINISHED")
    assert find_told(RECORD, home) is None
    client.set_terminated(run, "FINISHED")
    assert find_told(RECORD, home) == (experiment, run)

    client.delete_run(run)
    assert find_told(RECORD, home) is None
    client.restore_run(run)
    client.delete_experiment(experiment)
    assert find_told(RECORD, home) is None
    client.restore_experiment(experiment)
    assert find_told(RECORD, home) == (experiment, run)

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5999")
    assert find_told(RECORD, home) is None


def test_a_database_that_cannot_be_read_is_left_to_mlflow(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"not a database" * 100)
    assert find_told(RECORD, tmp_path) is None
