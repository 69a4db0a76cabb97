"""Where tasks go changes no result."""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lisor.errors import ConfigError
from lisor.settings.experiment import Experiment
from lisor.settings.reading import override
from lisor_flows import runners
from lisor_flows.pipeline import lisor_pipeline
from lisor_flows.runners import find_runner


def digests(home: Path) -> dict[str, str]:
    """Of every artifact."""
    manifests = [json.loads(path.read_text()) for path in home.glob("store/*/*/manifest.json")]
    return {f"{one['kind']}/{one['key']}": one["sha256"] for one in manifests}


def table(home: Path) -> pd.DataFrame:
    return pd.read_parquet(home / "reports/tiny/latest/results.parquet").drop(columns="seconds")


@pytest.mark.slow
def test_processes_find_what_threads_find_wherever_their_store_is_said_to_be(
    finished: Path, tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    monkeypatch.setenv("LISOR_HOME", str(other))
    summary = lisor_pipeline({**tiny, "runner": "processes"})
    assert summary["tasks"]["run"] == len(digests(other))
    assert digests(other) == digests(finished)
    pd.testing.assert_frame_equal(table(other), table(finished))
    again = lisor_pipeline({**tiny, "runner": "processes"})["tasks"]
    assert (again["run"], again["from_cache"]) == (0, len(digests(other)))


def test_a_runner_whose_extra_is_missing_is_an_error_that_names_it(
    tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for runner in ("dask", "ray"):
        monkeypatch.setitem(sys.modules, f"prefect_{runner}", None)
        monkeypatch.setitem(sys.modules, f"prefect_{runner}.task_runners", None)
        with pytest.raises(ConfigError, match=rf"pip install 'lisor\[{runner}\]'"):
            find_runner(Experiment(**{**tiny, "runner": runner}))


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:1", "tcp://127.0.0.1:1", "tcp://nowhere.invalid:8786", "[::1]:1", "a:99999"],
)
def test_a_cluster_that_does_not_answer_is_an_error(tiny: dict[str, Any], address: str) -> None:
    with pytest.raises(ConfigError, match="no cluster answers at runner_address"):
        find_runner(
            Experiment(**override({**tiny, "runner": "dask"}, [f"runner_address={address}"]))
        )


def test_a_cluster_that_turns_the_run_away_is_an_error_that_names_it(
    tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed:
        def __enter__(self) -> None:
            raise ConnectionError("a token is missing")

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(runners, "find_runner", lambda _: Closed())
    plan = Experiment(**override({**tiny, "runner": "dask"}, ["runner_address=10.0.0.5:6379"]))
    turned_away = pytest.raises(
        ConfigError, match=r"10\.0\.0\.5:6379 does not let this run in \(a token is missing\)"
    )
    with turned_away, runners.start_runner(plan):
        pass


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["runner=thread"], "did you mean 'threads'"),
        (["runner="], "runner must be one of"),
        (["runner_address=tcp://127.0.0.1:8786"], "but runner is threads"),
        (["runner=processes", "runner_address=tcp://127.0.0.1:8786"], "but runner is processes"),
        (["runner=dask", "runner_address=tcp://127.0.0.1"], "must be host and port such as tcp://"),
        (["runner=ray", "runner_address="], "must be host and port such as ray://"),
        (["runner.address=x"], "nearest known one is 'runner_address'"),
    ],
)
def test_a_wrong_runner_is_an_error(tiny: dict[str, Any], changes: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Experiment(**override(tiny, changes))
