"""Rules from outside the package through the cached tasks."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lisor.registry import RULES
from lisor.settings.experiment import Experiment
from lisor_flows.pipeline import lisor_pipeline, plan_pipeline
from tests.extraction.rules.toys import ENTRIES


def test_rules_from_outside_read_off_and_search_as_cached_tasks(
    home: Path, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, entry in ENTRIES.items():
        monkeypatch.setitem(RULES._entries, name, entry)
    tiny["clustering"] = {"k": [2, 4]}
    tiny["extraction"] = {"rules": ["once", "drawn"]}
    planned = plan_pipeline(Experiment(**tiny)).tasks
    assert {task.stage for task in planned} >= {"extract", "search"}
    summary = lisor_pipeline(tiny)
    rows = pd.read_parquet(home / "reports/tiny/latest/results.parquet")
    test = rows[rows["test_set"] == "test"]
    assert test.groupby("rule")["k"].apply(list).to_dict() == {"once": [2, 3, 4], "drawn": [2, 4]}
    assert (test.groupby("rule")["seconds"].min() > 0).all()
    assert {"extract", "search"} <= set(summary["seconds"])
    again = plan_pipeline(Experiment(**tiny)).tasks
    assert {task.fate for task in again} == {"cached"}
