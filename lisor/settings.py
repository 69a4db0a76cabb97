"""Settings as people write them, YAML and KEY=VALUE, read into the dataclasses of `lisor.config`.

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

import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ConfigDict, TypeAdapter, ValidationError

from lisor import yaml_values
from lisor.config import KINDS, Experiment, Study, kind_of, not_taken, refuse_not_taken, safe_name
from lisor.errors import ConfigError, show
from lisor.files import read_text, reason, shorten

_SECTIONS: dict[str, type] = {part.name: typing.get_type_hints(Study)[part.name] for part in fields(Study)}
_COMMON = {name: section for name, section in _SECTIONS.items() if name != "dataset"}
_WHOLE = {"name": str, "threads": int, "runner": str, "runner_address": str}
"""Settings of the whole experiment, which stand in no section, with their types."""

_TOP = (*_WHOLE, "datasets", *_COMMON)

MAX_DATASETS = 1000

_REPLACED = {f"extraction.{name}_seconds": f"extraction.{name}_steps" for name in ("search", "baseline")}
"""Settings that there were, and what stands in their place: symbols that a network reads are alike on all machines."""


def load(path: Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The settings in a YAML file with `KEY=VALUE` overrides applied, as plain values that `experiment` takes.

    Raises:
        ConfigError: the file is missing, not YAML or not a mapping, or an override is malformed."""
    try:
        settings = yaml_values.read(read_text(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"the settings in {shorten(path)} cannot be read: {reason(error)}") from None
    if not isinstance(settings, dict):
        raise ConfigError(f"expected a mapping of settings in {shorten(path)}, got {type(settings).__name__}")
    settings.setdefault("name", safe_name(path.stem))
    return override(settings, overrides)


def override(settings: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """The settings with each `KEY=VALUE` applied; it beats what a data set overrides for itself.

    `dataset.language=…` or `dataset.text=…` replaces the data sets by that one; so do `symbols` and `series`, but a
    single data set of that kind keeps its other settings. Another `dataset.…` applies to all that can take it. A text
    field takes the value as it stands, any other is read as YAML.

    Raises:
        ConfigError: an override is not `KEY=VALUE`, its key is unknown, or no dataset can take it."""
    changed = {**settings, "datasets": [dict(entry) for entry in _entries(settings)]}
    pairs = [_split_override(text) for text in overrides]
    kinds = {f"dataset.{kind}" for kind in KINDS}
    pairs.sort(key=lambda pair: pair[0] not in kinds)
    for key, text in pairs:
        section, _, name = key.partition(".")
        value = _parse_value(key, text)
        if key in kinds:
            kept = changed["datasets"] if name in ("symbols", "series") and len(changed["datasets"]) == 1 else []
            changed["datasets"] = [{**next((entry for entry in kept if name in entry), {}), name: value}]
        elif section == "dataset":
            takes = [not not_taken([name], kind_of(entry)) for entry in changed["datasets"]]
            if changed["datasets"] and not any(takes):
                refuse_not_taken([name], kind_of(changed["datasets"][0]))
            pairs_of = zip(changed["datasets"], takes, strict=True)
            changed["datasets"] = [{**entry, name: value} if taken else entry for entry, taken in pairs_of]
        elif name:
            changed[section] = {**_mapping(section, changed.get(section)), name: value}
            for entry in changed["datasets"]:
                if isinstance(entry.get(section), dict):
                    entry[section] = {key: own for key, own in entry[section].items() if key != name}
        else:
            changed[section] = value
    return changed


def experiment(settings: Mapping[str, Any]) -> Experiment:
    """The checked settings of an experiment, from values as YAML gives them.

    Raises:
        ConfigError: a setting is unknown (the nearest known name is given), of the wrong type or out of range."""
    for key in settings:
        if key not in _TOP:
            _unknown(key, _TOP)
    common = {name: _mapping(name, settings.get(name)) for name in _COMMON}
    studies = []
    entries = _entries(settings)
    if len(entries) > MAX_DATASETS:
        raise ConfigError(f"datasets must list at most {MAX_DATASETS:,} datasets, got {len(entries):,}")
    for entry in entries:
        own = {name: {**common[name], **_mapping(name, entry.get(name))} for name in _COMMON}
        dataset = {key: value for key, value in entry.items() if key not in _COMMON}
        sections = {name: _section(name, values) for name, values in {"dataset": dataset, **own}.items()}
        studies += [Study(**{**sections, "dataset": part}) for part in sections["dataset"].parts]
    top = {key: settings[key] for key in _WHOLE if key in settings}
    for key, value in top.items():
        if type(value) is not _WHOLE[key]:
            raise ConfigError(f"{key} must be a {_KINDS[_WHOLE[key]]}, got {show(value)}")
    if "name" not in top:
        raise ConfigError("the settings need a 'name', which reports and MLflow show")
    return Experiment(studies=tuple(studies), **top)


_KINDS = {str: "text", int: "whole number"}


def _section(name: str, values: Mapping[str, Any]) -> Any:
    """One section as its dataclass."""
    section = _SECTIONS[name]
    known = [part.name for part in fields(section)]
    for key in values:
        if key not in known:
            _unknown(key, known, f"{name}.")
        if not is_unicode(values[key]):
            raise ConfigError(f"{name}.{key} must be Unicode text, got {show(values[key])}")
    if name == "dataset":
        refuse_not_taken([key for key, value in values.items() if value is not None], kind_of(values))
    return section(**{key: _typed(f"{name}.{key}", _types(section)[key], value) for key, value in values.items()})


def _typed(key: str, kind: TypeAdapter[Any], value: object) -> Any:
    """The value of a setting if it is of the setting's type: a truth value is no number, nor is a text."""
    try:
        return kind.validate_python(tuple(value) if isinstance(value, list) else value)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        message = problem["msg"].removeprefix("Input ")
        hint = "; put it in quotes" if problem["type"] == "string_type" else ""
        raise ConfigError(f"{key}: {message}, got {show(problem['input'])}{hint}") from None


@cache
def _types(section: type) -> dict[str, TypeAdapter[Any]]:
    """What checks the type of each setting of a section."""
    strict = ConfigDict(strict=True)
    return {name: TypeAdapter(hint, config=strict) for name, hint in typing.get_type_hints(section).items()}


def _entries(settings: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries = settings.get("datasets", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(f'datasets must be a list of mappings such as - {{language: "000"}}, got {show(entries)}')
    return entries


def _mapping(name: str, value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{name} must be a mapping of settings, got {show(value)}")
    return value


def _split_override(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set takes KEY=VALUE, for example training.trials=5, got {show(text)}")
    return key.strip(), value


def _parse_value(key: str, text: str) -> Any:
    section, _, name = key.partition(".")
    known = [f"{section}.{part.name}" for section, kind in _SECTIONS.items() for part in fields(kind)]
    if key not in (*known, *_WHOLE):
        _unknown(key, [*known, *_WHOLE])
    hint = typing.get_type_hints(_SECTIONS[section])[name] if name else _WHOLE[section]
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if str in options:
        return text
    try:
        return yaml_values.read(text)
    except ValueError as error:
        raise ConfigError(f"--set {key}: expected a value as YAML, got {show(text)}: {error}") from None


def is_unicode(value: object) -> bool:
    """Whether every text of a value can be written as UTF-8, which half of a surrogate pair cannot."""
    texts = value if isinstance(value, list | tuple) else [value]
    return not any(isinstance(text, str) and any("\ud800" <= sign <= "\udfff" for sign in text) for text in texts)


def _unknown(key: object, known: Iterable[str], section: str = "") -> NoReturn:
    if isinstance(key, str) and (replaced := _REPLACED.get(f"{section}{key}")) is not None:
        raise ConfigError(
            f"{section}{key} is no setting any more; set {replaced}, a number of symbols that the network reads"
        )
    near = get_close_matches(str(key)[:60] if isinstance(key, str) else "", list(known), n=1, cutoff=0.0)[0]
    shown = show(f"{section}{key}" if isinstance(key, str) else key)
    raise ConfigError(f"unknown setting {shown}; the nearest known one is {f'{section}{near}'!r}")
