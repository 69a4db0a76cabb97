"""All settings by their full names, and the section of one that stands in another."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from pydantic.fields import FieldInfo

from lisor.errors import ConfigError, show
from lisor.settings.base import Settings, UnknownSettingError, type_of
from lisor.settings.dataset import DATASETS

SIMILAR = 0.7
"""The likeness of two names that may be meant for each other."""

LIST = 'datasets are a list at the top of a file: datasets: [{language: "000"}]'
"""What is said of a dataset elsewhere."""


def sections_of(whole: type[Settings]) -> dict[str, type[Settings]]:
    """The sections of the settings of a whole run."""
    types = {name: type_of(field) for name, field in whole.model_fields.items()}
    return {
        name: kind
        for name, kind in types.items()
        if isinstance(kind, type) and issubclass(kind, Settings) and name == kind.SECTION
    }


def settings_by_key(whole: type[Settings]) -> dict[str, FieldInfo]:
    """Every setting of a whole run that can be overridden, by its full name."""
    kinds: list[type[Settings]] = [DATASETS[kind] for kind in DATASETS]
    sections = sections_of(whole)
    fields = {
        section.key(name): field
        for section in (*kinds, *sections.values(), whole)
        for name, field in section.model_fields.items()
    }
    return {key: field for key, field in fields.items() if key not in (*sections, "datasets")}


def explained(error: UnknownSettingError, whole: type[Settings]) -> ConfigError:
    """The error of an unknown setting with the section that has one of its name, or of one much
    like it where its own section has none."""
    name, keys = _name(error.key), list(settings_by_key(whole))
    advice = _elsewhere(name, keys, sections_of(whole))
    if advice is not None:
        return ConfigError(f"unknown setting {show(error.key)}; {advice}")
    if get_close_matches(name, [_name(error.nearest)], cutoff=SIMILAR):
        return error
    # On the command line the keys are those of all sections that fit.
    fitting = error.keys if len({key.partition(".")[0] for key in error.keys}) > 1 else keys
    fitting = keys if not any("." in key for key in fitting) else fitting
    near = _nearest(name, fitting)
    return error if near is None else UnknownSettingError(error.key, error.keys, near)


def _elsewhere(name: str, keys: Iterable[str], sections: Iterable[str]) -> str | None:
    """What a message says of a name that is one of another section, or a dataset's."""
    if name in ("dataset", "datasets"):
        return LIST
    if name in sections:
        return f"{name} is a section at the top of a file, or of an entry of datasets"
    same = [key for key in keys if _name(key) == name]
    if not same:
        return None
    shown = " or ".join(repr(key) if "." in key else f"{key!r} at the top" for key in same)
    advice = f"; {LIST}" if any(key.startswith("dataset.") for key in same) else ""
    return f"there is {shown}{advice}"


def _nearest(name: str, keys: Iterable[str]) -> str | None:
    """The full name of the setting that has a name as a word, or else one much like it."""
    known = {_name(key): key for key in keys}
    words = [other for other in known if name in other.split("_")]
    near = words or get_close_matches(name, list(known), n=1, cutoff=SIMILAR)
    return known[near[0]] if near else None


def _name(key: str) -> str:
    return key.rpartition(".")[2][:60]
