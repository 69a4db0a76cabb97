"""The content-addressed store: the artifacts that tasks leave for each other, as files that are
complete, checked and never changed.

LISOR_HOME/store/<kind>/<key>/   the files of one artifact and, written last, manifest.json with
                                 their digests
LISOR_HOME/locks, scratch        kernel locks; artifacts still being built
LISOR_HOME/prefect               what Prefect keeps
LISOR_HOME/mlflow.db, mlflow-artifacts       of MLflow; tracked.json lists the runs that it shows
LISOR_HOME/reports, runs         reports and records of finished runs
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from lisor.errors import StoreError
from lisor.files import ENDINGS, MAX_BYTES, MAX_SOURCE_BYTES, check_file, reason, replacing, shorten
from lisor_tasks.manifest import MANIFEST, Manifest

COMPANIONS = ("-journal", "-wal", "-shm")
"""Endings of the files that SQLite keeps beside a database."""


@dataclass(frozen=True)
class Ref:
    """A small reference to an artifact: its kind, its key and the digest of its files."""

    kind: str
    key: str
    sha256: str


@dataclass(frozen=True)
class Awaited(Ref):
    """A stand-in for the reference of an artifact that does not exist yet: the stages that have to
    run first."""

    stages: frozenset[str]


@dataclass(frozen=True)
class Source:
    """A file or folder of the user's, known by the digest of its content; its name may change."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Store:
    """Artifacts under one folder, on a POSIX file system with working locks."""

    home: Path

    def build(
        self,
        kind: str,
        keys: Sequence[str],
        write: Callable[[list[Path]], None],
        provenance: Mapping[str, Any] | None = None,
    ) -> list[Ref]:
        """References to the artifacts of these keys, made by one call of `write` unless all of them
        are in the store and whole.

        `write` fills one folder for each key. It runs under a kernel lock on the first key, which
        the system frees when the process dies: two runs never build the same artifact at the same
        time. A folder enters the store whole or not at all. If a process dies while it moves
        finished folders there, the next one moves the rest. The manifests keep the `provenance`:
        what the keys were made of.

        Raises:
            StoreError: the store cannot be written."""
        scratch, finished = (
            self.home / "scratch" / f"{prefix}{kind}-{keys[0]}" for prefix in ("", "finished-")
        )
        with self.lock(f"{kind}-{keys[0]}"):
            self._enter(kind, finished)
            stored = self.find(kind, keys)
            if stored is not None:
                return stored
            shutil.rmtree(scratch, ignore_errors=True)  # left behind by a process that was killed
            folders = [scratch / key for key in keys]
            for folder in folders:
                folder.mkdir(parents=True)
            try:
                started = time.perf_counter()
                write(folders)
                seconds = (time.perf_counter() - started) / len(keys)
                refs = [_seal(kind, folder, seconds, provenance) for folder in folders]
                scratch.replace(finished)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
            self._enter(kind, finished)
            return refs

    def adopt(
        self,
        kind: str,
        key: str,
        manifest: bytes,
        fetch: Callable[[str, Path], None],
        sha256: str | None,
    ) -> None:
        """Take in an artifact that was built in another store.

        `fetch` copies the file of a name to a path. `sha256` is the digest that the artifact must
        have, if that is known. The artifact enters whole or not at all, and only if its files have
        the digests in its manifest.

        Raises:
            StoreError: a file has another digest, the manifest is damaged or that of another
                artifact, or the store cannot be written."""
        parsed = Manifest.parse(manifest, kind, key)
        if parsed is None:
            raise StoreError(
                f"the manifest of {kind}/{key} is damaged or names files outside its folder: "
                "nothing was taken"
            )
        if sha256 not in (None, parsed.sha256):
            raise StoreError(
                f"{kind}/{key} has another digest than its run says; push the run again"
            )
        with self.lock(f"{kind}-{key}"):
            scratch = self.home / "scratch" / f"adopted-{kind}-{key}"
            shutil.rmtree(scratch, ignore_errors=True)
            try:
                for name, digest in parsed.files.items():
                    (scratch / name).parent.mkdir(parents=True, exist_ok=True)
                    fetch(name, scratch / name)
                    if _digest(scratch / name) != digest:
                        raise StoreError(
                            f"{name} of {kind}/{key} is not the file that was stored: "
                            "push the run again"
                        )
                write_text(scratch / MANIFEST, manifest.decode())
                self._insert(kind, key, scratch)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

    def find(self, kind: str, keys: Sequence[str]) -> list[Ref] | None:
        """References to these artifacts; None unless every one is there and whole."""
        refs = []
        for key in keys:
            manifest = self._manifest(kind, key)
            if manifest is None:
                return None
            refs.append(Ref(kind, key, manifest.sha256))
        return refs

    def open(self, ref: Ref) -> Path:
        """The folder of an artifact, whose files are unchanged since it was built.

        Raises:
            StoreError: a file is missing or was changed."""
        self._whole(ref)
        return self.folder(ref.kind, ref.key)

    def entries(self) -> list[tuple[str, str]]:
        """The kind and key of every artifact, whole or not."""
        folders = (path for path in (self.home / "store").glob("*/*") if path.is_dir())
        return sorted((folder.parent.name, folder.name) for folder in folders)

    def manifests(self, kind: str) -> list[Manifest | None]:
        """The manifest of every artifact of a kind, the newest first; None for one that is
        damaged."""
        manifests = {}
        for path in (self.home / "store" / kind).glob(f"*/{MANIFEST}"):
            with suppress(OSError):  # removed by another process
                manifest = Manifest.parse(path.read_bytes(), kind, path.parent.name)
                manifests[path.stat().st_mtime_ns, path.parent.name] = manifest
        return [manifests[when] for when in sorted(manifests, reverse=True)]

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Marks the store as used by a run while the block runs; several runs may use it.

        Raises:
            StoreError: the store cannot be written."""
        with self._handle("in-use") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH)
            yield

    @contextmanager
    def unused(self) -> Iterator[None]:
        """Keeps runs from starting to use the store while the block runs.

        Raises:
            StoreError: a run uses it, or it cannot be written."""
        with self._handle("in-use") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(
                    f"a run is using the store {self.home}; wait until it has ended"
                ) from None
            yield

    def remove(self, kind: str, key: str) -> None:
        """Take an artifact out of the store in one step, not file by file."""
        aside = self.home / "scratch" / f"removed-{kind}-{key}-{os.getpid()}"
        aside.parent.mkdir(exist_ok=True)
        self.folder(kind, key).replace(aside)
        shutil.rmtree(aside)

    def seconds(self, ref: Ref) -> float:
        """The seconds that it took to build an artifact."""
        return self._whole(ref).seconds

    def folder(self, kind: str, key: str) -> Path:
        """The path of the artifact of a key, whether it exists or not."""
        return self.home / "store" / kind / key

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the kernel lock of that name, shared by every process that uses this store.

        Raises:
            StoreError: the lock, or something written while it was held, could not be written."""
        with self._handle(name) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                yield
            except OSError as error:
                raise self._unwritable(error) from error

    def _handle(self, name: str) -> TextIO:
        """The file of a lock, open."""
        try:
            (self.home / "locks").mkdir(parents=True, exist_ok=True)
            return (self.home / "locks" / f"{name}.lock").open("w")
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(f"the store {self.home} cannot be written: {error.strerror or error}")

    def _whole(self, ref: Ref) -> Manifest:
        manifest = self._manifest(ref.kind, ref.key)
        if manifest is None or manifest.sha256 != ref.sha256:
            raise StoreError(
                f"the artifact {ref.kind}/{ref.key} is missing or damaged; run again to compute it "
                "anew"
            )
        return manifest

    def _manifest(self, kind: str, key: str) -> Manifest | None:
        """The manifest of an artifact; None unless it is whole and every file has its digest."""
        folder = self.folder(kind, key)
        try:
            manifest = Manifest.parse((folder / MANIFEST).read_bytes(), kind, key)
            if manifest is None:
                return None
            whole = all(
                _digest_unchanged(folder / name) == digest
                for name, digest in manifest.files.items()
            )
        except OSError:
            return None
        return manifest if whole else None

    def _enter(self, kind: str, finished: Path) -> None:
        """Move finished folders, if there are any, into the store."""
        if not finished.exists():
            return
        for folder in sorted(finished.iterdir()):
            self._insert(kind, folder.name, folder)
        finished.rmdir()

    def _insert(self, kind: str, key: str, folder: Path) -> None:
        """Move the finished folder of an artifact into the store."""
        path = self.folder(kind, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():  # a damaged one, which a folder cannot replace
            self.remove(kind, key)
        folder.replace(path)


_HOME: ContextVar[str | None] = ContextVar("home", default=None)


@contextmanager
def store_at(home: str | None) -> Iterator[None]:
    """Makes this folder the store for the block, whatever LISOR_HOME is where a task runs; None
    changes nothing."""
    before = _HOME.set(home or _HOME.get())
    try:
        yield
    finally:
        _HOME.reset(before)


def open_store() -> Store:
    """The store of this task or process: LISOR_HOME, or .lisor in the working folder.

    Raises:
        StoreError: the path is a file."""
    return Store(
        check_folder(Path(_HOME.get() or os.environ.get("LISOR_HOME") or ".lisor").absolute())
    )


def check_folder(path: Path) -> Path:
    """The path, which is a folder or can become one.

    Raises:
        StoreError: it, or one of its parents, is a file."""
    existing = next((folder for folder in (path, *path.parents) if folder.exists()), None)
    if existing is not None and not existing.is_dir():
        raise StoreError(f"expected a folder, but {existing} is a file")
    return path


def open_artifact(ref: Ref) -> Path:
    """The folder of an artifact in the store of this process, checked."""
    return open_store().open(ref)


def describe_source(path: str, *, folder: bool = False) -> Source:
    """A user's file with its digest, or, where `folder` allows it, a folder of labelled texts.

    Raises:
        StoreError: it cannot be read, or is a pipe, a device or too large.
        DataError: it is a folder with another layout."""
    if not path:
        raise StoreError("expected a readable file or folder, but its name is empty")
    full = Path(path).expanduser().absolute()
    try:
        if not (folder and full.is_dir()):
            limit = MAX_BYTES if full.suffix.lower() in ENDINGS else MAX_SOURCE_BYTES
            digest = _digest_unchanged(check_file(full, limit))
            return Source(str(full), f"{full.suffix[1:]}-{digest}")
        from lisor.data.text import layout  # loads pandas

        files = sorted(file for file, _, _ in layout(full))
        inside = {str(file.relative_to(full)): _digest_unchanged(file) for file in files}
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        shown = shorten(Path(path))
        raise StoreError(
            f"expected a readable file or folder, but {shown!r} is not: {reason(error)}"
        ) from None
    digest = hashlib.sha256(json.dumps(inside, sort_keys=True).encode()).hexdigest()
    return Source(str(full), f"folder-{digest}")


def set_aside(database: Path) -> Path:
    """The path to which a damaged SQLite database of the store is moved, NAME.damaged-N.

    The files that SQLite keeps beside it are moved first: no new database may find them."""
    numbered = (database.with_name(f"{database.name}.damaged-{number}") for number in count(1))
    aside = next(path for path in numbered if not path.exists())
    for companion in (*COMPANIONS, ""):
        with suppress(FileNotFoundError):
            database.with_name(database.name + companion).rename(f"{aside}{companion}")
    return aside


def write_text(path: Path, text: str) -> None:
    """Write a text file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as handle:
        handle.write(text.encode())
        handle.flush()
        os.fsync(handle.fileno())


def _seal(kind: str, folder: Path, seconds: float, provenance: Mapping[str, Any] | None) -> Ref:
    """Write the manifest of a finished folder, whose name is its key, and return its reference."""
    files = {
        str(file.relative_to(folder)): _digest(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    manifest = Manifest(
        kind=kind, key=folder.name, files=files, seconds=round(seconds, 4), provenance=provenance
    )
    write_text(folder / MANIFEST, manifest.to_json())
    return Ref(kind, folder.name, manifest.sha256)


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _digest_unchanged(path: Path) -> str:
    """The digest of a file, which is read again only if its time, size or inode has changed."""
    status = path.stat()
    return _digest_at(path, status.st_mtime_ns, status.st_size, status.st_ino)


@lru_cache(maxsize=1 << 16)
def _digest_at(path: Path, modified: int, size: int, inode: int) -> str:
    return _digest(path)
