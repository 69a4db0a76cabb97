"""Settings as people write them, YAML and KEY=VALUE, as plain values that an `Experiment` is made
of.

name: quickstart
datasets:                      each may override any section below for itself
  - {language: "000"}
  - {text: movie-reviews, models: {cells: [gru, mgu]}}
models: {hidden_size: 10}
training: {trials: 3}
clustering: {k: [2, 32]}
runner: threads                of the whole run, as threads: 1
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lisor.errors import ConfigError, show
from lisor.files import read_text, reason, shorten
from lisor.settings import yaml_values
from lisor.settings.base import Settings, UnknownSettingError, type_of
from lisor.settings.dataset import DATASETS, DatasetSettings, kind_of
from lisor.settings.experiment import SECTIONS, Experiment, as_mapping, entries_of
from lisor.settings.file_names import safe_name
from lisor.settings.places import explained, settings_by_key


def load(path: Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The settings in a YAML file with `KEY=VALUE` overrides applied, as plain values.

    Raises:
        ConfigError: the file is missing, not YAML or not a mapping, or an override is malformed."""
    try:
        values = yaml_values.read(read_text(path))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the settings in {shorten(path)} cannot be read: {reason(error)}"
        ) from None
    if not isinstance(values, dict):
        raise ConfigError(
            f"expected a mapping of settings in {shorten(path)}, got {type(values).__name__}"
        )
    values.setdefault("name", safe_name(path.stem))
    return override(values, overrides)


def override(values: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """The settings with each `KEY=VALUE` applied; it beats what a dataset overrides for itself.

    `dataset.language=…` or `dataset.text=…` replaces the datasets by that one; so do `symbols`,
    `series` and `translation`, but datasets that all read one file keep their other settings.
    Another `dataset.…` applies to all that can take it. A text field takes the value as it stands,
    any other is read as YAML.

    Raises:
        ConfigError: an override is not `KEY=VALUE`, its key is unknown, or no dataset can take
            it."""
    try:
        return _overridden(values, overrides)
    except UnknownSettingError as error:
        raise explained(error, Experiment) from None


def _overridden(values: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    changed = {**values, "datasets": [dict(entry) for entry in entries_of(values)]}
    pairs = [_split_override(text) for text in overrides]
    pairs.sort(key=lambda pair: pair[0].removeprefix("dataset.") not in DATASETS)
    for key, text in pairs:
        section, _, name = key.partition(".")
        value = _parse_value(key, text, changed["datasets"])
        if section == "dataset":
            changed["datasets"] = _override_datasets(changed["datasets"], name, value)
        elif name:
            changed[section] = {**as_mapping(section, changed.get(section)), name: value}
            for entry in changed["datasets"]:
                if isinstance(entry.get(section), dict):
                    kept = entry[section].items()
                    entry[section] = {other: given for other, given in kept if other != name}
        else:
            changed[section] = value
    return changed


def _override_datasets(
    entries: list[dict[str, Any]], name: str, value: Any
) -> list[dict[str, Any]]:
    if name in DATASETS:
        of_files = name in ("symbols", "series", "translation")
        if of_files and len({entry.get(name) for entry in entries}) == 1 and name in entries[0]:
            return [{**entry, name: value} for entry in entries]
        return [{name: value}]
    takes = [_takes(entry, name) for entry in entries]
    if entries and not any(takes):
        DATASETS[kind_of(entries[0]) or ""].refuse(name, entries[0])
    return [
        {**entry, name: value} if taken else entry
        for entry, taken in zip(entries, takes, strict=True)
    ]


def _takes(entry: Mapping[str, Any], name: str) -> bool:
    kind = kind_of(entry)
    settings: type[DatasetSettings] | None = None if kind is None else DATASETS[kind]
    return settings is None or settings.takes(name, entry)


def _split_override(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set takes KEY=VALUE, for example training.trials=5, got {show(text)}")
    return key.strip(), value


def _parse_value(key: str, text: str, entries: Sequence[Mapping[str, Any]]) -> Any:
    section, _, name = key.partition(".")
    known = settings_by_key(Experiment)
    if key not in known:
        if key in (*Experiment.model_fields, "dataset"):
            section = "dataset" if key == "datasets" else key
            one = next(name for name in known if name.startswith(f"{section}."))
            raise ConfigError(
                f"--set takes one setting, such as {one}=…, got all {section} settings; write "
                "those into a config"
            )
        owner = type_of(Experiment.model_fields[section]) if section in SECTIONS else Settings
        if name in owner.REPLACED:
            owner.refuse_unknown(name, ())
        fitting = [
            other
            for other in known
            if not (entries and other.startswith("dataset."))
            or any(_takes(entry, other.removeprefix("dataset.")) for entry in entries)
        ]
        Settings.refuse_unknown(key, fitting)
    if type_of(known[key]) is str:
        return text
    try:
        return yaml_values.read(text)
    except ValueError as error:
        raise ConfigError(
            f"--set {key}: expected a value as YAML, got {show(text)}: {error}"
        ) from None
