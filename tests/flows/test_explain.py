import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient

from lisor.errors import ConfigError, DataError, StoreError
from lisor_flows.explain import explain
from lisor_flows.pipeline import lisor_pipeline


def asked(run: str = "tiny", **changes: Any) -> None:
    """`lisor explain` with these options."""
    options = ("sequence", "row", "position", "dataset", "cell", "what", "out")
    explain(run, **{**dict.fromkeys(options), "trial": 0, **changes})


@pytest.mark.slow
def test_a_run_that_explains_shows_it_everywhere_and_is_cached(
    home: Path, tiny: dict[str, Any]
) -> None:
    notes = home.parent / "notes.csv"
    notes.write_text('unit,note\n0,"on ""0"""\n', encoding="utf-8")
    settings = {
        **tiny,
        "models": {"cells": ["gru", "attention-gru", "attention-recurrent"], "hidden_size": 5},
        "explain": {"enabled": True, "examples": 6, "annotations": str(notes)},
    }
    lisor_pipeline(settings)
    page = (home / "reports/tiny/latest/report.html").read_text()
    for title in (
        "000: why this answer?", "Single sequences", "<h3>Attention</h3>",
        "How good are the attributions?", "Leaving symbols "
                                                     "out", "How far back the networks look",
        "Hidden units over the steps", "Gates", "Saturated gates", "The hidden units of "
                                                                   "attention-recurrent",
        "the evidence on it",
    ):  # fmt: skip
        assert title in page
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    (experiment,) = [one for one in client.search_experiments() if one.name == "tiny"]
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert runs["000-gru-0"].data.metrics["explain.integrated-gradients.close"] >= 0.95
    assert "explain.attention.gain" in runs["000-attention-gru-0"].data.metrics
    assert lisor_pipeline(settings)["tasks"]["run"] == 0
    notes.write_text('unit,note\n1,"on ""1"""\n', encoding="utf-8")
    again = lisor_pipeline(settings)["tasks"]["run"]
    assert again == 4  # each explanation, and the report


def test_a_word_is_explained_at_the_terminal_and_on_a_page(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(str(finished / "reports/tiny/latest"), sequence="10001")
    told = capsys.readouterr().out
    assert "gru answers" in told
    assert told.count("│ 0 ") + told.count("│ 1 ") >= 5
    (written,) = (finished / "reports/tiny/latest/explanations").iterdir()
    assert str(written) in told
    page = written.read_text()
    assert "10001" in page
    assert page.count("<svg") == 1
    assert "http" not in page.replace("http://www.w3.org", "")


def test_a_name_finds_its_latest_run(finished: Path, tmp_path: Path) -> None:
    asked("tiny", sequence="0", out=tmp_path / "why.html")
    assert "<html" in (tmp_path / "why.html").read_text()


@pytest.mark.parametrize("out", ["link", "folder", "absent/why.html"])
def test_a_page_replaces_nothing_but_a_file(finished: Path, tmp_path: Path, out: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=r"is a symbolic link|is a folder|does not exist"):
        asked("tiny", sequence="0", out=tmp_path / out)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "error", "expected"),
    [
        ({}, ConfigError, "either --sequence with a text, .* or --row"),
        ({"sequence": "0", "row": 1}, ConfigError, "give either --sequence"),
        ({"sequence": "good"}, DataError, r"alphabet \('0', '1'\), got 'g'$"),
        ({"sequence": "0", "cell": "lstm"}, ConfigError, "no network lstm 0, only 000 gru 0"),
        ({"sequence": "0", "trial": 3}, ConfigError, "no network 3, only"),
        ({"sequence": "0", "dataset": "0110"}, ConfigError, "no network 0110 0"),
        ({"row": 41}, DataError, "row of the test split of 000, from 1 to 40, got 41"),
        ({"sequence": "01", "position": 1}, DataError, "one prediction for a sequence"),
        ({"sequence": "012"}, DataError, r"expected symbols of the alphabet \('0', '1'\), got '2'"),
        ({"sequence": ""}, DataError, "got an empty one"),
        ({"run": "nothing", "sequence": "0"}, StoreError, "expected a run of"),
    ],
)
def test_what_cannot_be_explained_is_said(
    options: dict[str, Any], error: type[Exception], expected: str, finished: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=expected):
        asked(**options, out=tmp_path / "why.html")
    assert not (tmp_path / "why.html").exists()


