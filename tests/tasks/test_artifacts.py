import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lisor.errors import DataError, StoreError
from lisor_tasks.artifacts import Ref, Store, describe_source, open_store, write_text


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "a store with ümlauts")


def write_number(number: int, calls: list[int] | None = None):
    def write(folders: list[Path]) -> None:
        if calls is not None:
            calls.append(number)
        for folder in folders:
            (folder / "inner").mkdir()
            (folder / "inner" / "number.txt").write_text(str(number))

    return write


def test_an_artifact_is_built_once(store: Store) -> None:
    calls: list[int] = []
    first = store.build("kind", ["key"], write_number(1, calls))
    second = store.build("kind", ["key"], write_number(1, calls))
    assert first == second
    assert calls == [1]
    assert (store.open(first[0]) / "inner/number.txt").read_text() == "1"


def test_the_digest_is_that_of_the_content(store: Store) -> None:
    (a,), (b,), (c,) = (
        store.build("kind", [key], write_number(n)) for key, n in (("a", 1), ("b", 1), ("c", 2))
    )
    assert a.sha256 == b.sha256 != c.sha256


def damage(folder: Path, how: str) -> None:
    file = folder / "inner/number.txt"
    if how == "truncated":
        file.write_text("")
    elif how == "altered":
        file.write_text("7")
    elif how == "file deleted":
        file.unlink()
    elif how == "manifest garbled":
        (folder / "manifest.json").write_text("{")
    elif how == "manifest of another type":
        (folder / "manifest.json").write_text("[1]")
    elif how == "manifest altered":
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps({**manifest, "files": {}}))


@pytest.mark.parametrize(
    "how",
    [
        "truncated",
        "altered",
        "file deleted",
        "manifest garbled",
        "manifest of another type",
        "manifest altered",
    ],
)
def test_a_damaged_artifact_is_not_served_and_is_built_anew(store: Store, how: str) -> None:
    (ref,) = store.build("kind", ["key"], write_number(1))
    damage(store.folder("kind", "key"), how)
    assert store.find("kind", ["key"]) is None
    with pytest.raises(StoreError, match="missing or damaged"):
        store.open(ref)
    assert store.build("kind", ["key"], write_number(1)) == [ref]
    assert (store.open(ref) / "inner/number.txt").read_text() == "1"


def test_a_reference_to_other_content_is_refused(store: Store) -> None:
    store.build("kind", ["key"], write_number(1))
    with pytest.raises(StoreError):
        store.open(Ref("kind", "key", "0" * 64))


def test_a_failed_build_leaves_nothing_behind(store: Store) -> None:
    def fail(folders: list[Path]) -> None:
        (folders[0] / "half.txt").write_text("half")
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        store.build("kind", ["key"], fail)
    assert store.find("kind", ["key"]) is None
    assert not list((store.home / "scratch").iterdir())
    assert not (store.home / "store").exists()


def test_what_a_killed_process_left_behind_is_cleared(store: Store) -> None:
    left = store.home / "scratch" / "kind-key" / "key"
    left.mkdir(parents=True)
    (left / "half.txt").write_text("half")
    (ref,) = store.build("kind", ["key"], write_number(1))
    assert not (store.open(ref) / "half.txt").exists()


def test_a_block_of_artifacts_is_built_together(store: Store) -> None:
    refs = store.build("kind", ["a", "b"], write_number(3))
    assert [ref.key for ref in refs] == ["a", "b"]
    damage(store.folder("kind", "b"), "truncated")
    assert store.find("kind", ["a", "b"]) is None
    assert store.build("kind", ["a", "b"], write_number(3)) == refs


