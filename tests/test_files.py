import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lisor.files import check_file, check_text, read_text, shorten


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


SPECIAL = {
    "a pipe": make_pipe,
    "a socket": make_socket,
    "a device": make_device,
    "a folder": Path.mkdir,
}


@pytest.mark.parametrize("read", [check_file, check_text, read_text])
@pytest.mark.parametrize(("kind", "make"), SPECIAL.items(), ids=SPECIAL)
def test_what_is_no_file_is_not_opened(
    tmp_path: Path, read: Callable[[Path], object], kind: str, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "x")
    with pytest.raises(OSError, match=f"expected a file, but it is {kind}"):
        read(tmp_path / "x")


def test_a_file_is_read_whole_up_to_the_limit(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("é" * 50, encoding="utf-8")
    assert read_text(tmp_path / "x", 100) == "é" * 50
    with pytest.raises(OSError, match="it has 100 bytes, and at most 99 are read"):
        read_text(tmp_path / "x", 99)


def test_a_file_of_unknown_size_is_not_read_beyond_the_limit() -> None:
    assert Path("/proc/self/status").stat().st_size == 0
    with pytest.raises(OSError, match="at most 10 bytes are read"):
        read_text(Path("/proc/self/status"), 10)


@pytest.mark.parametrize("read", [check_text, read_text])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_another_encoding_is_named_as_what_it_is_not(
    tmp_path: Path, read: Callable[[Path], object], encoding: str
) -> None:
    (tmp_path / "x").write_text("text,label\n", encoding=encoding)
    with pytest.raises(ValueError, match=r"line 1 holds the character U\+0000: expected a text in UTF-8"):
        read(tmp_path / "x")


def test_the_line_of_a_null_is_found_however_far_it_is(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a line\n" * 300_000 + b"a\0")
    for read in (check_text, read_text):
        with pytest.raises(ValueError, match="line 300001 "):
            read(tmp_path / "x")


def test_a_long_path_is_shortened() -> None:
    assert shorten(Path("a/b")) == "a/b"
    assert len(shorten(Path("x" * 5000))) <= 120
