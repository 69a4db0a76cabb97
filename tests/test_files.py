import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import lisor
from lisor.automata.languages import LANGUAGES
from lisor.errors import DataError
from lisor.files import (
    check_file,
    check_text,
    check_writable,
    make_folder,
    read_text,
    replacing,
    shorten,
    writing,
)


def put(path: Path, content: bytes) -> None:
    with writing(path) as file:
        file.write(content)


def test_a_file_is_new_or_replaces_a_file(tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        put(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    put(tmp_path / ("é" * 127), b"one")
    with pytest.raises(DataError, match="name too long") as refused:
        put(tmp_path / ("é" * 128), b"one")
    assert len(str(refused.value)) <= 300


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_any_new_file(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        put(tmp_path / "ours", b"")
        (tmp_path / "any").write_bytes(b"")
    finally:
        os.umask(before)
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "any").stat().st_mode


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def a_link(path: Path) -> None:
    path.with_name("aim").write_text("words")
    path.symlink_to("aim")


OTHERS: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a symbolic link": a_link,
    "a FIFO": os.mkfifo,
    "a socket": a_socket,
}


@pytest.mark.parametrize("kind", OTHERS)
def test_nothing_else_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    OTHERS[kind](Path("there"))
    before = {path.name: path.lstat() for path in tmp_path.iterdir()}
    with pytest.raises(DataError, match=f"there is {kind}; give another file"):
        put(Path("there"), b"one")
    assert {name: status.st_ino for name, status in before.items()} == {
        path.name: path.lstat().st_ino for path in tmp_path.iterdir()
    }


@pytest.mark.parametrize("path", ["/dev/null", "/dev/full"])
def test_no_device_is_replaced(path: str) -> None:
    with pytest.raises(DataError, match=f"{path} is a device"):
        put(Path(path), b"one")


def test_a_link_to_nothing_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").symlink_to("nowhere")
    with pytest.raises(DataError, match="is a symbolic link"):
        check_writable(tmp_path / "there")


@pytest.mark.parametrize("path", ["absent/file", "file/inside", "a\0b", "", ".", "..", "/"])
def test_a_place_where_no_file_can_be_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("words")
    with pytest.raises(DataError) as refused:
        put(Path(path), b"one")
    assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, OSError])
def test_what_is_cut_short_leaves_the_old_file_alone(
    tmp_path: Path, stop: type[BaseException]
) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(stop), replacing(tmp_path / "file") as file:
        file.write(b"new")
        raise stop
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


WRITE = """
import resource, signal, sys
from pathlib import Path
import lisor
from lisor.automata.languages import LANGUAGES
from lisor.errors import DataError
from lisor.files import writing
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    with writing(Path("file")) as file:
        file.write(bytes(1000))
except DataError as error:
    print(error)
"""


def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "file cannot be written: File too large; give another file\n"
    assert list(tmp_path.iterdir()) == []


def test_what_is_read_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("text")
    (tmp_path / "link.csv").hardlink_to(tmp_path / "texts.csv")
    for same in ("texts.csv", "../" + tmp_path.name + "/texts.csv", "link.csv"):
        with pytest.raises(DataError, match="would be lost; give another file"):
            check_writable(tmp_path / same, tmp_path / "absent", tmp_path / "texts.csv")
    check_writable(tmp_path / "new.csv", tmp_path / "texts.csv")


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("words")
    with pytest.raises(DataError, match="cannot be made: Not a directory"):
        make_folder(tmp_path / "file/inside")
    assert make_folder(tmp_path / "a/b") == make_folder(tmp_path / "a/b") == tmp_path / "a/b"


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


SPECIAL = {
    "a FIFO": make_pipe,
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
    with pytest.raises(
        ValueError, match=r"line 1 holds the character U\+0000: expected a text in UTF-8"
    ):
        read(tmp_path / "x")


def test_the_line_of_a_null_is_found_however_far_it_is(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a line\n" * 300_000 + b"a\0")
    for read in (check_text, read_text):
        with pytest.raises(ValueError, match="line 300001 "):
            read(tmp_path / "x")


def test_a_long_path_is_shortened() -> None:
    assert shorten(Path("a/b")) == "a/b"
    assert len(shorten(Path("x" * 5000))) <= 120


def test_a_drawing_is_written_as_any_file_of_the_users(tmp_path: Path) -> None:
    automaton = LANGUAGES["000"].automaton
    lisor.draw(automaton, tmp_path / "new.svg")
    assert (tmp_path / "new.svg").read_text().count("<ellipse") == 5
    (tmp_path / "link.svg").symlink_to("new.svg")
    with pytest.raises(DataError, match=r"link\.svg is a symbolic link"):
        lisor.draw(automaton, tmp_path / "link.svg")
    assert {path.name for path in tmp_path.iterdir()} == {"new.svg", "link.svg"}
