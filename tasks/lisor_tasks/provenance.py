"""Provenance: what the keys of artifacts are made of, kept in their manifests, so that a rerun can
be explained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from lisor_tasks.artifacts import Awaited, Ref, Source, Store
from lisor_tasks.keys import Leaf, digest, leaves

SCHEMA = 2
"""Version of a provenance in a manifest."""

PARTS = ("settings", "inputs", "code", "versions")


class Difference(NamedTuple):
    """A value in which two provenances differ: which of their `PARTS` it is in, its name there, and
    its former and its present value as JSON, None where it is missing."""

    part: str
    name: str
    was: str | None
    now: str | None


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The step that makes an artifact; its settings by dotted names; the digests of its inputs,
    None for an input that does not exist yet; the digests of the definitions that its code reaches;
    and the versions of the libraries that these import."""

    step: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, str | None]
    code: Mapping[str, str]
    versions: Mapping[str, str]

    @classmethod
    def of(
        cls,
        step: str,
        leaves: Mapping[str, Leaf],
        code: Mapping[str, str],
        versions: Mapping[str, str],
    ) -> Provenance:
        """The provenance of a call of a step, whose arguments have these leaves."""
        inputs = {name: leaf for name, leaf in leaves.items() if isinstance(leaf, Ref | Source)}
        return cls(
            step=step,
            settings={name: leaf for name, leaf in leaves.items() if name not in inputs},
            inputs={
                name: None if isinstance(leaf, Awaited) else leaf.sha256
                for name, leaf in inputs.items()
            },
            code=code,
            versions=versions,
        )

    def key(self, kind: str) -> str:
        """The key of an artifact of this kind and provenance."""
        return digest([kind, asdict(self)])

    def to_json(self) -> dict[str, Any]:
        """The provenance as a manifest keeps it."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, value: object) -> Provenance | None:
        """The provenance in a manifest; None if there is none, or one of another version."""
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            return None
        try:
            return _PROVENANCE.validate_python(
                {name: field for name, field in value.items() if name != "schema"}
            )
        except ValidationError:
            return None

    def differences(self, older: Provenance) -> list[Difference]:
        """The values in which this provenance differs from an older one of the same step, without
        inputs that do not exist yet."""
        different = sorted(self._different(older), key=lambda item: (PARTS.index(item[0]), item[1]))
        return [
            Difference(*item, older._texts.get(item), self._texts.get(item)) for item in different
        ]

    def distance(self, older: Provenance) -> int:
        """The number of values in which this provenance differs from an older one."""
        return len(self._different(older))

    def _different(self, older: Provenance) -> set[tuple[str, str]]:
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


_PROVENANCE = TypeAdapter(Provenance)


class Provenances:
    """The provenances of a store's artifacts of one kind, read once."""

    def __init__(self, store: Store, kind: str) -> None:
        manifests = store.manifests(kind)
        self._known = [
            Provenance.from_json(None if manifest is None else manifest.provenance)
            for manifest in manifests
        ]
        self.without = self._known.count(None)
        """The number of artifacts without a provenance."""
        self._nearest: dict[Any, Provenance | None] = {}

    def nearest(self, provenance: Provenance) -> Provenance | None:
        """The provenance of the same step that differs in the fewest values, the newest of several;
        None if the step has none."""
        key = (provenance.step, frozenset(provenance._texts.items()))
        if key not in self._nearest:
            of_step = [
                one for one in self._known if one is not None and one.step == provenance.step
            ]
            self._nearest[key] = min(of_step, key=provenance.distance, default=None)
        return self._nearest[key]


def stages_before(arguments: Mapping[str, Any]) -> frozenset[str]:
    """The stages that have to run before all inputs of a step exist."""
    waits = [leaf.stages for _, leaf in leaves(arguments) if isinstance(leaf, Awaited)]
    return frozenset().union(*waits)
