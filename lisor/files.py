"""Files of the user's: looked at before they are opened, read up to a limit, written whole or not
at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lisor.errors import DataError, one_line

ENDINGS = (".csv", ".tsv", ".parquet")
"""Of files that hold tables."""

MAX_BYTES = 2**31
"""The largest table that is held in memory, and the most that one is unpacked to."""

MAX_SOURCE_BYTES = 2**34
"""The largest file of any other kind, such as word vectors."""

MAX_TEXT_BYTES = 2**26
"""The largest file that is read as one text: settings, an automaton."""

MAX_PATH = 120
"""Characters of a path that a message shows."""

_CHUNK = 2**20

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
        raise _unwritable(path, reason(error)) from error


def check_writable(path: Path, *read: Path) -> None:
    """Nothing, if a file can be written there, as far as that can be seen before it is, and it is
    none that is `read`.

    Raises:
        DataError: as `writing`."""
    try:
        kind = kind_of(path)
        inside = path.parent.is_dir()
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        raise _unwritable(path, reason(error)) from None
    where = shorten(path)
    if kind is not None:
        raise DataError(f"expected a file to write to, but {where} is {kind}; give another file")
    if not inside:
        name, folder = shorten(Path(path.name), 60), shorten(path.parent)
        raise DataError(f"expected a folder to write {name} to, but {folder} does not exist")
    if any(path.exists() and one.exists() and path.samefile(one) for one in read):
        raise DataError(
            f"{where} is read for what is to be written, and would be lost; give another file"
        )


def make_folder(path: Path) -> Path:
    """The folder of that path, made with those that it lies in unless it is there.

    Raises:
        DataError: it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"the folder {shorten(path)} cannot be made: {reason(error)}") from None
    return path


def kind_of(path: Path) -> str | None:
    """What stands at a path where that is neither a file nor nothing.

    Raises:
        OSError: that cannot be found out."""
    try:
        return _kind(path.lstat().st_mode)
    except FileNotFoundError:
        return None


def check_file(path: Path, limit: int | None = None) -> Path:
    """The path of a file that can be read to its end, of at most `limit` bytes where there is a
    limit.

    Raises:
        OSError: it is not there, is no regular file, or is larger."""
    status = path.stat()
    kind = _kind(status.st_mode)
    if kind is not None:
        raise OSError(f"expected a file, but it is {kind}")
    if limit is not None and status.st_size > limit:
        raise OSError(f"it has {status.st_size:,} bytes, and at most {limit:,} are read")
    return path


def read_text(path: Path, limit: int = MAX_TEXT_BYTES) -> str:
    """The text of a UTF-8 file.

    Raises:
        OSError: it cannot be read, is no regular file, or has more than `limit` bytes.
        ValueError: it is not UTF-8, or holds the character U+0000, as UTF-16 and most binary files
            do."""
    with check_file(path, limit).open("rb") as file:
        content = file.read(limit + 1)  # files of /proc have no size until they are read
    if len(content) > limit:
        raise OSError(f"at most {limit:,} bytes are read, and it has more")
    if (position := content.find(0)) >= 0:
        raise ValueError(no_text(content.count(b"\n", 0, position) + 1))
    return content.decode("utf-8")


def check_text(path: Path) -> Path:
    """The path of a file to hold in memory, without the character U+0000, at which some readers of
    tables stop.

    Raises:
        OSError: it cannot be read, or is too large.
        ValueError: it holds that character."""
    line = 1
    with check_file(path, MAX_BYTES).open("rb") as file:
        while chunk := file.read(_CHUNK):
            position = chunk.find(0)
            line += chunk.count(b"\n", 0, position if position >= 0 else len(chunk))
            if position >= 0:
                raise ValueError(no_text(line))
    return path


def reason(error: OSError | ValueError) -> str:
    """Why a file cannot be read, without its name."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def shorten(path: Path, length: int = MAX_PATH) -> str:
    """The path as a message shows it: of a long one the middle is left out."""
    return one_line(str(path), length)


def no_text(line: int) -> str:
    """What is wrong with a file that holds the character U+0000."""
    return f"line {line} holds the character U+0000: expected a text in UTF-8"


def _kind(mode: int) -> str | None:
    """What a mode is that of; None for a file."""
    return None if stat.S_ISREG(mode) else KINDS.get(stat.S_IFMT(mode), "no file")


def _unwritable(path: Path, why: str) -> DataError:
    return DataError(f"{shorten(path)} cannot be written: {why}; give another file")
