"""What the keys of artifacts are made of, kept in their manifests, so that a run can say why it computes something."""

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
    """One thing in which two provenances differ: in which of their `PARTS`, its name there, and what it was and is as
    JSON; None where it is missing."""

    part: str
    name: str
    was: str | None
    now: str | None


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The step that makes an artifact; its settings by dotted names; the digests of its inputs, None for one that is
    not there yet; the digests of the definitions that its code reaches; and the versions of the libraries that these
    import."""

    step: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, str | None]
    code: Mapping[str, str]
    versions: Mapping[str, str]

    @classmethod
    def of(
        cls, step: str, found: Mapping[str, Leaf], code: Mapping[str, str], versions: Mapping[str, str]
    ) -> Provenance:
        """The provenance of a call of a step, whose arguments have these leaves."""
        inputs = {name: leaf for name, leaf in found.items() if isinstance(leaf, Ref | Source)}
        return cls(
            step=step,
            settings={name: leaf for name, leaf in found.items() if name not in inputs},
            inputs={name: None if isinstance(leaf, Awaited) else leaf.sha256 for name, leaf in inputs.items()},
            code=code,
            versions=versions,
        )

    def key(self, kind: str) -> str:
        """The key of the artifact of a kind that is made so."""
        return digest([kind, asdict(self)])

    def to_json(self) -> dict[str, Any]:
        """The provenance as it stands in a manifest."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, value: object) -> Provenance | None:
        """The provenance that stands in a manifest; None where there is none, or one of another version."""
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            return None
        try:
            return _PROVENANCE.validate_python({name: field for name, field in value.items() if name != "schema"})
        except ValidationError:
            return None

    def differences(self, older: Provenance) -> list[Difference]:
        """In what this provenance differs from an older one of the same step, inputs that are not there yet apart."""
        different = sorted(self._different(older), key=lambda item: (PARTS.index(item[0]), item[1]))
        return [Difference(*item, older._texts.get(item), self._texts.get(item)) for item in different]

    def distance(self, older: Provenance) -> int:
        """In how many things this provenance differs from an older one."""
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
        found = [Provenance.from_json(None if one is None else one.provenance) for one in manifests]
        self.without = found.count(None)
        """How many artifacts do not say what they were made of."""
        self._nearest: dict[Any, Provenance | None] = {}
        self._of_step: dict[str, list[Provenance]] = {}
        for provenance in found:
            if provenance is not None:
                self._of_step.setdefault(provenance.step, []).append(provenance)

    def nearest(self, provenance: Provenance) -> Provenance | None:
        """The provenance of the same step that differs in the fewest things, the newest of several, or None."""
        key = (provenance.step, frozenset(provenance._texts.items()))
        if key not in self._nearest:
            of_step = self._of_step.get(provenance.step, ())
            self._nearest[key] = min(of_step, key=provenance.distance, default=None)
        return self._nearest[key]


def stages_before(arguments: Mapping[str, Any]) -> frozenset[str]:
    """The stages that have to run before all inputs of a step are there."""
    waits = [leaf.stages for _, leaf in leaves(arguments) if isinstance(leaf, Awaited)]
    return frozenset().union(*waits)
