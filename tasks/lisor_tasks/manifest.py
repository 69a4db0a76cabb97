"""What an artifact says of itself: its files with their digests, how long it took, and what its key was made of."""

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

    Two machines that make the same artifact differ in the seconds alone."""

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
        """The manifest as text, with a digest of all that it says."""
        fields = {"schema": SCHEMA, **vars(self), "sha256": self.sha256}
        return json.dumps({**fields, "digest": _digest(fields)}, indent=1)

    @classmethod
    def parse(cls, text: str | bytes, kind: str, key: str) -> Manifest | None:
        """The manifest of an artifact of this kind and key; None where it is damaged, of another version or of another
        artifact, or names a file outside of its folder."""
        try:
            fields = json.loads(text)
            digest = fields.pop("digest")
            whole = digest == _digest(fields) and fields.pop("schema") == SCHEMA
            sha256 = fields.pop("sha256")
            found = cls(**fields)
            whole = whole and (found.kind, found.key, found.sha256) == (kind, key, sha256)
            whole = whole and is_name(kind) and is_name(key) and MANIFEST not in found.files
            whole = whole and all(is_name(part) for name in found.files for part in name.split("/"))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return found if whole else None


def is_name(name: str) -> bool:
    """Is this a plain name of a file or folder, which leads nowhere else?"""
    return name not in ("", ".", "..") and not set(name) & set("/\\\0")


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
