"""The register of runs: of which artifacts each finished run is made, wherever its report went.

LISOR_HOME/runs/<name>/<digest>.json"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lisor.errors import StoreError
from lisor_tasks.artifacts import Ref, check_folder, open_store, write_text
from lisor_tasks.evaluation import Network
from lisor_tasks.keys import digest

SCHEMA = 1
"""Version of a record's JSON."""


@dataclass(frozen=True, kw_only=True)
class Artifacts:
    """What a run has made."""

    results: Ref
    report: Ref
    networks: tuple[Network, ...]


@dataclass(frozen=True, kw_only=True)
class Record:
    """A finished run: its name, settings and artifacts, and the folder where its report was published."""

    name: str
    out: str
    settings: Mapping[str, Any]
    artifacts: Artifacts

    @property
    def file(self) -> str:
        """The name of the record's file in the register: a digest of what the run has made."""
        return f"{digest(asdict(self.artifacts))}.json"

    def to_json(self) -> str:
        """The record as indented JSON text."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1, ensure_ascii=False)


def register(record: Record) -> None:
    """Keep a record; the same artifacts again replace their own.

    Raises:
        StoreError: it cannot be written."""
    path = open_store().home / "runs" / record.name / record.file
    try:
        write_text(check_folder(path.parent) / path.name, record.to_json())
    except OSError as error:
        raise StoreError(f"the record {path} cannot be written: {error.strerror or error}") from error


def registered() -> list[str]:
    """The names of the runs that were kept."""
    return sorted({path.parent.name for path in _records()})


def newest(name: str) -> Record:
    """The record that was last kept under a name.

    Raises:
        StoreError: there is none, or it was written by another version."""
    known = {path.parent.name: path for path in sorted(_records(), key=lambda path: path.stat().st_mtime_ns)}
    if name not in known:
        home = open_store().home
        raise StoreError(f"expected a run of {home / 'runs'} ({', '.join(sorted(known)) or 'none yet'}), got {name!r}")
    return _read(known[name], name)


def find(run: str) -> Record:
    """The record in a report folder, or the one that was last kept under a name.

    Raises:
        StoreError: there is neither, or it was written by another version."""
    path = Path(run) / "run.json"
    return _read(path, run) if path.is_file() else newest(run)


def parse(text: str, name: str) -> Record:
    """The record of that name in a JSON text.

    Raises:
        StoreError: it was written by another version.
        ValueError, KeyError, TypeError, AttributeError: it is damaged."""
    fields = json.loads(text)
    if fields.pop("schema") != SCHEMA:
        raise StoreError(f"the run {name!r} was recorded by another version; run it again")
    return TypeAdapter(Record).validate_python(fields)


def _read(path: Path, name: str) -> Record:
    try:
        return parse(path.read_text(encoding="utf-8"), name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError, RecursionError):
        raise StoreError(f"the record {path} is damaged; run {name!r} again: nothing is computed anew") from None


def _records() -> list[Path]:
    return list(check_folder(open_store().home / "runs").glob("*/*.json"))
