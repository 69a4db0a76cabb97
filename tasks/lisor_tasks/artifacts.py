"""The content-addressed store: what tasks leave for each other, as files that are complete, checked and never change.

LISOR_HOME/store/<kind>/<key>/   the files of one artifact and, written last, manifest.json with their digests
LISOR_HOME/locks, scratch        kernel locks; artifacts still being built
LISOR_HOME/results, mlflow.db, mlflow-artifacts, reports, runs      of Prefect, of MLflow, and of finished runs
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
from pathlib import Path
from typing import Any, TextIO

from lisor.errors import StoreError
from lisor.files import ENDINGS, MAX_BYTES, MAX_SOURCE_BYTES, check_file, reason, replacing, shorten
from lisor_tasks.manifest import MANIFEST, Manifest


@dataclass(frozen=True)
class Ref:
    """A small reference to an artifact: its kind, its key and the digest of its files."""

    kind: str
    key: str
    sha256: str


@dataclass(frozen=True)
class Awaited(Ref):
    """In the place of a reference to an artifact that is not there yet: the stages that have to run before it is."""

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
        """The artifacts of these keys, made by one call of `write` unless all of them are there and whole.

        `write` fills one folder for each key. It runs under a kernel lock on the first key, which the system frees when
        the process dies, so two runs never build the same artifact at a time; a folder enters the store whole or not.
        A process that dies while it moves finished folders there leaves the rest of them to the next. Their manifests
        keep the `provenance`: what the keys were made of.

        Raises:
            StoreError: the store cannot be written."""
        scratch, finished = (self.home / "scratch" / f"{prefix}{kind}-{keys[0]}" for prefix in ("", "finished-"))
        with self.lock(f"{kind}-{keys[0]}"):
            self._enter(kind, finished)
            found = self.find(kind, keys)
            if found is not None:
                return found
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
        self, kind: str, key: str, manifest: bytes, fetch: Callable[[str, Path], None], sha256: str | None
    ) -> None:
        """Take in an artifact that was built in another store; `fetch` brings its file of a name to a path,
        and `sha256` is the digest that it must have, if that is known.

        It enters whole or not at all, and only if its files are those of which its manifest tells.

        Raises:
            StoreError: they are not, or the manifest is damaged or another's, or the store cannot be written."""
        found = Manifest.parse(manifest, kind, key)
        if found is None:
            raise StoreError(
                f"the manifest of {kind}/{key} is damaged or names files outside its folder: nothing was taken"
            )
        if sha256 not in (None, found.sha256):
            raise StoreError(f"{kind}/{key} has another digest than its run says; push the run again")
        with self.lock(f"{kind}-{key}"):
            scratch = self.home / "scratch" / f"adopted-{kind}-{key}"
            shutil.rmtree(scratch, ignore_errors=True)
            try:
                for name, digest in found.files.items():
                    (scratch / name).parent.mkdir(parents=True, exist_ok=True)
                    fetch(name, scratch / name)
                    if _digest(scratch / name) != digest:
                        raise StoreError(f"{name} of {kind}/{key} is not the file that was stored: push the run again")
                write_text(scratch / MANIFEST, manifest.decode())
                self._place(kind, key, scratch)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

    def find(self, kind: str, keys: Sequence[str]) -> list[Ref] | None:
        """References to these artifacts if every one is there and whole, else None."""
        refs = []
        for key in keys:
            manifest = self._manifest(kind, key)
            if manifest is None:
                return None
            refs.append(Ref(kind, key, manifest.sha256))
        return refs

    def open(self, ref: Ref) -> Path:
        """The folder of an artifact whose files are as they were when it was built.

        Raises:
            StoreError: a file is missing or was altered."""
        self._whole(ref)
        return self.folder(ref.kind, ref.key)

    def entries(self) -> list[tuple[str, str]]:
        """The kind and key of every artifact, whole or not."""
        folders = (path for path in (self.home / "store").glob("*/*") if path.is_dir())
        return sorted((folder.parent.name, folder.name) for folder in folders)

    def manifests(self, kind: str) -> list[Manifest | None]:
        """What every artifact of a kind says of itself, the newest first; None for one whose manifest is damaged."""
        found = []
        for path in (self.home / "store" / kind).glob(f"*/{MANIFEST}"):
            with suppress(OSError):
                manifest = Manifest.parse(path.read_bytes(), kind, path.parent.name)
                found.append((path.stat().st_mtime_ns, path.parent.name, manifest))
        return [manifest for _, _, manifest in sorted(found, key=lambda entry: entry[:2], reverse=True)]

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Says for as long as it is held that a run uses the store; many may.

        Raises:
            StoreError: the store cannot be written."""
        with self._handle("in-use") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH)
            yield

    @contextmanager
    def unused(self) -> Iterator[None]:
        """Keeps runs from beginning to use the store.

        Raises:
            StoreError: a run uses it, or it cannot be written."""
        with self._handle("in-use") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"a run is using the store {self.home}; wait until it has ended") from None
            yield

    def remove(self, kind: str, key: str) -> None:
        """Take an artifact out of the store; it is gone at once, not file by file."""
        aside = self.home / "scratch" / f"removed-{kind}-{key}-{os.getpid()}"
        aside.parent.mkdir(exist_ok=True)
        self.folder(kind, key).replace(aside)
        shutil.rmtree(aside)

    def seconds(self, ref: Ref) -> float:
        """How long it took to build an artifact."""
        return self._whole(ref).seconds

    def folder(self, kind: str, key: str) -> Path:
        """Where the artifact of a key lies, if it is there."""
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
            raise StoreError(f"the artifact {ref.kind}/{ref.key} is missing or damaged; run again to compute it anew")
        return manifest

    def _manifest(self, kind: str, key: str) -> Manifest | None:
        """The manifest of an artifact, if it is whole and every file has the digest it says."""
        folder = self.folder(kind, key)
        try:
            manifest = Manifest.parse((folder / MANIFEST).read_bytes(), kind, key)
            if manifest is None:
                return None
            whole = all(_digest_unchanged(folder / name) == digest for name, digest in manifest.files.items())
        except OSError:
            return None
        return manifest if whole else None

    def _enter(self, kind: str, finished: Path) -> None:
        """Move finished folders, if there are any, to their places in the store."""
        if not finished.exists():
            return
        for folder in sorted(finished.iterdir()):
            self._place(kind, folder.name, folder)
        finished.rmdir()

    def _place(self, kind: str, key: str, folder: Path) -> None:
        place = self.folder(kind, key)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():  # a damaged one: set it aside first, since a folder cannot replace another
            aside = self.home / "scratch" / f"damaged-{kind}-{key}-{os.getpid()}"
            place.replace(aside)
            shutil.rmtree(aside)
        folder.replace(place)


_HOME: ContextVar[str | None] = ContextVar("home", default=None)


@contextmanager
def store_at(home: str | None) -> Iterator[None]:
    """Makes this folder the store of what is done inside, whatever LISOR_HOME says where a task happens to run; None
    changes nothing."""
    before = _HOME.set(home or _HOME.get())
    try:
        yield
    finally:
        _HOME.reset(before)


def open_store() -> Store:
    """The store of this task or process: LISOR_HOME, or .lisor in the working folder.

    Raises:
        StoreError: there is a file in its place."""
    return Store(check_folder(Path(_HOME.get() or os.environ.get("LISOR_HOME") or ".lisor").absolute()))


def check_folder(path: Path) -> Path:
    """A path that is a folder, or can become one.

    Raises:
        StoreError: it, or what it lies in, is a file."""
    for place in (path, *path.parents):
        if place.is_dir():
            break
        if place.exists():
            raise StoreError(f"expected a folder, but {place} is a file")
    return path


def open_artifact(ref: Ref) -> Path:
    """The folder of an artifact in this process's store, checked."""
    return open_store().open(ref)


