"""Runs mirrored to a folder that fsspec reaches: object storage, another disk.

URL/store/<kind>/<key>/   files of an artifact and, written last, its manifest
URL/runs/<name>/<digest>.json   the newest record of a run, written when all its artifacts are there

What is there is known by its manifest's digest and not carried again, so what was cut off goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fsspec

from lisor.errors import LisorError, StoreError
from lisor_tasks.artifacts import MANIFEST, Ref, Store, is_name, open_store
from lisor_tasks.register import Record, newest, parse, register, registered
from lisor_tasks.upkeep import block, holdings, refs


@dataclass(frozen=True, kw_only=True)
class Carried:
    """How many artifacts of a run were carried, and how many were there already."""

    run: str
    carried: int
    there: int


def push(url: str, runs: Collection[str], done: Callable[[Carried], None]) -> None:
    """Mirror these runs, or all, to a folder; `done` is told of each.

    Raises:
        StoreError: there is no such run, an artifact is damaged, or the folder cannot be written."""
    store = open_store()
    with _reach(url) as folder, store.in_use():
        wanted = sorted(runs) or registered()
        if not wanted:
            raise StoreError(f"expected a run in {store.home} to push, found none; run one first: lisor run quickstart")
        every = holdings()
        for run in wanted:
            record = newest(run)
            mine = [(held.kind, held.key) for held in every if run in held.runs]
            missing = {(ref.kind, ref.key) for ref in refs(record.artifacts)} - set(mine)
            if missing:
                raise StoreError(
                    f"{'/'.join(min(missing))} of run {run!r} is missing; run it again before it is pushed"
                )
            carried = sum(_push(store, kind, key, folder) for kind, key in mine)
            place = f"runs/{run}/{record.file}"
            folder.write(place, record.to_json().encode())
            for other in folder.names(f"runs/{run}"):
                if other != record.file:  # of an older result, whose artifacts may be gone
                    folder.remove(f"runs/{run}/{other}")
            done(Carried(run=run, carried=carried, there=len(mine) - carried))


def pull(url: str, runs: Collection[str], done: Callable[[Carried], None]) -> None:
    """Take these runs, or all, from a folder into the store; `done` is told of each.

    Nothing enters the store whose digest is not right, and a run is registered when all that it needs is there.

    Raises:
        StoreError: there is no such run, something is damaged, or a run is using the store."""
    store = open_store()
    with _reach(url) as folder, store.unused():
        there = [name for name in folder.names("runs") if is_name(name)]
        for run in runs:
            if run not in there:
                raise StoreError(f"expected a run of {url} ({', '.join(there) or 'none yet'}), got {run!r}")
        if not there:
            raise StoreError(f"expected runs in {url}, found none; push one there first, or correct the place")
        for run in sorted(runs) or there:
            for name in folder.names(f"runs/{run}"):
                record = _read_record(folder.read(f"runs/{run}/{name}"), run)
                wanted = _wanted(record, folder)
                carried = sum(_pull(store, kind, key, wanted[kind, key], folder) for kind, key in sorted(wanted))
                # its report lay on the machine that ran it
                register(replace(record, out=str(store.home / "reports" / run)))
                done(Carried(run=run, carried=carried, there=len(wanted) - carried))


@dataclass(frozen=True)
class _Folder:
    """A folder somewhere, by fsspec."""

    files: Any
    root: str

    def names(self, place: str) -> list[str]:
        """What is in a folder of it; nothing where it is not there."""
        try:
            found = self.files.ls(f"{self.root}/{place}", detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return sorted(path.rstrip("/").rpartition("/")[2] for path in found)

    def read(self, place: str) -> bytes:
        content: bytes = self.files.cat_file(f"{self.root}/{place}")
        return content

    def read_if_there(self, place: str) -> bytes | None:
        try:
            return self.read(place)
        except FileNotFoundError:
            return None

    def write(self, place: str, content: bytes) -> None:
        """Write a small file that is there whole or not at all."""
        path = f"{self.root}/{place}"
        self.files.makedirs(path.rpartition("/")[0], exist_ok=True)
        with self.files.transaction:
            self.files.pipe_file(path, content)

    def send(self, file: Path, place: str) -> None:
        path = f"{self.root}/{place}"
        self.files.makedirs(path.rpartition("/")[0], exist_ok=True)
        self.files.put_file(str(file), path)

    def fetch(self, place: str, file: Path) -> None:
        self.files.get_file(f"{self.root}/{place}", str(file))

    def remove(self, place: str) -> None:
        self.files.rm_file(f"{self.root}/{place}")


@contextmanager
def _reach(url: str) -> Iterator[_Folder]:
    """The folder of a URL; whatever a file system makes of its troubles is an error of the store's."""
    if not url.strip():
        raise StoreError("expected where runs are kept, such as file:///path or s3://bucket/lisor, got an empty name")
    try:
        files, root = fsspec.core.url_to_fs(url)
        yield _Folder(files, root.rstrip("/"))
    except LisorError:
        raise
    except ImportError as error:  # a protocol whose package is not installed
        raise StoreError(f"{url} cannot be reached: {error}") from None
    except Exception as error:  # each file system has its own: of keys that are wrong, of hosts that are away
        raise StoreError(f"{url} failed, and what was carried is kept: {type(error).__name__}: {error}") from error


