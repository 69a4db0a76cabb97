"""Files that are there whole or not at all, and what a user's file may not be."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lisor.errors import DataError

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""What else may stand where a file is looked for."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file beside `path`, open for writing, that takes its place when the block has ended
    without an error.

    Its permissions are those of any new file, as the umask has them.

    Raises:
        OSError: it cannot be written; then nothing of it stays."""
    # a name of its own: that of `path` may be as long as names can be
    fresh = path.with_name(f".lisor-{os.urandom(8).hex()}")
    try:
        with fresh.open("xb") as file:
            yield file
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """The same for a file that the user names: new or instead of a file, but of nothing else.

    Raises:
        DataError: something else stands there, there is no folder, or it cannot be written."""
    check_writable(path)
    try:
        with replacing(path) as file:
            yield file
    except OSError as error:
        raise _unwritable(path, error.strerror or error) from error


def check_writable(path: Path) -> None:
    """Nothing, if a file can be written there, as far as that can be seen before it is.

    Raises:
        DataError: as `writing`."""
    try:
        kind = kind_of(path)
        inside = path.parent.is_dir()
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise _unwritable(path, reason) from None
    where = shown(path)
    if kind is not None:
        raise DataError(f"expected a file to write to, but {where} is {kind}; give another file")
    if not inside:
        name, folder = shown(Path(path.name), 60), shown(path.parent)
        raise DataError(f"expected a folder to write {name} to, but {folder} does not exist")


def make_folder(path: Path) -> Path:
    """The folder of that path, made with those that it lies in unless it is there.

    Raises:
        DataError: it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"the folder {shown(path)} cannot be made: {reason}") from None
    return path


def kind_of(path: Path) -> str | None:
    """What stands at a path where that is neither a file nor nothing.

    Raises:
        OSError: that cannot be found out."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    return None if stat.S_ISREG(mode) else KINDS.get(stat.S_IFMT(mode), "no file")


def shown(path: Path, length: int = 150) -> str:
    """A path in a message: the end of a long one."""
    text = str(path)
    return text if len(text) <= length else f"…{text[1 - length :]}"


def _unwritable(path: Path, reason: object) -> DataError:
    return DataError(f"{shown(path)} cannot be written: {reason}; give another file")
