"""Clustering methods from outside the package through the cached tasks."""

from pathlib import Path
from typing import Any

import pandas as pd

from lisor.settings.experiment import Experiment
from lisor_flows.pipeline import lisor_pipeline, plan_pipeline
from tests.clustering.toys import registered


def test_methods_from_outside_cluster_as_cached_tasks(home: Path, tiny: dict[str, Any]) -> None:
    tiny["clustering"] = {"methods": ["signs", "predicted"], "k": [2, 4]}
    with registered():
        lisor_pipeline(tiny)
        rows = pd.read_parquet(home / "reports/tiny/latest/results.parquet")
        test = rows[rows["test_set"] == "test"]
        assert {name: sorted(set(ks)) for name, ks in test.groupby("method")["k"]} == {
            "predicted": [2, 3, 4],
            "signs": [2, 3, 4],
        }
        again = plan_pipeline(Experiment(**tiny)).tasks
        assert {task.fate for task in again} == {"cached"}


def test_only_the_weight_of_the_method_at_hand_stands_in_a_key(
    home: Path, tiny: dict[str, Any]
) -> None:
    tiny["clustering"] = {"methods": ["kmeans", "kmeans-x", "decision-aware"], "k": [2, 3]}
    lisor_pipeline(tiny)
    for setting, method in (("position_weight", "kmeans-x"), ("decision_weight", "decision-aware")):
        changed = {**tiny, "clustering": {**tiny["clustering"], setting: 0.3}}
        planned = plan_pipeline(Experiment(**changed)).tasks
        reasons = {
            task.title: task.reason
            for task in planned
            if task.stage == "cluster" and task.fate == "run"
        }
        assert len(reasons) == 1
        ((title, reason),) = reasons.items()
        assert f"{method} k 2–3" in title
        assert "weight" in reason
