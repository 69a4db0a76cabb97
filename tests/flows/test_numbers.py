"""Forecasts through the cached tasks."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lisor.automata.automaton import Automaton
from lisor.errors import DataError
from lisor_flows.explain import explain
from lisor_flows.pipeline import lisor_pipeline
from tests.flows.test_pipeline import mlflow_runs

pytestmark = pytest.mark.usefixtures("home")


def test_a_run_of_forecasts_has_its_figures_everywhere(
    home: Path, tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    time = np.arange(400)
    path = tmp_path / "waves.csv"
    pd.DataFrame({"height": np.sin(time / 3), "width": np.cos(time / 3)}).to_csv(path, index=False)
    tiny["datasets"] = [
        {"series": str(path), "target": "number", "horizon": 2, "sequence_length": 40}
    ]
    tiny["clustering"] = {"methods": ["kmeans"], "k": [2, 4]}
    tiny["extraction"] = {"rules": ["dynamics", "closed-loop"]}
    tiny["explain"] = {"enabled": True, "examples": 3}
    with pytest.warns(match="read as one series of 400 steps"):
        summary = lisor_pipeline(tiny)
    folder = Path(summary["out"])
    rows = pd.read_parquet(folder / "results.parquet")
    assert set(rows["target"]) == {"number"}
    assert rows[["r2", "rnn_r2", "r2_network"]].notna().all(axis=None)
    assert rows[["accuracy", "fidelity", "perplexity"]].isna().all(axis=None)
    (selected,) = (folder / "automata" / "selected").glob("*.json")
    automaton = Automaton.from_json(selected.read_text())
    assert automaton.classes == ("height in 2 steps", "width in 2 steps")
    page = (folder / "report.html").read_text()
    assert "Predictions of numbers" in page
    assert "R² to network" in page
    assert summary["headline"][0]["accuracy"] is None
    runs = [run for run in mlflow_runs(home) if "selected.r2" in run.data.metrics]
    assert len(runs) == 1
    assert summary["unexplained"] == []
    assert "why this answer?" in page
    assert "prediction moves, in standard deviations" in page
    explain(str(folder), None, 1, None, None, None, 0, None, None)
    first = capsys.readouterr().out
    assert "predicts height in 2 steps =" in first
    explain(str(folder), None, 1, 4, None, None, 0, "width in 2 steps", None)
    assert "After step 4 gru predicts width in 2 steps =" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"expected one of the numbers of .*, got 'depth'"):
        explain(str(folder), None, 1, 4, None, None, 0, "depth", None)
