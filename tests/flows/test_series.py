"""Series of numbers and sequences of symbols, from a file to an automaton that reads others of
them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lisor.automata.automaton import Automaton
from tests.flows.test_cli import command_line, config, lisor

__all__ = ["command_line", "config", "lisor"]

pytestmark = pytest.mark.filterwarnings("default::lisor.errors.DataWarning")


def beats(path: Path) -> pd.DataFrame:
    """Series of two channels, whose first goes up or down."""
    rng = np.random.default_rng(0)
    up = rng.integers(2, size=120)
    series = [
        np.stack([np.linspace(-1, 1, 8) * (2 * one - 1), np.zeros(8)], axis=1)
        + rng.normal(scale=0.2, size=(8, 2))
        for one in up
    ]
    table = pd.DataFrame(
        {"series": [one.tolist() for one in series], "label": np.where(up, "up", "down")}
    )
    table.to_parquet(path)
    return table


def test_series_become_an_automaton_that_reads_other_series(
    lisor, config: str, home: Path, tmp_path: Path
) -> None:
    table = beats(tmp_path / "beats.parquet")
    changes = [
        "dataset.series=beats.parquet",
        "dataset.window=2",
        "dataset.symbol_count=6",
        "dataset.folds=2",
    ]
    changes += ["training.max_epochs=30", "training.seed=2", "extraction.rules=[dynamics]"]
    status, _, err = lisor(
        "run", config, *(part for change in changes for part in ("--set", change))
    )
    assert status == 0, err
    report = home / "reports/tiny/latest"
    results = pd.read_parquet(report / "results.parquet")
    assert sorted(results["dataset"].unique()) == ["beats-fold-1", "beats-fold-2"]
    selected = results[results["selected"] & (results["test_set"] == "test")]
    assert selected["rnn_accuracy"].min() > 0.9
    assert selected["accuracy"].min() > 0.8
    chosen = report / "automata/selected/beats-fold-1-gru-0.json"
    assert json.loads(chosen.read_text())["alphabet"]["quantizer"] is not None
    assert (
        Automaton.from_json(chosen.read_text()).alphabet.quantizer.names
        == Automaton.from_json(chosen.read_text()).alphabet
    )
    assert "<polyline" in chosen.with_suffix(".svg").read_text()
    status, out, _ = lisor("predict", "--automaton", str(chosen), "--data", "beats.parquet")
    assert status == 0
    classes = [line.split(",")[0].strip('"') for line in out.splitlines()[1:]]
    assert np.mean(np.array(classes) == table["label"]) > 0.8
    table.head(3).assign(series=[[1.0, 2.0]] * 3).to_parquet(tmp_path / "single.parquet")
    status, _, err = lisor("predict", "--automaton", str(chosen), "--data", "single.parquet")
    assert status == 2
    assert "expected 2 channels" in err.splitlines()[-1]


def test_symbols_are_trained_on_without_a_tokeniser(
    lisor, config: str, home: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    words = [
        rng.choice(["open file", "Close", "12"], size=rng.integers(1, 8)).tolist()
        for _ in range(200)
    ]
    labels = [f"kind {min(word.count('12'), 2)}" for word in words]
    pd.DataFrame({"symbols": words, "label": labels, "timestamp": range(200)}).to_parquet(
        tmp_path / "events.parquet"
    )
    status, _, err = lisor(
        "run", config, "--set", "dataset.symbols=events.parquet", "--set", "training.max_epochs=30"
    )
    assert status == 0, err
    assert "lisor: note: the column 'timestamp' is not read" in err
    machine = Automaton.from_json(
        (home / "reports/tiny/latest/automata/selected/events-gru-0.json").read_text()
    )
    assert machine.alphabet == ("12", "Close", "open file")
    assert machine.classes == ("kind 0", "kind 1", "kind 2")
    assert (home / "reports/tiny/latest/report.html").read_text().count("is not read") == 1
