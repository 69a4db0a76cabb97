"""What the settings say of themselves: JSON Schema, page, and the form of Prefect."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from docs.write_settings import PAGE, SCHEMA, fill, schema
from lisor.registry import CELLS, network_names
from lisor.settings.base import Settings
from lisor.settings.dataset import DATASETS, known_settings
from lisor.settings.experiment import SECTIONS, Experiment
from lisor.settings.schema import json_schema, page

ROOT = Path(__file__).parent.parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


def check(values: Any) -> list[str]:
    """What is wrong with settings by the schema."""
    return [error.message for error in Draft202012Validator(json_schema()).iter_errors(values)]


def models() -> Iterator[type[Settings]]:
    yield Experiment
    yield from (DATASETS[kind] for kind in DATASETS)
    yield from (type(Experiment.model_fields[name].default) for name in SECTIONS)


def test_the_files_are_those_of_the_settings_as_they_are() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema(), "make settings"
    text = PAGE.read_text(encoding="utf-8")
    assert text == fill(text), "make settings"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_file_of_settings_names_its_schema_and_is_valid_by_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=schema.json\n")
    assert check(yaml.safe_load(text)) == []


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"datasets": [{}]},
        {"datasets": [{"language": "000", "window": 7}]},
        {"datasets": [{"language": "001"}]},
        {"datasets": [{"language": "000", "models": {"cells": ["grus"]}}]},
        {"datasets": [{"language": "000"}], "training": {"trials": 0}},
        {"datasets": [{"language": "000"}], "clustering": {"k": 5}},
        {"datasets": [{"language": "000"}], "modles": {}},
    ],
)
def test_the_schema_finds_what_is_wrong(values: dict[str, Any]) -> None:
    assert check(values)


def test_every_setting_is_described_and_on_the_page() -> None:
    text = page()
    for model in models():
        for name, field in model.model_fields.items():
            assert field.description, (model, name)
            assert name in (*SECTIONS, "datasets") or f"| `{model.key(name)}` |" in text


def test_a_cell_that_is_added_is_a_setting_and_in_the_schema(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(CELLS, "_entries", dict(CELLS._entries))
    CELLS.add("toy", "tests.toys:Toy")
    values = {"name": "x", "datasets": [{"language": "000"}], "models": {"cells": ["toy"]}}
    assert Experiment(**values).models.cells == ("toy",)
    assert check(values) == []
    assert {"toy", "attention-toy"} <= set(network_names())


def test_the_form_of_the_flow_has_every_setting() -> None:
    from lisor_flows.pipeline import lisor_pipeline

    shown = json.dumps(lisor_pipeline.parameters.model_dump())
    for model in models():
        for field in model.model_fields.values():
            assert json.dumps(field.description)[1:-1] in shown
    for name in known_settings():
        assert f'"{name}"' in shown


@pytest.mark.parametrize(
    ("settings", "fits"),
    [
        ("quickstart", True),
        ({"name": "x", "datasets": [{"language": "000"}]}, True),
        ({"name": "x", "datasets": [{"language": "000", "window": 7}]}, False),
        (3, False),
    ],
)
def test_a_deployment_takes_a_name_or_settings_and_nothing_else(settings: Any, fits: bool) -> None:
    from lisor_flows.pipeline import lisor_pipeline

    form = Draft202012Validator(lisor_pipeline.parameters.model_dump())
    assert form.is_valid({"settings": settings}) == fits
