"""Runs mirrored to a folder that fsspec reaches: object storage, another disk.

URL/store/<kind>/<key>/   files of an artifact and, written last, its manifest
URL/runs/<name>/<key>.json   the record of a run, written when all its artifacts are there
URL/runs/<name>/newest       the key of the one that was last pushed under that name

What is there is known by its manifest's digest and not carried again, so what was cut off goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fsspec

from lisor.errors import LisorError, StoreError
from lisor_tasks.artifacts import Ref, Store, open_store
from lisor_tasks.manifest import MANIFEST, Manifest, is_name
from lisor_tasks.register import (
    Record,
    contradicts,
    look_up,
    matching,
    parse,
    refs,
    register,
    registered,
    report_folder,
)
from lisor_tasks.upkeep import block, holdings

NEWEST = "newest"
"""The file beside the records of a name."""


@dataclass(frozen=True, kw_only=True)
class Carried:
    """How many artifacts of a run were carried, and how many were there already."""

    run: str
    carried: int
    there: int


def push(url: str, runs: Collection[str], done: Callable[[Carried], None]) -> None:
    """Mirror these runs, or all, to a folder; `done` gets what was carried of each.

    A run is NAME/KEY, or NAME for the newest of that name.

    Raises:
        StoreError: there is no such run, an artifact is damaged, or the folder cannot be written."""
    store = open_store()
    with _reach(url) as folder, store.in_use():
        wanted = [matching(run)[-1] for run in runs] or registered()
        if not wanted:
            raise StoreError(f"expected a run in {store.home} to push, found none; run one first: lisor run quickstart")
        every = holdings()
        for run in wanted:
            record = look_up(run)
            mine = [(held.kind, held.key) for held in every if run in held.runs]
            missing = {(ref.kind, ref.key) for ref in refs(record.artifacts)} - set(mine)
            if missing:
                raise StoreError(
                    f"{'/'.join(min(missing))} of run {run!r} is missing; run it again before it is pushed"
                )
            carried = sum(_push(store, kind, key, folder) for kind, key in mine)
            folder.write(f"runs/{run}.json", record.to_json().encode())
            folder.write(f"runs/{record.name}/{NEWEST}", record.key.encode())
            for other in _records(folder, record.name):
                with suppress(StoreError):  # a damaged one
                    text = folder.read(f"runs/{other}.json")
                    if contradicts(record, _read_record(text, record.name)):
                        folder.remove(f"runs/{other}.json")
            done(Carried(run=run, carried=carried, there=len(mine) - carried))


def pull(url: str, runs: Collection[str], done: Callable[[Carried], None]) -> None:
    """Take these runs, or all, from a folder into the store; `done` gets what was carried of each.

    A run is NAME/KEY, or NAME for the newest of that name.

    Nothing enters the store whose digest is not right, and a run is registered when all that it needs is there.

    Raises:
        StoreError: there is no such run, something is damaged, or a run is using the store."""
    store = open_store()
    with _reach(url) as folder, store.unused():
        names = [name for name in folder.names("runs") if is_name(name)]
        there = {name: _records(folder, name) for name in names}
        every = [run for name in names for run in there[name]]
        if not every:
            raise StoreError(f"expected runs in {url}, found none; push one there first, or correct the place")
        for run in [_find(run, there, url) for run in runs] or every:
            record = _read_record(folder.read(f"runs/{run}.json"), run.partition("/")[0])
            wanted = _wanted(record, folder)
            carried = sum(_pull(store, *name, wanted[name], folder) for name in sorted(wanted))
            # its report lay on the machine that ran it
            register(replace(record, out=str(report_folder(record.run)), files=()))
            done(Carried(run=record.run, carried=carried, there=len(wanted) - carried))


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
    found = store.find(kind, [key])
    if found is None:
        raise StoreError(f"{kind}/{key} is damaged; run again what needs it before it is pushed")
    here, place = store.folder(kind, key), f"store/{kind}/{key}"
    before = folder.read_if_there(f"{place}/{MANIFEST}")
    there = None if before is None else Manifest.parse(before, kind, key)
    if there is not None and there.sha256 == found[0].sha256:  # perhaps made elsewhere, in other seconds
        return False
    if before is not None:  # of other files, or cut off: from here on the artifact counts as not there
        folder.remove(f"{place}/{MANIFEST}")
    for file in sorted(here.rglob("*")):
        if file.is_file() and file.name != MANIFEST:
            folder.send(file, f"{place}/{file.relative_to(here)}")
    folder.write(f"{place}/{MANIFEST}", (here / MANIFEST).read_bytes())
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


def _records(folder: _Folder, name: str) -> list[str]:
    """The runs of that name, NAME/KEY, the newest last."""
    files = [file for file in folder.names(f"runs/{name}") if is_name(file)]
    newest = folder.read_if_there(f"runs/{name}/{NEWEST}") or b""
    keys = [file.removesuffix(".json") for file in files if file.endswith(".json")]
    return [f"{name}/{key}" for key in sorted(keys, key=lambda key: (key.encode() == newest, key))]


def _find(run: str, there: Mapping[str, list[str]], url: str) -> str:
    """The run NAME/KEY, or the newest of a NAME.

    Raises:
        StoreError: there is none."""
    name = run.partition("/")[0]
    found = [one for one in there.get(name, []) if run in (one, name)]
    if not found:
        known = ", ".join([*there][:5]) or "none yet"
        raise StoreError(f"expected a run of {url} ({known}), got {run[:60]!r}")
    return found[-1]


def _read_record(text: bytes, run: str) -> Record:
    try:
        record = parse(text.decode(), run)
    except (ValueError, KeyError, TypeError, AttributeError):
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
