"""The settings files that come with the program, and what their settings come to."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lisor.settings.experiment import SECTIONS, Experiment
from lisor.settings.reading import load

ROOT = Path(__file__).parent.parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
RESOLVED: dict[str, Any] = json.loads(Path(__file__).with_name("resolved.json").read_text())
"""What every setting of each file came to when settings were one class for all kinds of data."""


def resolved(plan: Experiment) -> dict[str, Any]:
    """All settings of a run as plain values."""
    studies = [
        {
            "name": study.dataset.name,
            "dataset": study.dataset.model_dump(mode="json", exclude_none=True),
            **{name: getattr(study, name).model_dump(mode="json") for name in SECTIONS},
        }
        for study in plan.studies
    ]
    top = {name: getattr(plan, name) for name in ("name", "threads", "runner", "runner_address")}
    return {**top, "studies": studies}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_setting_of_a_file_comes_to_what_it_always_has(path: Path) -> None:
    plan = Experiment(**load(path))
    assert plan.name == path.stem
    assert resolved(plan) == RESOLVED[path.stem]


def test_there_is_a_snapshot_of_every_file() -> None:
    assert [path.stem for path in CONFIGS] == sorted(RESOLVED)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_all_settings_written_out_mean_the_same(path: Path) -> None:
    plan = Experiment(**load(path))
    written = yaml.safe_dump(plan.model_dump(mode="json"))
    assert Experiment(**yaml.safe_load(written)).studies == plan.studies


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_record_keeps_the_settings_as_they_were_given(path: Path) -> None:
    assert Experiment(**load(path)).plain() == load(path)


def test_each_deployment_names_its_settings_and_runs_one_at_a_time() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    assert [one["name"] for one in deployments] == ["quickstart", "sentiment", "paper"]
    for one in deployments:
        assert one["parameters"] == {"settings": one["name"]}
        assert one["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
