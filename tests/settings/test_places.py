"""Settings that stand in the wrong place."""

import pytest
import yaml

from lisor.errors import ConfigError
from lisor.settings.experiment import Experiment
from lisor.settings.places import settings_by_key
from lisor.settings.reading import override


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("dataset: {language: '000'}", "datasets are a list at the top of a file: datasets: "),
        ("dataset: [{language: '000'}]", "datasets are a list at the top of a file"),
        ("models: {dataset: {language: '000'}}", "datasets are a list at the top of a file"),
        ("language: '000'", r"there is 'dataset.language'; datasets are a list at the top"),
        ("models: {epochs: 3}", "nearest known one is 'training.max_epochs'"),
        ("models: {max_epochs: 3}", "there is 'training.max_epochs'"),
        ("epochs: 3", "nearest known one is 'training.max_epochs'"),
        ("training: {cells: [gru]}", "there is 'models.cells'"),
        ("extraction: {name: x}", "there is 'name' at the top"),
        ("training: {models: {cells: [gru]}}", "models is a section at the top of a file"),
        ("datasets: [{language: '000', trials: 3}]", "there is 'training.trials'"),
        ("training: {lerning_rate: 3}", "nearest known one is 'training.learning_rate'"),
    ],
)
def test_a_setting_in_the_wrong_place_is_answered_with_the_right_one(text, advice):
    values = {"name": "x", "datasets": [{"language": "000"}]} | yaml.safe_load(text)
    with pytest.raises(ConfigError, match=f"unknown setting .*; .*{advice}"):
        Experiment(**values)


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("models.epochs", "nearest known one is 'training.max_epochs'"),
        ("trials", "there is 'training.trials'"),
        ("dataset.trials", "there is 'training.trials'"),
    ],
)
def test_so_is_one_on_the_command_line(key, advice):
    with pytest.raises(ConfigError, match=advice):
        override({"name": "x", "datasets": [{"language": "000"}]}, [f"{key}=3"])


def test_each_setting_in_each_other_section_is_answered_with_its_section():
    keys = list(settings_by_key(Experiment))
    sections = ("models", "training", "clustering", "extraction", "explain")
    for key in keys:
        name = key.rpartition(".")[2]
        for section in sections:
            if f"{section}.{name}" in keys:
                continue
            values = {"name": "x", "datasets": [{"language": "000"}], section: {name: 1}}
            with pytest.raises(ConfigError) as caught:
                Experiment(**values)
            message = str(caught.value)
            assert repr(key) in message or "is no setting any more" in message, message
