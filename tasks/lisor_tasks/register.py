"""The register of runs: a record of each finished run, with its settings and artifacts.

LISOR_HOME/runs/<name>/<key>.json

A run is NAME/KEY. Its key is made of its settings and artifacts, so that another run of the same
name is another record. NAME alone is the newest run of that name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from lisor.errors import StoreError
from lisor.files import shorten
from lisor_tasks.artifacts import Ref, check_folder, open_store, write_text
from lisor_tasks.evaluation import NetworkArtifacts
from lisor_tasks.keys import digest

SCHEMA = 4
"""Version of a record's JSON."""

RECORD = "run.json"
"""The record in the folder of a run's report."""

DAMAGE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""Errors of a damaged record; pydantic's are ValueErrors."""


@dataclass(frozen=True, kw_only=True)
class Artifacts:
    """The artifacts of a run."""

    results: Ref
    report: Ref
    networks: tuple[NetworkArtifacts, ...]


@dataclass(frozen=True, kw_only=True)
class Record:
    """A finished run: its name, settings and artifacts, and the folder where its report was
    published, with the names of the files there."""

    name: str
    out: str
    settings: Mapping[str, Any]
    artifacts: Artifacts
    files: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The digest that distinguishes the run from others of its name."""
        return digest([self.settings, asdict(self.artifacts)])[:12]

    @property
    def run(self) -> str:
        """The run as commands take it: NAME/KEY."""
        return f"{self.name}/{self.key}"

    def to_json(self) -> str:
        """The record as indented JSON text."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1, ensure_ascii=False)


def register(record: Record) -> None:
    """Write a record as the newest of its name, in place of an earlier record of the same run.

    Records of runs whose artifacts have been computed anew, with another content, are deleted.

    Raises:
        StoreError: it cannot be written."""
    path = open_store().home / "runs" / record.name / f"{record.key}.json"
    try:
        write_text(check_folder(path.parent) / path.name, record.to_json())
        for other in path.parent.glob("*.json"):
            with suppress(StoreError):  # the other is damaged
                if contradicts(record, _read(other, _run(other))):
                    other.unlink(missing_ok=True)  # another run may do the same
    except OSError as error:
        reason = error.strerror or error
        raise StoreError(f"the record {path} cannot be written: {reason}") from error


def registered() -> list[str]:
    """The registered runs, NAME/KEY, sorted by names, the newest of each name last."""
    files = check_folder(open_store().home / "runs").glob("*/*.json")
    by_time = sorted(files, key=lambda path: (path.parent.name, path.stat().st_mtime_ns))
    return [_run(path) for path in by_time]


def matching(run: str) -> list[str]:
    """The registered runs of a NAME, or that of a NAME/KEY, in the order of `registered`.

    Raises:
        StoreError: there is none."""
    return select(run, registered(), shorten(open_store().home / "runs"))


def select(run: str, runs: Sequence[str], folder: str) -> list[str]:
    """Those of the runs of a folder that have this NAME or NAME/KEY, in their order.

    Raises:
        StoreError: there is none."""
    selected = [one for one in runs if run in (one, one.partition("/")[0])]
    if not selected:
        names = sorted({one.partition("/")[0] for one in runs})
        known = ", ".join(names[:5]) or "none yet"
        raise StoreError(f"expected a run of {folder} ({known}), got {run[:60]!r}")
    return selected


def look_up(run: str) -> Record:
    """The record of a NAME/KEY, or the newest of a NAME.

    Raises:
        StoreError: there is none, it is damaged, or it was written by another version."""
    path = _path(matching(run)[-1])
    return _read(path, path.parent.name)


def find(run: str) -> Record:
    """The record in a report folder, or else that of `look_up`.

    Raises:
        StoreError: there is neither, or it was written by another version."""
    path = Path(run) / RECORD
    return _read(path, run) if path.is_file() else look_up(run)


def forget(runs: Iterable[str]) -> None:
    """Remove the records of these runs, each a NAME/KEY."""
    for run in runs:
        path = _path(run)
        path.unlink()
        if not any(path.parent.iterdir()):
            path.parent.rmdir()


def report_folder(run: str) -> Path:
    """Where the report of a run NAME/KEY is published unless its user names another folder."""
    return open_store().home / "reports" / run


def contradicts(record: Record, other: Record) -> bool:
    """Does the second record name an artifact of the first with another content?

    A store has one content for each key, so those artifacts of the second no longer exist."""
    contents = {(ref.kind, ref.key): ref.sha256 for ref in refs(record.artifacts)}
    named = refs(other.artifacts)
    return any(contents.get((ref.kind, ref.key), ref.sha256) != ref.sha256 for ref in named)


def refs(value: Any) -> Iterator[Ref]:
    """Every reference in a record."""
    if isinstance(value, Ref):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from refs(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from refs(item)


def parse(text: str, name: str) -> Record:
    """The record of that name in a JSON text.

    Raises:
        StoreError: it was written by another version.
        ValueError, KeyError, TypeError, AttributeError: it is damaged."""
    content = json.loads(text)
    if content.pop("schema") != SCHEMA:
        raise StoreError(f"the run {name!r} was recorded by another version; run it again")
    return _reader().validate_python(content)


@cache
def _reader() -> TypeAdapter[Record]:
    return TypeAdapter(Record)


def _read(path: Path, name: str) -> Record:
    try:
        return parse(path.read_text(encoding="utf-8"), name)
    except (OSError, *DAMAGE):
        again = f"run {name!r} again, which computes nothing anew, or delete that file"
        raise StoreError(f"the record {path} is damaged; {again}") from None


def _run(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def _path(run: str) -> Path:
    return open_store().home / "runs" / f"{run}.json"
