"""The folder of a run's report, in which the user may have files too.

Only files that a former run has listed in its `run.json` are replaced or removed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from os.path import lexists
from pathlib import Path

from lisor.errors import StoreError, StoreWarning
from lisor.files import kind_of, replacing, shorten
from lisor_tasks.artifacts import check_folder
from lisor_tasks.manifest import is_name
from lisor_tasks.register import DAMAGE, RECORD, Record, parse

ALWAYS = ("report.html", "results.parquet", RECORD, "summary.json")
"""Files of every run, whatever else it leaves."""

LATEST = "latest"
"""The symbolic link to the last report of a name."""


def check_out(folder: Path) -> None:
    """Check that a run may publish its report in a folder of the user's.

    Raises:
        StoreError: the folder has files, but none of a run; or it is no folder."""
    check_folder(folder)
    try:
        empty = not folder.is_dir() or not any(folder.iterdir())
    except OSError as error:
        reason = f"{error.strerror}; give another --out"
        raise StoreError(f"{shorten(folder)} cannot be read: {reason}") from None
    if not empty and not lexists(folder / RECORD):
        raise StoreError(
            "expected a new or empty folder, or that of a run's report, "
            f"but {shorten(folder)} has other files; give another --out"
        )
    former = _listed(folder)
    _check_free(folder, {*former, *ALWAYS}, former, "move it away, or give another --out")


def publish_files(folder: Path, files: Mapping[str, bytes], record: Record) -> Record:
    """Write the files of a run and its record to the folder; return the record, which lists them.

    Raises:
        StoreError: a file would replace one that no former run has listed.
        OSError: the folder cannot be written; its files are listed, so that the run can try
            again."""
    former = _listed(folder)
    names = sorted({*files, RECORD})
    again = "what was computed is kept, so move that away, or run again with another --out"
    _check_free(folder, names, former, again)
    folder.mkdir(parents=True, exist_ok=True)
    record = replace(record, files=tuple(sorted({*former, *names})))
    # first, so that the files in the folder are listed at any moment
    _write(folder / RECORD, record.to_json().encode())
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _write(folder / name, content)
    for name in former - {*names}:
        if _is_free(folder, name, former):
            _remove(folder, name)
    record = replace(record, files=tuple(names))
    _write(folder / RECORD, record.to_json().encode())
    return record


def point_latest(folder: Path) -> None:
    """Make `latest`, beside a report's folder, a symbolic link to that folder, in one step.

    Anything else of that name stays, and a StoreWarning says so.

    Raises:
        OSError: it cannot be written."""
    latest, fresh = folder.with_name(LATEST), folder.with_name(f".{LATEST}-{os.urandom(8).hex()}")
    if lexists(latest) and not latest.is_symlink():
        warnings.warn(
            f"{shorten(latest)} is no link and does not lead to the last report; "
            "remove it, and run again",
            StoreWarning,
            stacklevel=2,
        )
        return
    try:
        fresh.symlink_to(folder.name)
        fresh.replace(latest)
    finally:
        fresh.unlink(missing_ok=True)


def _listed(folder: Path) -> frozenset[str]:
    """The files in a folder that the record of a former run lists.

    Raises:
        StoreError: the record is damaged."""
    path = folder / RECORD
    if not lexists(path):
        return frozenset()
    try:
        record = parse(path.read_text(encoding="utf-8"), str(folder))
        if all(is_name(part) for name in record.files for part in name.split("/")):
            return frozenset({*record.files, RECORD})
    except (OSError, StoreError, *DAMAGE):
        pass
    raise StoreError(
        f"expected the record of a run in {shorten(path)}, but it is none; "
        "remove it, or give another --out"
    )


def _check_free(folder: Path, names: Iterable[str], former: Collection[str], advice: str) -> None:
    """Raise a StoreError if a file of these names would replace one of the user's."""
    for name in sorted(names):
        if not _is_free(folder, name, former):
            what = f"{shorten(folder / name)} is not of a former run and would be replaced"
            raise StoreError(f"{what}; {advice}")


def _is_free(folder: Path, name: str, former: Collection[str]) -> bool:
    """Is there nothing of that name, or a file of a former run, and no link on the way?"""
    path = folder / name
    *parents, _ = (folder / parent for parent in Path(name).parents)
    if any(lexists(parent) and kind_of(parent) != "a folder" for parent in parents):
        return False
    return not lexists(path) or (name in former and kind_of(path) is None)


def _write(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all, unless it has this content."""
    if not path.is_file() or path.read_bytes() != content:
        with replacing(path) as file:
            file.write(content)


def _remove(folder: Path, name: str) -> None:
    """Remove a file, and the folders that are empty then."""
    (folder / name).unlink(missing_ok=True)
    *parents, _ = (folder / parent for parent in Path(name).parents)
    for parent in parents:
        if parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()