def describe_source(path: str, *, folder: bool = False) -> Source:
    """A user's file, or where a `folder` of labelled texts may stand, that folder, with the digest of what is read.

    Raises:
        StoreError: it cannot be read, or is a pipe, a device or too large.
        DataError: it is a folder that is laid out otherwise."""
    if not path:
        raise StoreError("expected a readable file or folder, but its name is empty")
    place = Path(path).expanduser().absolute()
    try:
        if not (folder and place.is_dir()):
            limit = MAX_BYTES if place.suffix.lower() in ENDINGS else MAX_SOURCE_BYTES
            return Source(str(place), f"{place.suffix[1:]}-{_digest_unchanged(check_file(place, limit))}")
        from lisor.data.text import layout  # loads pandas

        files = sorted(file for file, _, _ in layout(place))
        inside = {str(file.relative_to(place)): _digest_unchanged(file) for file in files}
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        shown = shorten(Path(path))
        raise StoreError(f"expected a readable file or folder, but {shown!r} is not: {reason(error)}") from None
    return Source(str(place), f"folder-{hashlib.sha256(json.dumps(inside, sort_keys=True).encode()).hexdigest()}")


def write_text(path: Path, text: str) -> None:
    """Write a text file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as handle:
        handle.write(text.encode())
        handle.flush()
        os.fsync(handle.fileno())


def _seal(kind: str, folder: Path, seconds: float, provenance: Mapping[str, Any] | None) -> Ref:
    """Write the manifest of a finished folder, whose name is its key."""
    files = {str(file.relative_to(folder)): _digest(file) for file in sorted(folder.rglob("*")) if file.is_file()}
    manifest = Manifest(kind=kind, key=folder.name, files=files, seconds=round(seconds, 4), provenance=provenance)
    write_text(folder / MANIFEST, manifest.to_json())
    return Ref(kind, folder.name, manifest.sha256)


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _digest_unchanged(path: Path) -> str:
    """The digest of a file, read again only if its time, size or inode changed."""
    status = path.stat()
    return _digest_at(path, status.st_mtime_ns, status.st_size, status.st_ino)


@lru_cache(maxsize=1 << 16)
def _digest_at(path: Path, modified: int, size: int, inode: int) -> str:
    return _digest(path)
