"""The settings of a dataset are of one kind: those of another kind are refused, each of them."""

from typing import Any

import pytest

from lisor.errors import ConfigError
from lisor.settings.dataset import DATASETS, kind_of, known_settings, read_dataset
from lisor.settings.experiment import Experiment
from lisor.settings.reading import override
from tests.plain_kind import ToySettings, toy_kind

__all__ = ["toy_kind"]

OF_KINDS: dict[str, dict[str, Any]] = {
    "language": {"language": "regex:0*1"},
    "text": {"text": "a.csv"},
    "symbols": {"symbols": "a.csv"},
    "series": {"series": "a.csv"},
    "translation": {"translation": "a.csv"},
}

VALUES: dict[str, Any] = {
    **dict.fromkeys(("train", "validation", "selection", "test", "max_length", "min_count"), 7),
    "seed": 7,
    "alphabet": "10",
    "keep": "last",
    "balanced": False,
    "vectors": "word2vec",
    "order": ["a", "b"],
    "classes": ["a", "b"],
    "quantizer": "sax",
    "symbol_count": 7,
    "window": 7,
    "held_out": 0.2,
    "target": "next",
    "folds": 7,
    "separator": "|",
    "reverse": True,
}
"""A value of each setting that does not name a kind, but for those that need another."""

NEEDY = ("begin", "end", "fold", "groups", "normal", "horizon", "sequence_length")

PAIRS = [(kind, name) for kind in OF_KINDS for name in VALUES]
FOREIGN = [(kind, name) for kind, name in PAIRS if name not in DATASETS[kind].model_fields]


def experiment(dataset: dict[str, Any], *changes: str) -> Experiment:
    return Experiment(**override({"name": "x", "datasets": [dataset]}, changes))


def written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_every_setting_of_every_kind_is_tried() -> None:
    assert set(known_settings()) == {*VALUES, *DATASETS, *NEEDY}
    assert set(OF_KINDS) == set(DATASETS)
    assert len(FOREIGN) == 56


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_a_setting_of_another_kind_is_refused_wherever_it_is_given(kind: str, name: str) -> None:
    entry, change = OF_KINDS[kind], f"dataset.{name}={written(VALUES[name])}"
    if (kind, name) not in FOREIGN:
        given = experiment({**entry, name: VALUES[name]})
        assert experiment(entry, change).studies == given.studies
        value = getattr(given.studies[0].dataset, name)
        assert value == (tuple(VALUES[name]) if isinstance(VALUES[name], list) else VALUES[name])
        return
    says = rf"dataset\.{name} is for .*, not for {kind}; take it out"
    with pytest.raises(ConfigError, match=says):
        experiment({**entry, name: VALUES[name]})
    with pytest.raises(ConfigError, match=says):
        DATASETS[kind](**entry, **{name: VALUES[name]})
    with pytest.raises(ConfigError, match=says):
        experiment(entry, change)


@pytest.mark.parametrize(("kind", "other"), [(a, b) for a in OF_KINDS for b in OF_KINDS if a != b])
def test_a_dataset_is_of_one_kind(kind: str, other: str) -> None:
    with pytest.raises(ConfigError, match="only one of them"):
        experiment({**OF_KINDS[kind], **OF_KINDS[other]})
    assert kind_of({**OF_KINDS[kind], **OF_KINDS[other]}) is None


@pytest.mark.parametrize("window", [1, 7])
def test_a_setting_of_another_kind_is_refused_even_at_its_usual_value(window: int) -> None:
    with pytest.raises(ConfigError, match=r"dataset\.window is for series, not for language"):
        experiment({"language": "000", "window": window})


def test_an_alphabet_is_for_expressions() -> None:
    says = r"dataset\.alphabet is for regex:, not for language '000'; take it out"
    with pytest.raises(ConfigError, match=says):
        experiment({"language": "000", "alphabet": "ab"})
    with pytest.raises(ConfigError, match=says):
        experiment({"language": "000"}, "dataset.alphabet=ab")


def test_what_is_null_is_not_given() -> None:
    assert read_dataset({"language": "000", "train": None, "window": None}) == read_dataset(
        {"language": "000"}
    )


def test_a_setting_that_no_kind_has_is_unknown() -> None:
    for entry in ({"languag": "000"}, {"language": "000", "lenguage": "1"}):
        with pytest.raises(ConfigError, match=r"the nearest known one is 'dataset\.language'"):
            experiment(entry)


def test_a_kind_that_is_added_from_outside_is_one_of_the_union(toy_kind: None) -> None:
    dataset = experiment({"toy": 3}).studies[0].dataset
    assert dataset == ToySettings(toy=3)
    assert experiment({"toy": 3}, "dataset.seed=5").studies[0].dataset.seed == 5
    with pytest.raises(ConfigError, match=r"dataset\.window is for series, not for toy"):
        experiment({"toy": 3, "window": 3})
    with pytest.raises(ConfigError, match=r"dataset\.toy takes a whole number; got 'three'"):
        experiment({"toy": "three"})
