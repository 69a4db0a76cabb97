"""The values that the key of an artifact is made of: settings and inputs of a call, and versions of
libraries."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.metadata import (
    Distribution,
    PackageNotFoundError,
    packages_distributions,
    requires,
    version,
)
from typing import Any, TypeAlias

from lisor.settings.base import Keyed, Settings
from lisor_tasks.artifacts import Ref, Source

Leaf: TypeAlias = Ref | Source | str | int | float | list[Any] | None

OFF: tuple[object, ...] = (None, False, (), [])
"""Values of a setting that is off."""


def digest(value: object) -> str:
    """The SHA-256 of a value made of strings, numbers, lists and dicts, in 32 hex digits."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Leaf]]:
    """The references, sources and plain values inside arguments, each with its dotted name.

    A list of plain values counts as one plain value. Left out are values that are off, settings at
    their neutral value, and those that are part of no key; see `lisor.settings.base.Keyed`.

    Raises:
        TypeError: a value's text may differ between processes."""
    if isinstance(value, Ref | Source):
        yield path, value
    elif isinstance(value, Settings):
        for name, field in type(value).model_fields.items():
            inner = getattr(value, name)
            keyed = next((one for one in field.metadata if isinstance(one, Keyed)), Keyed())
            if keyed.in_key(inner) and not (_is_off(inner) or _same(inner, keyed.neutral)):
                yield from leaves(inner, f"{path}.{name}")
    elif is_dataclass(value) and not isinstance(value, type):
        yield from leaves({field.name: getattr(value, field.name) for field in fields(value)}, path)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if not _is_off(inner):
                yield from leaves(inner, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list | tuple):
        if all(map(_is_plain, value)):
            yield path, list(value)
        else:
            for number, inner in enumerate(value):
                yield from leaves(inner, f"{path}.{number}")
    elif _is_plain(value):
        yield path, value
    else:
        raise TypeError(
            f"a {type(value).__name__} cannot be part of a key: "
            "pass settings, references or plain values"
        )


def classes(value: Any) -> Iterator[type]:
    """The classes of the objects inside arguments, references apart."""
    if isinstance(value, Ref | Source):
        return
    if isinstance(value, Settings):
        yield from type(value).__mro__
        value = [inner for _, inner in value]
    elif is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        value = [getattr(value, field.name) for field in fields(value)]
    elif isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            yield from classes(inner)


def library_versions() -> dict[str, str]:
    """The versions of the libraries that compute most numbers, as summaries show them."""
    return {name: version(name) for name in ("torch", "numpy", "scikit-learn")}


@cache
def library_version(library: str) -> str | None:
    """The version of the distribution that installs a library of this import name; None for
    Python's own."""
    if library in sys.stdlib_module_names:
        return None
    for name in (library, *_required()):
        try:
            distribution = Distribution.from_name(name)
        except PackageNotFoundError:
            continue
        listed = "\n" + (distribution.read_text("RECORD") or "")
        if f"\n{library}/" in listed or f"\n{library}.py" in listed:
            return distribution.version
    owners = packages_distributions().get(library, [])  # reads every distribution: takes a second
    return ", ".join(Distribution.from_name(name).version for name in owners)


@cache
def _required() -> tuple[str, ...]:
    """The distributions that lisor requires."""
    return tuple(dict.fromkeys(re.match(r"[\w.-]+", line)[0] for line in requires("lisor") or ()))  # type: ignore[index]


def _is_off(value: object) -> bool:
    return any(_same(value, off) for off in OFF)


def _same(value: object, other: object) -> bool:
    """Equality by which 0 is not False."""
    return type(value) is type(other) and value == other


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)
