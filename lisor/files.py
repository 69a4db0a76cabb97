"""Files of the user's, looked at before they are opened: to read a pipe or a device may never end."""

from __future__ import annotations

import stat
from pathlib import Path

from lisor.errors import one_line

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

_SPECIAL = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}


def check_file(path: Path, limit: int | None = None) -> Path:
    """The path of a file that can be read to its end, of at most `limit` bytes where there is a limit.

    Raises:
        OSError: it is not there, is no regular file, or is larger."""
    status = path.stat()
    kind = _SPECIAL.get(stat.S_IFMT(status.st_mode))
    if kind is not None:
        raise OSError(f"expected a file, but it is {kind}")
    if limit is not None and status.st_size > limit:
        raise OSError(f"it has {status.st_size:,} bytes, and at most {limit:,} are read")
    return path


def read_text(path: Path, limit: int = MAX_TEXT_BYTES) -> str:
    """The text of a UTF-8 file.

    Raises:
        OSError: it cannot be read, is no regular file, or has more than `limit` bytes.
        ValueError: it is not UTF-8, or holds the character U+0000, as UTF-16 and most binary files do."""
    with check_file(path, limit).open("rb") as file:
        content = file.read(limit + 1)  # files of /proc have no size until they are read
    if len(content) > limit:
        raise OSError(f"at most {limit:,} bytes are read, and it has more")
    if (place := content.find(0)) >= 0:
        raise ValueError(no_text(content.count(b"\n", 0, place) + 1))
    return content.decode("utf-8")


def check_text(path: Path) -> Path:
    """The path of a file to hold in memory, without the character U+0000, at which some readers of tables stop.

    Raises:
        OSError: it cannot be read, or is too large.
        ValueError: it holds that character."""
    line = 1
    with check_file(path, MAX_BYTES).open("rb") as file:
        while chunk := file.read(_CHUNK):
            place = chunk.find(0)
            line += chunk.count(b"\n", 0, place if place >= 0 else len(chunk))
            if place >= 0:
                raise ValueError(no_text(line))
    return path


def reason(error: OSError | ValueError) -> str:
    """Why a file cannot be read, without its name."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def shorten(path: Path) -> str:
    """The path as a message shows it: of a long one the middle is left out."""
    return one_line(str(path), MAX_PATH)


def no_text(line: int) -> str:
    """What is wrong with a file that holds the character U+0000."""
    return f"line {line} holds the character U+0000: expected a text in UTF-8"
