"""Names beyond ASCII, and characters that mean something in URIs, wherever a user may name
something."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from lisor_flows.pipeline import artifact_key
from lisor_tasks.database import open_database
from tests.flows.test_cli import command_line

__all__ = ["command_line"]

ODD = "o d#?%41é"


@pytest.fixture
def odd_home(prefect_server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    store = tmp_path / ODD / "home"
    monkeypatch.setenv("LISOR_HOME", str(store))
    return store


def write_files(folder: Path, tiny: dict[str, Any]) -> None:
    """A config and data whose names and labels are as odd as they come."""
    (folder / ODD).mkdir()
    rows = {
        "text": ["très bon", "très mauvais", "=1 实验"] * 30,
        "label": ["=été", "实验 a/b:c", "é"] * 30,
    }
    pd.DataFrame(rows).to_csv(folder / ODD / "données #1?%20.csv", index=False)
    text = {"text": f"{ODD}/données #1?%20.csv", "max_length": 5, "min_count": 1}
    del tiny["name"]
    settings = {**tiny, "datasets": [text], "clustering": {"k": [2, 3]}}
    (folder / ODD / "Étude #1?.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


# Matplotlib measures texts with a font that lacks these; the SVG holds them as texts.
@pytest.mark.filterwarnings("ignore:Glyph .* missing:UserWarning")
def test_odd_names_are_those_of_a_run_from_its_config_to_mlflow(
    odd_home: Path, command_line, tiny: dict[str, Any], tmp_path: Path
) -> None:
    write_files(tmp_path, tiny)
    status, out, err = command_line("run", f"{ODD}/Étude #1?.yaml", "--out", f"{ODD}/où")
    assert status == 0, err
    assert "données_1_20" in out
    assert "MLflow   run: lisor ui" in out
    report = tmp_path / ODD / "où"
    assert json.loads((report / "run.json").read_text("utf-8"))["name"] == "Étude_1_"
    with open_database(odd_home, lambda _: None) as client:
        (experiment,) = (one for one in client.search_experiments() if one.name == "Étude_1_")
        runs = client.search_runs([experiment.experiment_id])
        assert {run.info.run_name for run in runs} == {"Étude_1_", "données_1_20-gru-0"}
        assert all(client.list_artifacts(run.info.run_id) for run in runs)
        assert [model.name for model in client.search_registered_models()] == [
            "Étude_1_-données_1_20"
        ]
    assert {path.name for path in tmp_path.iterdir()} == {ODD}

    status, _, err = command_line("track", "Étude_1_")
    assert (status, err.startswith("lisor: Étude_1_ is run ")) == (0, True)
    status, out, _ = command_line(
        "explain", "--run", f"{ODD}/où", "--text", "très bon", "--out", f"{ODD}/où?.html"
    )
    assert (status, f"page     {ODD}/où?.html" in out) == (0, True)
    automaton = f"{ODD}/où/automata/selected/données_1_20-gru-0.json"
    texts = f"{ODD}/données #1?%20.csv"
    status, out, _ = command_line("predict", "--automaton", automaton, "--data", texts)
    assert (status, len(out.splitlines())) == (0, 91)
    assert not re.search(r'^"=', out, re.MULTILINE)
    for arguments in (
        ["predict", "--data", texts, "--out", f"{ODD}/é?.csv"],
        ["export", "--format", "jff"],
    ):
        assert command_line(*arguments, "--automaton", automaton)[0] == 0
    for form in ("json", "dot", "aalpy", "python", "c"):
        asked = ["--format", form, "--out", f"{ODD}/实验?.{form}"]
        assert command_line("export", "--automaton", automaton, *asked)[0] == 0


@pytest.mark.parametrize("name", ["tiny", "Tiny_2.0", "实验", "Étude", "etude", "-", "é" * 60])
def test_prefect_takes_the_key_of_any_name(name: str) -> None:
    assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", artifact_key(name))


def test_names_beyond_ascii_have_keys_of_their_own() -> None:
    names = ["实验", "实验室", "Étude", "étude", "tude", "", "-"]
    assert len({artifact_key(name) for name in names[:-2]}) == len(names) - 2
    assert artifact_key("Tiny_2.0") == "tiny-2-0-report"
