"""Files of the user's, looked at before they are opened: to read a pipe or a device may never end."""

from __future__ import annotations

import stat
from pathlib import Path

from lisor.errors import one_line

MAX_BYTES = 2**31
"""The largest table or file of weights that is read."""

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


def check_file(path: Path, limit: int = MAX_BYTES) -> Path:
    """The path of a file that can be read to its end.

    Raises:
        OSError: it is not there, is no regular file, or has more than `limit` bytes."""
    status = path.stat()
    kind = _SPECIAL.get(stat.S_IFMT(status.st_mode))
    if kind is not None:
        raise OSError(f"expected a file, but it is {kind}")
    if status.st_size > limit:
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
        raise ValueError(_no_text(content.count(b"\n", 0, place) + 1))
    return content.decode("utf-8")


def check_text(path: Path) -> Path:
    """The path of a regular file without the character U+0000, at which some readers of tables stop.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds that character."""
    line = 1
    with check_file(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            place = chunk.find(0)
            line += chunk.count(b"\n", 0, place if place >= 0 else len(chunk))
            if place >= 0:
                raise ValueError(_no_text(line))
    return path


def reason(error: OSError | ValueError) -> str:
    """Why a file cannot be read, without its name."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def shorten(path: Path) -> str:
    """The path as a message shows it: of a long one the middle is left out."""
    return one_line(str(path), MAX_PATH)


def _no_text(line: int) -> str:
    return f"line {line} holds the character U+0000: expected a text in UTF-8"