@pytest.mark.parametrize("died", [FileNotFoundError, KeyboardInterrupt])
@pytest.mark.parametrize("moved", [0, 1, 2])
def test_a_finished_block_is_not_built_again_when_its_builder_dies_while_it_enters(
    store: Store, monkeypatch: pytest.MonkeyPatch, moved: int, died: type[BaseException]
) -> None:
    calls: list[int] = []
    keys, place, entered = ["a", "b", "c"], Store._insert, []

    def die(self: Store, kind: str, key: str, folder: Path) -> None:
        if len(entered) == moved:
            raise died
        entered.append(key)
        place(self, kind, key, folder)

    with monkeypatch.context() as patch, pytest.raises((StoreError, KeyboardInterrupt)):
        patch.setattr(Store, "_insert", die)
        store.build("kind", keys, write_number(3, calls))
    assert [key for key in keys if store.find("kind", [key])] == entered == keys[:moved]
    before = [(store.folder("kind", key) / "manifest.json").stat().st_ino for key in entered]
    refs = store.build("kind", keys, write_number(3, calls))
    assert calls == [3]
    assert refs == store.find("kind", keys)
    assert [
        (store.folder("kind", key) / "manifest.json").stat().st_ino for key in entered
    ] == before
    assert not list((store.home / "scratch").iterdir())


def test_what_a_power_cut_left_of_finished_folders_is_built_again(store: Store) -> None:
    calls: list[int] = []
    refs = store.build("kind", ["a", "b"], write_number(3, calls))
    damage(store.folder("kind", "b"), "truncated")
    (store.home / "scratch/finished-kind-a").mkdir()
    store.folder("kind", "b").rename(store.home / "scratch/finished-kind-a/b")
    assert store.build("kind", ["a", "b"], write_number(3, calls)) == refs
    assert calls == [3, 3]
    assert store.find("kind", ["a", "b"]) == refs


def test_threads_that_want_the_same_artifact_build_it_once(store: Store) -> None:
    calls: list[int] = []
    with ThreadPoolExecutor(8) as pool:
        refs = list(
            pool.map(lambda _: store.build("kind", ["key"], write_number(1, calls)), range(16))
        )
    assert len(calls) == 1
    assert len({ref[0] for ref in refs}) == 1


def test_the_lock_is_free_when_its_holder_is_killed(store: Store) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from lisor_tasks.artifacts import "
        "Store\n"
        "Store(Path(sys.argv[1])).build('kind', ['key'], lambda folders: os.kill(os.getpid(), "
        "signal.SIGKILL))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(store.home)], check=False, timeout=60)
    assert done.returncode == -9
    assert store.build("kind", ["key"], write_number(1))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot be written"):
        Store(tmp_path / "store").build("kind", ["key"], write_number(1))


def test_a_store_in_the_place_of_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        Store(tmp_path / "file").build("kind", ["key"], write_number(1))


def test_the_store_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LISOR_HOME", str(tmp_path / "here"))
    assert open_store().home == tmp_path / "here"


def test_a_source_is_known_by_its_content_not_its_name(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", "c.tsv"):
        (tmp_path / name).write_text("text,label\n")
    a, b, c = (describe_source(str(tmp_path / name)) for name in ("a.csv", "b.csv", "c.tsv"))
    assert a.sha256 == b.sha256 != c.sha256  # the ending says how to read it


def test_a_folder_is_known_by_the_content_of_its_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_text(tmp_path / name / "train/pos/1.txt", "good")

    def digest(name: str) -> str:
        return describe_source(str(tmp_path / name), folder=True).sha256

    assert digest("one") == digest("two")
    write_text(tmp_path / "two/README", "what is not read does not count")
    assert digest("one") == digest("two")
    write_text(tmp_path / "two/train/pos/2.txt", "better")
    assert digest("one") != digest("two")


def test_a_folder_is_looked_at_before_its_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe/endless.txt")
    with pytest.raises(
        DataError, match=r"expected folders such as train/pos .* found 'endless\.txt'"
    ):
        describe_source(str(tmp_path / "pipe"), folder=True)
    with pytest.raises(DataError, match="expected folders such as train/pos"):
        describe_source("/", folder=True)


@pytest.mark.parametrize(
    ("place", "kind"), [("/dev/zero", "a device"), (".", "a folder"), ("pipe", "a FIFO")]
)
def test_what_cannot_be_read_to_its_end_is_not_opened(
    tmp_path: Path, place: str, kind: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match=f"is not: expected a file, but it is {kind}"):
        describe_source(str(tmp_path / place))


def test_an_error_of_the_disk_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").symlink_to("/proc/self/mem")  # reading its first byte fails
    with pytest.raises(StoreError, match="Input/output error"):
        describe_source(str(tmp_path / "bad.csv"))


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"absent\.csv"):
        describe_source(str(tmp_path / "absent.csv"))
