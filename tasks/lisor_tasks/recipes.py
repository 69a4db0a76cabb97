"""What the keys of artifacts were made of, kept in their manifests, so that a run can say why it computes something."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from lisor_tasks.artifacts import Awaited, Ref, Source, Store

SCHEMA = 1
"""Version of a recipe in a manifest."""

PARTS = ("settings", "inputs", "code", "versions")


class Difference(NamedTuple):
    """One thing in which two recipes differ: in which of their `PARTS`, its name there, and what it was and is as JSON;
    None where it is missing."""

    part: str
    name: str
    was: str | None
    now: str | None


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The step that makes an artifact; its settings by dotted names; the digests of its inputs, None for one that is
    not there yet; the digests of the modules it runs; and the versions of libraries."""

    step: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, str | None]
    code: Mapping[str, str]
    versions: Mapping[str, str]

    @classmethod
    def of(
        cls,
        step: str,
        arguments: Mapping[str, Any],
        left_out: frozenset[str],
        code: Mapping[str, str],
        versions: Mapping[str, str],
    ) -> Recipe:
        """The recipe of a call of a step; `left_out` names arguments, and fields of them, that change nothing."""
        leaves = dict(_leaves(arguments, left_out))
        inputs = {name: leaf for name, leaf in leaves.items() if isinstance(leaf, Ref | Source)}
        return cls(
            step=step,
            settings={name: leaf for name, leaf in leaves.items() if name not in inputs},
            inputs={name: None if isinstance(leaf, Awaited) else leaf.sha256 for name, leaf in inputs.items()},
            code=code,
            versions=versions,
        )

    def to_json(self) -> dict[str, Any]:
        """The recipe as it stands in a manifest."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, value: object) -> Recipe | None:
        """The recipe that stands in a manifest; None where there is none, or one of another version."""
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            return None
        try:
            return _RECIPE.validate_python({name: field for name, field in value.items() if name != "schema"})
        except ValidationError:
            return None

    def differences(self, older: Recipe) -> list[Difference]:
        """In what this recipe differs from an older one of the same step, inputs that are not there yet apart."""
        different = sorted(self._different(older), key=lambda item: (PARTS.index(item[0]), item[1]))
        return [Difference(*item, older._texts.get(item), self._texts.get(item)) for item in different]

    def distance(self, older: Recipe) -> int:
        """In how many things this recipe differs from an older one."""
        return len(self._different(older))

    def _different(self, older: Recipe) -> set[tuple[str, str]]:
        different = {item for item, _ in self._texts.items() ^ older._texts.items()}
        return {item for item in different if item[1] not in self._awaited}

    @cached_property
    def _texts(self) -> dict[tuple[str, str], str]:
        """Every value as JSON, by its part and name."""
        return {
            (part, name): json.dumps(value, sort_keys=True, ensure_ascii=False)
            for part in PARTS
            for name, value in getattr(self, part).items()
        }

    @cached_property
    def _awaited(self) -> frozenset[str]:
        return frozenset(name for name, value in self.inputs.items() if value is None)


_RECIPE = TypeAdapter(Recipe)


class Shelf:
    """The recipes of a store's artifacts of one kind, read once."""

    def __init__(self, store: Store, kind: str) -> None:
        recipes = [Recipe.from_json(manifest.get("recipe")) for manifest in store.manifests(kind)]
        self.without = recipes.count(None)
        """How many artifacts do not say what they were made of."""
        self._nearest: dict[Any, Recipe | None] = {}
        self._recipes: dict[str, list[Recipe]] = {}
        for recipe in recipes:
            if recipe is not None:
                self._recipes.setdefault(recipe.step, []).append(recipe)

    def nearest(self, recipe: Recipe) -> Recipe | None:
        """The recipe of the same step that differs in the fewest things, the newest of several; None without any."""
        asked = (recipe.step, frozenset(recipe._texts.items()))  # tasks that wait for their inputs all ask the same
        if asked not in self._nearest:
            self._nearest[asked] = min(self._recipes.get(recipe.step, ()), key=recipe.distance, default=None)
        return self._nearest[asked]


def stages_before(arguments: Mapping[str, Any]) -> frozenset[str]:
    """The stages that have to run before all inputs of a step are there."""
    waits = [leaf.stages for _, leaf in _leaves(arguments, frozenset()) if isinstance(leaf, Awaited)]
    return frozenset().union(*waits)


def _leaves(value: Any, left_out: frozenset[str], path: str = "") -> Iterator[tuple[str, Any]]:
    """The references, sources and plain values inside arguments, each with its dotted name; a list of plain values is
    one of them."""
    if is_dataclass(value) and not isinstance(value, Ref | Source):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, list | tuple) and any(_is_nested(item) for item in value):
        value = dict(enumerate(value))
    if isinstance(value, Mapping):
        for name, item in value.items():
            inner = f"{path}.{name}".lstrip(".")
            if inner not in left_out:
                yield from _leaves(item, left_out, inner)
    else:
        yield path, value


def _is_nested(value: object) -> bool:
    return is_dataclass(value) or isinstance(value, Mapping | list | tuple)
