"""What the key of an artifact is made of, as values: the settings and inputs of a call, and versions of libraries."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, packages_distributions, requires, version
from typing import Any, TypeAlias

from lisor_tasks.artifacts import Ref, Source

Leaf: TypeAlias = Ref | Source | str | int | float | list[Any] | None

OFF: tuple[object, ...] = (None, False, (), [])
"""Values of a setting that asks for nothing."""


def digest(value: object) -> str:
    """The SHA-256 of a value made of strings, numbers, lists and dicts, in 32 hex digits."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Leaf]]:
    """The references, sources and plain values inside arguments, each with its dotted name.

    A list of plain values is one of them. Left out are settings at their neutral value, at which everything is as it
    was before there was such a setting: off, or what the metadata of the field says (`neutral`). Left out are also
    fields whose metadata say that they are part of no key (`in_key`: False).

    Raises:
        TypeError: there is something whose text may differ between processes."""
    if isinstance(value, Ref | Source):
        yield path, value
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            inner = getattr(value, field.name)
            if not _is_neutral(field, inner):
                yield from leaves(inner, f"{path}.{field.name}")
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
        raise TypeError(f"a {type(value).__name__} cannot be part of a key: pass settings, references or plain values")


def classes(value: Any) -> Iterator[type]:
    """The classes of the objects inside arguments, references apart."""
    if isinstance(value, Ref | Source):
        return
    if is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        value = [getattr(value, field.name) for field in fields(value)]
    elif isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            yield from classes(inner)


def library_versions() -> dict[str, str]:
    """The versions of the libraries that most numbers come from, for people to see."""
    return {name: version(name) for name in ("torch", "numpy", "scikit-learn")}


@cache
def library_version(library: str) -> str | None:
    """The version of the distribution that installs a library of this import name; None for Python's own."""
    if library in sys.stdlib_module_names:
        return None
    for name in (library, *_required()):
        try:
            found = Distribution.from_name(name)
        except PackageNotFoundError:
            continue
        listed = found.read_text("RECORD") or ""
        if f"\n{library}/" in f"\n{listed}" or f"\n{library}.py" in f"\n{listed}":
            return found.version
    owners = packages_distributions().get(library, [])  # reads every distribution: takes a second
    return ", ".join(Distribution.from_name(name).version for name in owners)


@cache
def _required() -> tuple[str, ...]:
    """The distributions that lisor requires."""
    return tuple(dict.fromkeys(re.match(r"[\w.-]+", line)[0] for line in requires("lisor") or ()))  # type: ignore[index]


def _is_neutral(field: Field[Any], value: object) -> bool:
    if not field.metadata.get("in_key", True):
        return True
    return _is_off(value) or _same(value, field.metadata.get("neutral"))


def _is_off(value: object) -> bool:
    return any(_same(value, off) for off in OFF)


def _same(value: object, other: object) -> bool:
    """Equality by which 0 is not False."""
    return type(value) is type(other) and value == other


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)
