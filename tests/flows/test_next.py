"""Language models through the cached tasks."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lisor.automata.automaton import Automaton
from lisor_flows.pipeline import lisor_pipeline
from lisor_flows.summary import show
from tests.flows.test_pipeline import mlflow_runs

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def next_words(tiny: dict[str, Any]) -> dict[str, Any]:
    """Settings of a language model."""
    tiny["datasets"][0]["target"] = "next"
    tiny["clustering"] = {"methods": ["decision-aware"], "k": [2, 5]}
    tiny["extraction"] = {"rules": ["majority", "weighted"], "baselines": ["alergia"]}
    return tiny


def test_a_run_of_a_language_model_has_its_figures_everywhere(
    home: Path, next_words: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    summary = lisor_pipeline(next_words)
    folder = Path(summary["out"])
    rows = pd.read_parquet(folder / "results.parquet")
    assert set(rows["target"]) == {"next"}
    assert (
        rows[["perplexity", "rnn_perplexity", "total_variation", "divergence"]]
        .notna()
        .all(axis=None)
    )
    assert set(rows["method"]) == {"decision-aware", "alergia"}
    (path,) = (folder / "automata" / "selected").glob("*.json")
    automaton = Automaton.from_json(path.read_text())
    assert automaton.probabilities is not None
    page = (folder / "report.html").read_text()
    assert "Predictions of the next symbol" in page
    assert "alergia" in page
    assert "What does being readable cost?" not in page
    assert "without labels" in page
    assert "labelled words or texts" not in page
    assert "Agreement of the automata with the labels" not in page
    worse = [note for note in summary["notes"] if "no better than the" in note]
    assert worse == summary["notes"] != []
    show(summary)
    assert f"note     {worse[0]}" in capsys.readouterr().out.splitlines()
    assert (folder / "tables" / "summary-next.csv").exists()
    (row,) = summary["headline"]
    assert row["perplexity"]["mean"] >= 1
    runs = {run.info.run_name: run for run in mlflow_runs(home)}
    metrics = runs["000-gru-0"].data.metrics
    selected = rows[rows["selected"] & (rows["test_set"] == "test")].iloc[0]
    assert metrics["selected.perplexity"] == pytest.approx(selected["perplexity"])
    assert metrics["selected.total_variation"] == pytest.approx(selected["total_variation"])
    assert lisor_pipeline(next_words)["tasks"]["run"] == 0


def test_series_without_labels_are_learned_symbol_by_symbol(
    tmp_path: Path, tiny: dict[str, Any]
) -> None:
    rng = np.random.default_rng(0)
    waves = [np.sin(np.arange(20) / 2 + phase).tolist() for phase in rng.random(60) * 6]
    pd.DataFrame({"series": waves}).to_parquet(tmp_path / "waves.parquet")
    tiny["datasets"] = [
        {"series": str(tmp_path / "waves.parquet"), "target": "next", "symbol_count": 4}
    ]
    folder = Path(lisor_pipeline(tiny)["out"])
    rows = pd.read_parquet(folder / "results.parquet")
    assert rows["perplexity"].notna().all()
    assert "How often symbols come" in (folder / "report.html").read_text()


@pytest.mark.parametrize("labels", [{}, {"label": None}], ids=["no labels", "empty labels"])
def test_texts_are_learned_word_by_word(
    tmp_path: Path, tiny: dict[str, Any], labels: dict[str, Any]
) -> None:
    rng = np.random.default_rng(0)
    texts = [
        f"the {rng.choice(['cat', 'dog'])} {rng.choice(['sat', 'ran'])} there" for _ in range(80)
    ]
    pd.DataFrame({"text": texts, **labels}).to_csv(tmp_path / "cats.csv", index=False)
    tiny["datasets"] = [{"text": str(tmp_path / "cats.csv"), "target": "next"}]
    tiny["training"] = {"trials": 1, "max_epochs": 20, "learning_rate": 0.05}
    tiny["clustering"] = {"methods": ["decision-aware"], "k": [2, 6]}
    folder = Path(lisor_pipeline(tiny)["out"])
    rows = pd.read_parquet(folder / "results.parquet")
    assert set(rows["target"]) == {"next"}
    (path,) = (folder / "automata" / "selected").glob("*.json")
    automaton = Automaton.from_json(path.read_text())
    after = automaton.run(automaton.alphabet.read(["the cat"]))
    likely = automaton.distributions[after[0]].argsort()[-2:]
    assert {automaton.classes[number] for number in likely} == {"sat", "ran"}
