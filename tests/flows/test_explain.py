import json
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from lisor.errors import ConfigError, DataError, StoreError
from lisor_flows.explain import explain
from lisor_flows.pipeline import lisor_pipeline


def asked(run: str = "tiny", **changes: Any) -> None:
    """`lisor explain` with these options."""
    usual = {"text": None, "word": None, "dataset": None, "cell": None, "trial": 0, "out": None}
    explain(run, **{**usual, **changes})


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
    asked(str(finished / "reports/tiny/latest"), word="10001")
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
    asked("tiny", word="0", out=tmp_path / "why.html")
    assert "<html" in (tmp_path / "why.html").read_text()


@pytest.mark.parametrize("out", ["link", "folder", "absent/why.html"])
def test_a_page_replaces_nothing_but_a_file(finished: Path, tmp_path: Path, out: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=r"is a symbolic link|is a folder|does not exist"):
        asked("tiny", word="0", out=tmp_path / out)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "error", "expected"),
    [
        ({}, ConfigError, "either --text with a text, or --word"),
        ({"word": "0", "text": "good"}, ConfigError, "and not both"),
        ({"text": "good"}, ConfigError, "has no text, only 000; use --word"),
        ({"word": "0", "cell": "lstm"}, ConfigError, "no network 000 lstm 0, only 000 gru 0"),
        ({"word": "0", "trial": 3}, ConfigError, "no network 000 3"),
        ({"word": "0", "dataset": "0110"}, ConfigError, "no network 0110"),
        ({"text": "good", "dataset": "000"}, ConfigError, "000 is not a text; use --word"),
        ({"word": "012"}, DataError, r"expected symbols of the alphabet \('0', '1'\), got '2'"),
        ({"word": ""}, DataError, "got an empty one"),
        ({"run": "nothing", "word": "0"}, StoreError, "expected a run of"),
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
        asked(str(finished / "reports/tiny/latest"), word="0")
