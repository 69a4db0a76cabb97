"""The artifacts in the store: which runs need them, whether they are whole, and which may be
deleted."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass

from lisor_tasks.artifacts import open_store
from lisor_tasks.register import forget, look_up, refs, registered

KEPT = frozenset({"corpus"})
"""Kinds that garbage collection keeps: to read a corpus again may need the internet or a file."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """An artifact: its size in bytes, its age in seconds, whether its files are unchanged, and the
    runs that need it."""

    kind: str
    key: str
    size: int
    age: float
    whole: bool
    runs: tuple[str, ...]


def inventory(*, forgotten: Collection[str] = (), verify: bool = False) -> list[Stored]:
    """Every artifact in the store, as if the `forgotten` runs, each a NAME/KEY, did not exist.

    Files are checked only to `verify`; else `whole` is true.

    Artifacts that were made together, such as the trials of a block, are needed by the same runs.

    Raises:
        StoreError: the record of a run is damaged."""
    store, now = open_store(), time.time()
    users: dict[tuple[str, str], set[str]] = {}
    for run in registered():
        if run not in forgotten:
            for ref in refs(look_up(run).artifacts):
                users.setdefault((ref.kind, block(ref.key)), set()).add(run)
    artifacts = []
    for kind, key in store.entries():
        files = [path.stat() for path in store.folder(kind, key).rglob("*") if path.is_file()]
        artifacts.append(
            Stored(
                kind=kind,
                key=key,
                size=sum(file.st_size for file in files),
                age=now - max((file.st_mtime for file in files), default=0.0),
                whole=not verify or store.find(kind, [key]) is not None,
                runs=tuple(sorted(users.get((kind, block(key)), ()))),
            )
        )
    return artifacts


def unreachable(*, older_than: float, forgotten: Collection[str] = ()) -> list[Stored]:
    """The artifacts that no run needs and that are older than so many seconds."""
    return [
        stored
        for stored in inventory(forgotten=forgotten)
        if not stored.runs and stored.kind not in KEPT and stored.age > older_than
    ]


def collect(*, older_than: float, forgotten: Collection[str] = ()) -> list[Stored]:
    """Delete what is `unreachable`, what killed runs left half built, and the records of the
    `forgotten` runs; return the deleted artifacts.

    Raises:
        StoreError: a run is using the store, or it cannot be written."""
    store = open_store()
    with store.unused():
        gone = unreachable(older_than=older_than, forgotten=forgotten)
        forget(forgotten)
        for stored in gone:
            store.remove(stored.kind, stored.key)
        shutil.rmtree(store.home / "scratch", ignore_errors=True)
    return gone


def block(key: str) -> str:
    """The common beginning of the keys of artifacts that one task made together."""
    return key.partition("-")[0]
