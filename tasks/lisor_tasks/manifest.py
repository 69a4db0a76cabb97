"""The manifest of an artifact: its files with their digests, how long it took, and what its key was
made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCHEMA = 2
"""Version of the manifest."""

MANIFEST = "manifest.json"
"""The file of an artifact that is written last."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The digests of an artifact's files by name, the seconds that it took, and its provenance.

    Where two computers make the same artifact, only the seconds differ."""

    kind: str
    key: str
    files: Mapping[str, str]
    seconds: float
    provenance: Mapping[str, Any] | None = None

    @property
    def sha256(self) -> str:
        """The digest of the artifact's content."""
        return _digest(dict(self.files))

    def to_json(self) -> str:
        """The manifest as JSON text, with a digest of everything in it."""
        fields = {"schema": SCHEMA, **vars(self), "sha256": self.sha256}
        return json.dumps({**fields, "digest": _digest(fields)}, indent=1)

    @classmethod
    def parse(cls, text: str | bytes, kind: str, key: str) -> Manifest | None:
        """The manifest of an artifact of this kind and key; None where it is damaged, of another
        version or of another artifact, or names a file outside of its folder."""
        try:
            fields = json.loads(text)
            digest = fields.pop("digest")
            whole = digest == _digest(fields) and fields.pop("schema") == SCHEMA
            sha256 = fields.pop("sha256")
            manifest = cls(**fields)
            whole = whole and (manifest.kind, manifest.key, manifest.sha256) == (kind, key, sha256)
            names = (kind, key, *(part for name in manifest.files for part in name.split("/")))
            whole = whole and all(map(is_name, names)) and MANIFEST not in manifest.files
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return manifest if whole else None


def is_name(name: str) -> bool:
    """Is this a plain name of a file or folder, not a path to elsewhere?"""
    return name not in ("", ".", "..") and not set(name) & set("/\\\0")


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
