import os
from typing import Any

import pytest

from lisor.errors import ConfigError
from lisor.settings.experiment import Experiment
from lisor.settings.memory import check_fits, least_bytes
from lisor.settings.reading import override

MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def plan(*changes: str, **dataset: Any) -> Experiment:
    values = {"name": "x", "datasets": [dataset or {"language": "000"}]}
    return Experiment(**override(values, changes))


@pytest.mark.parametrize(
    "dataset", [{"language": "000"}, {"text": "a.csv"}, {"symbols": "a.csv"}, {"series": "a.csv"}]
)
def test_the_usual_settings_fit_into_any_machine(dataset: dict[str, str]) -> None:
    usual = plan(**dataset)
    check_fits(usual)
    assert max(least_bytes(usual.studies[0]).values()) < 1e8


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            "models.hidden_size=1000000",
            "models.hidden_size of 000 needs about 144,000 GB of memory, and this machine has",
        ),
        ("dataset.train=1000000000", "dataset.train of 000 needs about"),
        ("dataset.validation=1000000000", "dataset.validation of 000 needs about"),
    ],
)
def test_what_the_memory_cannot_hold_is_refused_by_the_name_of_its_setting(
    change: str, says: str
) -> None:
    changes = [change, "models.cells=[gru]", "training.trials=3", "dataset.max_length=1000"]
    with pytest.raises(ConfigError, match=says):
        check_fits(plan(*changes))


def test_a_network_needs_no_more_than_is_said() -> None:
    needs = [
        least_bytes(plan(f"models.hidden_size={size}").studies[0])["models.hidden_size"]
        for size in (100, 200)
    ]
    assert 3 < needs[1] / needs[0] < 5  # the matrices are square


def test_a_network_that_is_external_is_not_counted() -> None:
    study = plan("models.build=a:b", "models.hidden_size=1000000", symbols="a.csv").studies[0]
    assert least_bytes(study) == {"models.hidden_size": 0}


def test_the_machine_has_memory() -> None:
    assert MEMORY > 1e8
