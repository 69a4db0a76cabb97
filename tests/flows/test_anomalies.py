"""Anomalies through the cached tasks and on the command line."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lisor_flows.pipeline import lisor_pipeline
from tests.flows.test_pipeline import mlflow_runs

pytestmark = [
    pytest.mark.usefixtures("home"),
    pytest.mark.filterwarnings("ignore::lisor.errors.DataWarning"),
]


@pytest.fixture
def logs(tmp_path: Path, tiny: dict[str, Any]) -> dict[str, Any]:
    """Settings of logs in which requests are opened, read and closed, but for anomalies."""
    rng = np.random.default_rng(0)
    normal = [["open", *["read"] * int(count), "close"] for count in rng.integers(1, 4, 200)]
    odd = [["open", "close", "read"], ["read", "open"], ["open", "crash"]] * 20
    labels = ["fine"] * 200 + ["broken"] * 60
    path = tmp_path / "logs.parquet"
    pd.DataFrame({"symbols": normal + odd, "label": labels}).to_parquet(path)
    tiny["datasets"] = [{"symbols": str(path), "target": "next", "normal": "fine", "held_out": 0.4}]
    tiny["training"] = {"trials": 1, "max_epochs": 30, "learning_rate": 0.03}
    tiny["clustering"] = {"methods": ["decision-aware"], "k": [2, 8]}
    tiny["extraction"] = {"rules": ["dynamics", "merged"], "most_states": 6}
    tiny["anomalies"] = {"false_alarms": 0.05}
    return tiny


def test_a_run_detects_anomalies_and_says_why(
    home: Path, logs: dict[str, Any], tmp_path: Path
) -> None:
    from lisor.anomalies.detector import read_detector

    folder = Path(lisor_pipeline(logs)["out"])
    table = pd.read_parquet(folder / "anomalies.parquet")
    assert set(table["score"]) == {"rank", "least-probability", "mean-probability"}
    assert {"network", "2-gram", "decision-aware"} <= set(table["detector"])
    test = table[(table["test_set"] == "test") & (table["score"] == "least-probability")]
    assert test.loc[test["detector"] == "network", "f1"].item() > 0.9
    page = (folder / "report.html").read_text()
    assert "F1 against the number of states" in page
    assert "Alarms, by least-probability" in page
    assert (folder / "tables" / "logs-alarms-rank.csv").exists()
    path = folder / "automata" / "selected" / "logs-gru-0.least-probability.detector.json"
    assert read_detector(path).score == "least-probability"
    runs = {run.info.run_name: run for run in mlflow_runs(home)}
    assert "anomalies.rank.f1" in runs["logs-gru-0"].data.metrics
    assert lisor_pipeline(logs)["tasks"]["run"] == 0


def test_another_rate_of_false_alarms_trains_nothing(logs: dict[str, Any]) -> None:
    lisor_pipeline(logs)
    logs["anomalies"]["false_alarms"] = 0.2
    tasks = lisor_pipeline(logs)["tasks"]
    assert tasks["trained"] == 0
    assert 0 < tasks["run"] <= 3
