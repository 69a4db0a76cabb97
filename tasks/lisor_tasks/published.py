"""The folder in which a run leaves its files for a reader, among which the user may have files too.

Only what a former run has listed in its `run.json` is replaced or removed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from lisor.errors import StoreError, StoreWarning
from lisor.files import kind_of, replacing, shorten
from lisor_tasks.artifacts import check_folder
from lisor_tasks.manifest import is_name
from lisor_tasks.register import RECORD, Record, parse

ALWAYS = ("report.html", "results.parquet", RECORD, "summary.json")
"""Files of every run, whatever else it leaves."""

LATEST = "latest"
"""The link beside the reports of a name that leads to the last of them."""


def check_out(folder: Path) -> None:
    """Nothing, if a run may publish its report in a folder of the user's.

    Raises:
        StoreError: the folder has files, but none of a run; or it is no folder."""
    check_folder(folder)
    try:
        empty = not folder.is_dir() or not any(folder.iterdir())
    except OSError as error:
        reason = f"{error.strerror}; give another --out"
        raise StoreError(f"{shorten(folder)} cannot be read: {reason}") from None
    if not empty and not _exists(folder / RECORD):
        raise StoreError(
            "expected a new or empty folder, or that of a run's report, "
            f"but {shorten(folder)} has other files; give another --out"
        )
    former = _listed(folder)
    for name in sorted({*former, *ALWAYS}):
        if not _is_free(folder, name, former):
            what = f"{shorten(folder / name)} is not of a former run and would be replaced"
            raise StoreError(f"{what}; move it away, or give another --out")


def publish_files(folder: Path, files: Mapping[str, bytes], record: Record) -> Record:
    """The record of a run with a list of what is in the folder: these files and the record itself.

    Raises:
        StoreError: one of them would replace what no former run has listed.
        OSError: the folder cannot be written; what is there is listed, so that it can be tried
            again."""
    former = _listed(folder)
    names = sorted({*files, RECORD})
    for name in names:
        if not _is_free(folder, name, former):
            what = f"{shorten(folder / name)} is not of a former run and would be replaced"
            again = "what was computed is kept, so move that away, or run again with another --out"
            raise StoreError(f"{what}; {again}")
    folder.mkdir(parents=True, exist_ok=True)
    record = replace(record, files=tuple(sorted({*former, *names})))
    # first, so that what is there is listed at any moment
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
    """Lead the link `latest` beside a report's folder there, at once.

    What has its place and is no link, such as a copy of what it led to, stays, and a StoreWarning says so.

    Raises:
        OSError: it cannot be written."""
    link, fresh = folder.with_name(LATEST), folder.with_name(f".{LATEST}-{os.urandom(8).hex()}")
    if _exists(link) and not link.is_symlink():
        what = f"{shorten(link)} is no link and does not lead to the last report; remove it, and run again"
        warnings.warn(what, StoreWarning, stacklevel=2)
        return
    try:
        fresh.symlink_to(folder.name)
        fresh.replace(link)
    finally:
        fresh.unlink(missing_ok=True)


def _listed(folder: Path) -> frozenset[str]:
    """The files that a former run has left in a folder.

    Raises:
        StoreError: its record is none."""
    path = folder / RECORD
    if not _exists(path):
        return frozenset()
    try:
        record = parse(path.read_text(encoding="utf-8"), str(folder))
        if all(is_name(part) for name in record.files for part in name.split("/")):
            return frozenset({*record.files, RECORD})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StoreError):
        pass
    where = shorten(path)
    raise StoreError(f"expected the record of a run in {where}, but it is none; remove it, or give another --out")


def _is_free(folder: Path, name: str, former: Collection[str]) -> bool:
    """Is there nothing at that name, or a file of a former run, and no link on the way?"""
    path = folder / name
    *folders, _ = Path(name).parents
    if any(_exists(folder / place) and kind_of(folder / place) != "a folder" for place in folders):
        return False
    return not _exists(path) or (name in former and kind_of(path) is None)


def _exists(path: Path) -> bool:
    return os.path.lexists(path)


def _write(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, unless it is there."""
    if not path.is_file() or path.read_bytes() != content:
        with replacing(path) as file:
            file.write(content)


def _remove(folder: Path, name: str) -> None:
    """Remove a file, and the folders that are empty then."""
    (folder / name).unlink(missing_ok=True)
    *folders, _ = Path(name).parents
    for place in folders:
        if (folder / place).is_dir() and not any((folder / place).iterdir()):
            (folder / place).rmdir()
