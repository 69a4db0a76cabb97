"""Runs beside what goes wrong around them: servers, proxies, homes; and stores that have moved.
Real processes all."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from prefect.settings import PREFECT_API_URL

from tests.flows.servers import NOWHERE, WRONG, listening

pytestmark = pytest.mark.slow

Lisor = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def lisor(tmp_path: Path, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Lisor:
    """The command line as a process, in which nothing of the user's is set but what a test
    names."""
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    for name in list(os.environ):
        if name.startswith(("PREFECT_", "MLFLOW_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)

    def run(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "lisor_flows.cli",
                *(arguments or ("run", str(tmp_path / "tiny.yaml"))),
            ],
            env={**os.environ, "LISOR_HOME": str(home), **variables},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def store(finished_store: Path, tmp_path: Path) -> Path:
    """A store in which `tiny` has run, under a name that is hard to write in an address."""
    return Path(shutil.copytree(finished_store, tmp_path / "100 # stores?", symlinks=True))


def test_an_mlflow_server_that_does_not_work_costs_seconds_and_no_run(
    lisor: Lisor, store: Path
) -> None:
    # A server of Prefect's that is there already makes each run shorter.
    served = {"PREFECT_API_URL": str(PREFECT_API_URL.value())}
    started = time.monotonic()
    assert lisor(store, **served).returncode == 0
    usual = time.monotonic() - started
    addresses = {"away": NOWHERE, "scheme": "ftp://127.0.0.1/mlflow", "file": "somewhere"}
    for kind in (*WRONG, *addresses):
        with listening(WRONG.get(kind, WRONG["silent"])) as url:
            started = time.monotonic()
            done = lisor(store, MLFLOW_TRACKING_URI=addresses.get(kind, url), **served)
            cost = time.monotonic() - started - usual
        assert done.returncode == 0, (kind, done.stderr)
        (line,) = (line for line in done.stdout.splitlines() if line.startswith("MLflow "))
        assert "run later: lisor track tiny/" in line, kind
        # To load MLflow takes as long as all else that a run from the cache does.
        assert cost < 20 + usual, kind


@pytest.mark.parametrize("kind", [*WRONG, "away"])
def test_a_prefect_server_that_does_not_work_is_one_line_before_anything_is_computed(
    lisor: Lisor, tmp_path: Path, kind: str
) -> None:
    with listening(WRONG.get(kind, WRONG["silent"])) as url:
        started = time.monotonic()
        done = lisor(
            tmp_path / "store", PREFECT_API_URL=f"{NOWHERE if kind == 'away' else url}/api"
        )
        assert time.monotonic() - started < 30
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("lisor: expected Prefect's API at PREFECT_API_URL http://127.0.0.1:")
    assert not (tmp_path / "store/store").exists()


@pytest.mark.parametrize(
    "proxies",
    [
        {"HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE, "ALL_PROXY": NOWHERE},
        {"all_proxy": "socks5://127.0.0.1:9", "http_proxy": NOWHERE},
    ],
    ids=["HTTP", "SOCKS"],
)
def test_dead_proxies_do_not_matter(lisor: Lisor, store: Path, proxies: dict[str, str]) -> None:
    done = lisor(store, **proxies)
    assert done.returncode == 0, done.stderr
    assert "answered from the cache" in done.stdout


@pytest.mark.parametrize("what", ["garbage", "no folder"])
def test_a_damaged_home_of_prefects_does_not_matter(
    lisor: Lisor, store: Path, tmp_path: Path, what: str
) -> None:
    home = tmp_path / "user"
    home.mkdir()
    if what == "garbage":
        (home / ".prefect").mkdir()
        for name in ("profiles.toml", "prefect.db", "memo_store.toml"):
            (home / ".prefect" / name).write_bytes(b"\xff garbage [[[")
    else:
        (home / ".prefect").write_text("a file, where nobody can make a folder")
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    done = lisor(store, HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert {
        path: path.stat().st_mtime_ns for path in home.rglob("*") if ".prefect" in str(path)
    } == before
    assert (store / "prefect/prefect.db").is_file()


def test_prefects_own_damaged_database_is_set_aside(lisor: Lisor, store: Path) -> None:
    (store / "prefect").mkdir(exist_ok=True)
    (store / "prefect/prefect.db").write_bytes(b"garbage" * 1000)
    done = lisor(store)
    assert done.returncode == 0, done.stderr
    assert (store / "prefect/prefect.db.damaged-1").read_bytes() == b"garbage" * 1000


def test_a_store_that_was_moved_has_all_that_mlflow_shows(
    lisor: Lisor, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lisor(store, "track", "tiny").returncode == 0
    moved = store.rename(tmp_path / "moved away, ünd # back")
    assert lisor(moved, "track", "tiny").returncode == 0
    client = MlflowClient(f"sqlite:///{moved / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 2
    for run in runs:
        for artifact in client.list_artifacts(run.info.run_id):
            assert Path(client.download_artifacts(run.info.run_id, artifact.path)).exists()
        for given in run.inputs.dataset_inputs:
            assert store.as_uri() not in given.dataset.source
    version = client.get_model_version_by_alias("tiny-000", "newest")
    assert version.source.startswith(moved.as_uri())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", client.tracking_uri)
    model = mlflow.pyfunc.load_model("models:/tiny-000@newest")
    assert len(model.predict(pd.DataFrame({"text": ["000", "01"]}))) == 2


def test_runs_that_the_register_knows_are_shown_again_when_a_database_is_damaged(
    lisor: Lisor, store: Path
) -> None:
    (store / "mlflow.db").write_bytes(b"garbage" * 1000)
    done = lisor(store)
    assert done.returncode == 0
    (note,) = (line for line in done.stderr.splitlines() if line.startswith("lisor: "))
    assert note.startswith(
        f"lisor: note: {store / 'mlflow.db'} was damaged (file is not a database)"
    )
    with closing(sqlite3.connect(store / "mlflow.db")) as database:
        (status,) = database.execute("SELECT status FROM runs WHERE name = 'tiny'").fetchone()
    assert status == "FINISHED"


@pytest.mark.usefixtures("lisor")
@pytest.mark.parametrize("output", ["/dev/full", "closed"])
def test_a_run_whose_table_cannot_be_shown_is_whole(
    store: Path, tmp_path: Path, output: str
) -> None:
    line = f'"$0" -m lisor_flows.cli run tiny.yaml {">&-" if output == "closed" else f"> {output}"}'
    done = subprocess.run(
        ["bash", "-c", line, sys.executable],
        cwd=tmp_path,
        env={**os.environ, "LISOR_HOME": str(store)},
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert (
        "lisor: note: the run is whole, but its table is not shown: standard output cannot be"
        in done.stderr
    )
