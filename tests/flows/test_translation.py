"""Translations through the cached tasks, from numbers in words to a report of what is wrong."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import lisor
from lisor.automata.automaton import Automaton
from lisor_flows.pipeline import lisor_pipeline
from tests.flows.test_pipeline import mlflow_runs

pytestmark = pytest.mark.usefixtures("home")


def test_a_run_shows_how_many_translations_are_right_and_which_are_wrong(
    home: Path, tiny: dict[str, Any]
) -> None:
    tiny["datasets"] = [{"translation": "numbers:60"}]
    summary = lisor_pipeline(tiny)
    folder = Path(summary["out"])
    rows = pd.read_parquet(folder / "results.parquet")
    assert rows[["exact_match", "rnn_exact_match"]].notna().all(axis=None)
    page = (folder / "report.html").read_text()
    assert "Translations without a mistake" in page
    path = folder / "tables" / "numbers-60-gru-0-translations.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert list(table) == ["source", "target", "network", "automaton"]
    assert len(table) == 9
    selected = rows[rows["selected"] & (rows["test_set"] == "test")].iloc[0]
    for column, share in (("network", "rnn_exact_match"), ("automaton", "exact_match")):
        assert (table[column] == table["target"]).mean() == pytest.approx(selected[share])
    (path,) = (folder / "automata" / "selected").glob("*.json")
    automaton = Automaton.from_json(path.read_text())
    first = table.iloc[0]
    made = lisor.complete(automaton, f"{first['source']} ⇒", max_length=5)
    assert made == first["automaton"].removesuffix("…")
    (row,) = summary["headline"]
    assert row["exact_match"]["mean"] == pytest.approx(selected["exact_match"])
    (run,) = [run for run in mlflow_runs(home) if run.info.run_name == "numbers-60-gru-0"]
    assert run.data.metrics["selected.exact_match"] == pytest.approx(selected["exact_match"])