def test_a_record_of_another_version_is_refused(finished: Path) -> None:
    path = finished / "reports/tiny/latest/run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    with pytest.raises(StoreError, match="another version"):
        asked(str(finished / "reports/tiny/latest"), sequence="0")


KINDS: dict[str, dict[str, Any]] = {
    "tagger": {"language": "000", "target": "step"},
    "language model": {"language": "000", "target": "next"},
    "series": {"series": "aeon:ItalyPowerDemand", "window": 6, "symbol_count": 6, "held_out": 0.5},
}
"""Datasets of which the networks are explained as those of words are."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_networks_of_any_kind_are_explained_in_the_report_and_at_the_terminal(
    kind: str, home: Path, tiny: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {} if kind == "series" else {**tiny["datasets"][0]}
    settings = {
        **tiny,
        "datasets": [{**sizes, **KINDS[kind]}],
        "explain": {"enabled": True, "examples": 3},
    }
    summary = lisor_pipeline(settings)
    assert (summary["failed"], summary["unexplained"]) == ([], [])
    page = (home / "reports/tiny/latest/report.html").read_text()
    for title in (
        "Single sequences", "What does not apply", "How good are the attributions?",
        "Gradients by parameter", "Hidden units over the steps", "The hidden units of gru",
    ):  # fmt: skip
        assert title in page
    capsys.readouterr()
    row = {} if kind == "series" else {"position": 1}
    asked(row=1, **row)
    told = capsys.readouterr().out
    assert ("gru answers" if kind == "series" else "After step 1 gru predicts") in told
    assert "Truly it is" in told
    assert lisor_pipeline(settings)["tasks"]["run"] == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("default::lisor.errors.DataWarning")
@pytest.mark.parametrize("build", ["build", "Counter"])
def test_external_networks_are_explained_with_what_they_have(
    build: str,
    home: Path,
    tiny: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"mine_{build.lower()}"
    (tmp_path / f"{name}.py").write_text(EXTERNAL, encoding="utf-8")
    monkeypatch.setitem(sys.modules, name, None)
    del sys.modules[name]
    rng = np.random.default_rng(0)
    words = ["".join(map(str, rng.integers(0, 2, 1 + at % 9))) for at in range(200)]
    (tmp_path / "words.csv").write_text("\n".join(["symbols", *words]), encoding="utf-8")
    summary = lisor_pipeline(
        {
            "name": "tiny",
            "datasets": [{"symbols": str(tmp_path / "words.csv")}],
            "models": {"build": f"{name}:{build}"},
            "clustering": {"k": [2, 6]},
            "explain": {"enabled": True, "examples": 3},
        }
    )
    assert (summary["failed"], summary["unexplained"]) == ([], [])
    page = (home / "reports/tiny/latest/report.html").read_text()
    has_gradients = build == "build"
    assert ("Gradients by parameter" in page) == has_gradients
    assert ("Counter is no torch module" in page) != has_gradients
    capsys.readouterr()
    asked(sequence="10001")
    told = capsys.readouterr().out
    assert "answers" in told
    assert ("Attributions are by removal in their place." in told) != has_gradients


EXTERNAL = """
import torch

from tests.explain.conftest import Counter
from tests.plain import Acceptor


def build():
    torch.manual_seed(0)
    network = Acceptor()
    for weights in network.parameters():
        weights.data *= 3
    return network.eval()
"""
