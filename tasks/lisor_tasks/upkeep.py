"""What is in the store, for which runs, whether it is whole, and what may go."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass

from lisor_tasks.artifacts import open_store
from lisor_tasks.register import forget, look_up, refs, registered

KEPT = frozenset({"corpus"})
"""Kinds that stay though no record of a run names them: to read a corpus again may need a network or a file."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """An artifact: its size in bytes, its age in seconds, whether its files are as they were built, and for which runs
    it is there."""

    kind: str
    key: str
    size: int
    age: float
    whole: bool
    runs: tuple[str, ...]


def holdings(*, forgotten: Collection[str] = (), verify: bool = False) -> list[Held]:
    """Every artifact in the store, as if some runs, each a NAME/KEY, were not registered.

    `whole` is looked at only to `verify`.

    Artifacts that were made together, such as the trials of a block, are there for the same runs.

    Raises:
        StoreError: the record of a run is damaged."""
    store, now = open_store(), time.time()
    users: dict[tuple[str, str], set[str]] = {}
    for run in registered():
        if run not in forgotten:
            for ref in refs(look_up(run).artifacts):
                users.setdefault((ref.kind, block(ref.key)), set()).add(run)
    found = []
    for kind, key in store.entries():
        files = [path.stat() for path in store.folder(kind, key).rglob("*") if path.is_file()]
        held = Held(
            kind=kind,
            key=key,
            size=sum(file.st_size for file in files),
            age=now - max((file.st_mtime for file in files), default=0.0),
            whole=not verify or store.find(kind, [key]) is not None,
            runs=tuple(sorted(users.get((kind, block(key)), ()))),
        )
        found.append(held)
    return found


def collectable(*, older_than: float, forgotten: Collection[str] = ()) -> list[Held]:
    """What no run needs, and is older than so many seconds."""
    found = holdings(forgotten=forgotten)
    return [held for held in found if not held.runs and held.kind not in KEPT and held.age > older_than]


def collect(*, older_than: float, forgotten: Collection[str] = ()) -> list[Held]:
    """Delete what is `collectable`, what killed runs left half built, and the records of runs that are to be forgotten.

    Raises:
        StoreError: a run is using the store, or it cannot be written."""
    store = open_store()
    with store.unused():
        gone = collectable(older_than=older_than, forgotten=forgotten)
        forget(forgotten)
        for held in gone:
            store.remove(held.kind, held.key)
        shutil.rmtree(store.home / "scratch", ignore_errors=True)
    return gone


def block(key: str) -> str:
    """What the keys of artifacts that one task made together have in common."""
    return key.partition("-")[0]
