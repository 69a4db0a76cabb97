"""A tagger through the whole pipeline: from a file of labels at each step to an automaton that is
served."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest

from lisor.automata.automaton import Automaton
from lisor_flows.pipeline import lisor_pipeline
from lisor_tasks.serving import ALIAS
from tests.flows.test_cli import command_line

__all__ = ["command_line"]


@pytest.fixture
def tagged(tmp_path: Path) -> Path:
    """Words over a and b, each symbol labelled by whether it repeats the one before."""
    draw, rows = random.Random(0), []
    for _ in range(300):
        word = draw.choices("ab", k=draw.randint(1, 9))
        labels = [
            "same" if at and word[at - 1] == symbol else "new" for at, symbol in enumerate(word)
        ]
        rows.append({"symbols": word, "labels": labels})
    pd.DataFrame(rows).to_parquet(tmp_path / "tagged.parquet")
    return tmp_path / "tagged.parquet"


def test_a_file_of_labels_at_each_step_becomes_an_automaton_that_says_them(
    tagged: Path,
    home: Path,
    tiny: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    command_line: Callable[..., tuple[int, str, str]],
) -> None:
    training = {"trials": 1, "max_epochs": 30, "learning_rate": 0.03}
    rules = {"rules": ["majority", "refined"]}
    summary = lisor_pipeline(
        {**tiny, "datasets": [{"symbols": str(tagged)}], "training": training, "extraction": rules}
    )
    assert summary["failed"] == []
    out = Path(summary["out"])
    results = pd.read_parquet(out / "results.parquet")
    assert set(results["target"]) == {"step"}
    selected = results[results["selected"] & (results["test_set"] == "test")].iloc[0]
    assert (selected["accuracy"], selected["fidelity"]) == (1.0, 1.0)
    assert "what was most frequent in training after the same symbol at" in (
        out / "report.html"
    ).read_text(encoding="utf-8")
    (file,) = out.glob("automata/selected/*.json")
    assert json.loads(file.read_text())["target"] == "step"
    # the start, and for each symbol one that was new and one that repeated
    assert Automaton.from_json(file.read_text()).n_states == 5
    predicted = file.parent / "predicted.parquet"
    status, _, _ = command_line(
        "predict", "--automaton", str(file), "--data", str(tagged), "--out", str(predicted)
    )
    known, found = pd.read_parquet(tagged)["labels"], pd.read_parquet(predicted)["class"]
    assert status == 0
    assert list(map(list, found)) == list(map(list, known))
    uri = f"sqlite:///{home / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    model = mlflow.pyfunc.load_model(f"models:/tiny-tagged@{ALIAS}")
    (answer,) = model.predict(pd.DataFrame({"text": ["aabba"]})).to_dict("records")
    assert list(answer["class"]) == ["new", "same", "new", "same", "new"]
    assert model.metadata.signature.outputs.to_dict()[0]["type"] == "array"
