"""Runs mirrored to a folder that fsspec reaches: object storage, another disk.

URL/store/<kind>/<key>/   files of an artifact and, written last, its manifest
URL/runs/<name>/<key>.json   the record of a run, written when all its artifacts are there
URL/runs/<name>/newest       the key of the run that was last pushed under that name

An artifact is known by the digest in its manifest and is not copied again, so an interrupted copy
continues."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fsspec

from lisor.errors import LisorError, StoreError
from lisor_tasks.artifacts import Ref, Store, open_store
from lisor_tasks.manifest import MANIFEST, Manifest, is_name
from lisor_tasks.register import (
    DAMAGE,
    Record,
    contradicts,
    look_up,
    matching,
    parse,
    refs,
    register,
    registered,
    report_folder,
    select,
)
from lisor_tasks.upkeep import block, inventory

NEWEST = "newest"
"""The file beside the records of a name."""


@dataclass(frozen=True, kw_only=True)
class Carried:
    """How many artifacts of a run were copied, and how many were there already."""

    run: str
    carried: int
    present: int


def push(url: str, runs: Collection[str], done: Callable[[Carried], None]) -> None:
    """Mirror these runs, or all, to a folder; `done` is called after each.

    A run is NAME/KEY, or NAME for the newest of that name.

    Raises:
        StoreError: there is no such run, an artifact is damaged, or the folder cannot be
            written."""
    store = open_store()
    with _reach(url) as folder, store.in_use():
        wanted = [matching(run)[-1] for run in runs] or registered()
        if not wanted:
            raise StoreError(
                f"expected a run in {store.home} to push, found none; "
                "run one first: lisor run quickstart"
            )
        artifacts = inventory()
        for run in wanted:
            record = look_up(run)
            names = [(stored.kind, stored.key) for stored in artifacts if run in stored.runs]
            missing = {(ref.kind, ref.key) for ref in refs(record.artifacts)} - set(names)
            if missing:
                raise StoreError(
                    f"{'/'.join(min(missing))} of run {run!r} is missing; "
                    "run it again before it is pushed"
                )
            carried = sum(_push(store, kind, key, folder) for kind, key in names)
            folder.write(f"runs/{run}.json", record.to_json().encode())
            folder.write(f"runs/{record.name}/{NEWEST}", record.key.encode())
            for other in _records(folder, record.name):
                with suppress(StoreError):  # a damaged one
                    text = folder.read(f"runs/{other}.json")
                    if contradicts(record, _read_record(text, record.name)):
                        folder.remove(f"runs/{other}.json")
            done(Carried(run=run, carried=carried, present=len(names) - carried))


def pull(url: str, runs: Collection[str], done: Callable[[Carried], None]) -> None:
    """Copy these runs, or all, from a folder into the store; `done` is called after each.

    A run is NAME/KEY, or NAME for the newest of that name.

    Nothing with a wrong digest enters the store, and a run is registered after all its artifacts.

    Raises:
        StoreError: there is no such run, something is damaged, or a run is using the store."""
    store = open_store()
    with _reach(url) as folder, store.unused():
        names = filter(is_name, folder.names("runs"))
        pushed = [run for name in names for run in _records(folder, name)]
        if not pushed:
            raise StoreError(
                f"expected runs in {url}, found none; push one there first, or correct the URL"
            )
        for run in [select(run, pushed, url)[-1] for run in runs] or pushed:
            record = _read_record(folder.read(f"runs/{run}.json"), run.partition("/")[0])
            wanted = _wanted(record, folder)
            carried = sum(_pull(store, *name, wanted[name], folder) for name in sorted(wanted))
            # its report is on the computer that ran it
            register(replace(record, out=str(report_folder(record.run)), files=()))
            done(Carried(run=record.run, carried=carried, present=len(wanted) - carried))


@dataclass(frozen=True)
class _Folder:
    """A folder that fsspec reaches; all paths are relative to it."""

    files: Any
    root: str

    def names(self, path: str) -> list[str]:
        """The names in a folder of it; none if that does not exist."""
        try:
            paths = self.files.ls(f"{self.root}/{path}", detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)

    def read(self, path: str) -> bytes:
        return bytes(self.files.cat_file(f"{self.root}/{path}"))

    def read_if_present(self, path: str) -> bytes | None:
        try:
            return self.read(path)
        except FileNotFoundError:
            return None

    def write(self, path: str, content: bytes) -> None:
        """Write a small file, whole or not at all."""
        with self.files.transaction:
            self.files.pipe_file(self._make_parent(path), content)

    def send(self, file: Path, path: str) -> None:
        self.files.put_file(str(file), self._make_parent(path))

    def fetch(self, path: str, file: Path) -> None:
        self.files.get_file(f"{self.root}/{path}", str(file))

    def remove(self, path: str) -> None:
        self.files.rm_file(f"{self.root}/{path}")

    def _make_parent(self, path: str) -> str:
        """The full path of a file, whose folder is made unless it exists."""
        full = f"{self.root}/{path}"
        self.files.makedirs(full.rpartition("/")[0], exist_ok=True)
        return full


@contextmanager
def _reach(url: str) -> Iterator[_Folder]:
    """The folder of a URL. All errors of its file system become store errors."""
    if not url.strip():
        raise StoreError(
            "expected a URL such as file:///path or s3://bucket/lisor, got an empty one"
        )
    try:
        files, root = fsspec.core.url_to_fs(url)
        yield _Folder(files, root.rstrip("/"))
    except LisorError:
        raise
    except ImportError as error:  # a protocol whose package is not installed
        raise StoreError(f"{url} cannot be reached: {error}") from None
    except Exception as error:  # each file system has errors of its own
        raise StoreError(
            f"{url} failed, and what was copied is kept: {type(error).__name__}: {error}"
        ) from error


def _push(store: Store, kind: str, key: str, folder: _Folder) -> bool:
    """Copy an artifact to the folder unless it is there; return whether it was copied."""
    stored = store.find(kind, [key])
    if stored is None:
        raise StoreError(f"{kind}/{key} is damaged; run again what needs it before it is pushed")
    source, target = store.folder(kind, key), f"store/{kind}/{key}"
    content = folder.read_if_present(f"{target}/{MANIFEST}")
    if content is not None:
        manifest = Manifest.parse(content, kind, key)
        if manifest is not None and manifest.sha256 == stored[0].sha256:
            return False
        # of other files, or cut off: without a manifest the artifact does not count
        folder.remove(f"{target}/{MANIFEST}")
    for file in sorted(source.rglob("*")):
        if file.is_file() and file.name != MANIFEST:
            folder.send(file, f"{target}/{file.relative_to(source)}")
    folder.write(f"{target}/{MANIFEST}", (source / MANIFEST).read_bytes())
    return True


def _pull(store: Store, kind: str, key: str, digest: str | None, folder: _Folder) -> bool:
    """Copy an artifact from the folder unless the store has it; return whether it was copied. It
    must have the digest, if a record names one."""
    stored = store.find(kind, [key])
    if stored is not None:
        if digest in (None, stored[0].sha256):
            return False
        raise StoreError(
            f"{kind}/{key} in this store has another content than in the run to be pulled: "
            "two computers have made it; pull into another store (LISOR_HOME)"
        )
    source = f"store/{kind}/{key}"
    manifest = folder.read_if_present(f"{source}/{MANIFEST}")
    if manifest is None:
        raise StoreError(f"{source} is not whole there; push the run again")
    store.adopt(
        kind, key, manifest, lambda name, path: folder.fetch(f"{source}/{name}", path), digest
    )
    return True


def _records(folder: _Folder, name: str) -> list[str]:
    """The runs of that name, NAME/KEY, the newest last."""
    files = filter(is_name, folder.names(f"runs/{name}"))
    newest = folder.read_if_present(f"runs/{name}/{NEWEST}") or b""
    keys = [file.removesuffix(".json") for file in files if file.endswith(".json")]
    return [f"{name}/{key}" for key in sorted(keys, key=lambda key: (key.encode() == newest, key))]


def _read_record(text: bytes, run: str) -> Record:
    try:
        record = parse(text.decode(), run)
    except DAMAGE:
        raise StoreError(
            f"the record of run {run!r} there is damaged; push the run again"
        ) from None
    if record.name != run:
        raise StoreError(
            f"the record of run {run!r} there is that of another run; nothing was taken"
        )
    return record


def _wanted(record: Record, folder: _Folder) -> dict[tuple[str, str], str | None]:
    """The artifacts of a run with the digests in its record, and those that were made together with
    them.

    Raises:
        StoreError: a name leads out of the store."""
    named: list[Ref] = list(refs(record.artifacts))
    for ref in named:
        if not is_name(ref.kind) or not is_name(ref.key):
            raise StoreError(
                f"run {record.name!r} there names the artifact {ref.kind}/{ref.key}; "
                "nothing was taken"
            )
    wanted: dict[tuple[str, str], str | None] = {}
    for kind in {ref.kind for ref in named}:
        blocks = {block(ref.key) for ref in named if ref.kind == kind}
        keys = [key for key in folder.names(f"store/{kind}") if is_name(key)]
        wanted |= {(kind, key): None for key in keys if block(key) in blocks}
    return wanted | {(ref.kind, ref.key): ref.sha256 for ref in named}