def _push(store: Store, kind: str, key: str, folder: _Folder) -> bool:
    """Was there need to carry an artifact to the folder?"""
    if store.find(kind, [key]) is None:
        raise StoreError(f"{kind}/{key} is damaged; run again what needs it before it is pushed")
    here, place = store.folder(kind, key), f"store/{kind}/{key}"
    manifest = (here / MANIFEST).read_bytes()
    before = folder.read_if_there(f"{place}/{MANIFEST}")
    if before == manifest:
        return False
    if before is not None:  # of other files, or cut off: from here on the artifact counts as not there
        folder.remove(f"{place}/{MANIFEST}")
    for file in sorted(here.rglob("*")):
        if file.is_file() and file.name != MANIFEST:
            folder.send(file, f"{place}/{file.relative_to(here)}")
    folder.write(f"{place}/{MANIFEST}", manifest)
    return True


def _pull(store: Store, kind: str, key: str, digest: str | None, folder: _Folder) -> bool:
    """Was there need to carry an artifact from the folder? Its digest, where a record names it, is the one it has."""
    found = store.find(kind, [key])
    if found is not None and digest in (None, found[0].sha256):
        return False
    if found is not None:
        raise StoreError(
            f"{kind}/{key} in this store has another content than in the run to be pulled: two machines have made it; "
            "pull into a store of its own (LISOR_HOME)"
        )
    place = f"store/{kind}/{key}"
    manifest = folder.read_if_there(f"{place}/{MANIFEST}")
    if manifest is None:
        raise StoreError(f"{place} is not whole there; push the run again")
    store.adopt(kind, key, manifest, lambda name, path: folder.fetch(f"{place}/{name}", path), digest)
    return True


def _read_record(text: bytes, run: str) -> Record:
    try:
        record = parse(text.decode(), run)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StoreError(f"the record of run {run!r} there is damaged; push the run again") from None
    if record.name != run:
        raise StoreError(f"the record of run {run!r} there is that of another run; nothing was taken")
    return record


def _wanted(record: Record, folder: _Folder) -> dict[tuple[str, str], str | None]:
    """The artifacts of a run with the digests that its record names, and those that were made together with them.

    Raises:
        StoreError: a name leads out of the store."""
    named: list[Ref] = list(refs(record.artifacts))
    for ref in named:
        if not is_name(ref.kind) or not is_name(ref.key):
            raise StoreError(f"run {record.name!r} there names the artifact {ref.kind}/{ref.key}; nothing was taken")
    wanted: dict[tuple[str, str], str | None] = {}
    for kind in {ref.kind for ref in named}:
        blocks = {block(ref.key) for ref in named if ref.kind == kind}
        keys = [key for key in folder.names(f"store/{kind}") if is_name(key)]
        wanted |= {(kind, key): None for key in keys if block(key) in blocks}
    return wanted | {(ref.kind, ref.key): ref.sha256 for ref in named}
