"""The commands `lisor config …`."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from lisor.errors import ConfigError
from lisor.settings.experiment import Experiment
from lisor.settings.reading import load
from lisor_flows.config import app

ROOT = Path(__file__).parent.parent.parent


def config(*arguments: str) -> str:
    return CliRunner().invoke(app, arguments, catch_exceptions=False, standalone_mode=False).stdout


def test_the_schema_is_that_of_the_repository() -> None:
    assert json.loads(config("schema")) == json.loads((ROOT / "configs/schema.json").read_text())


def test_all_settings_of_a_run_are_shown_and_mean_the_same() -> None:
    shown = yaml.safe_load(config("show", "quickstart", "--set", "training.trials=7"))
    assert list(shown)[:2] == ["name", "datasets"]
    assert shown["datasets"][0]["language"] == "000"
    assert shown["datasets"][1]["training"]["trials"] == shown["training"]["trials"] == 7
    assert shown["clustering"]["decision_weight"] == 1.0
    changed = load(ROOT / "configs/quickstart.yaml", ["training.trials=7"])
    assert Experiment(**shown).studies == Experiment(**changed).studies


def test_wrong_settings_are_refused_as_a_run_refuses_them() -> None:
    with pytest.raises(ConfigError, match=r"the nearest known one is 'training\.trials'"):
        config("show", "quickstart", "--set", "training.trails=7")
