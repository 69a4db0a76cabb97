"""The folder of a run's report, and what of the user's may be in it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lisor.errors import StoreError, StoreWarning
from lisor_tasks import published as published_module
from lisor_tasks.artifacts import Ref
from lisor_tasks.published import check_out, point_latest, publish_files
from lisor_tasks.register import RECORD, Artifacts, Record, find, parse

FIRST = {
    "report.html": b"first",
    "tables/a.csv": b"a",
    "tables/b.csv": b"b",
    "automata/selected/c.svg": b"c",
}
SECOND = {"report.html": b"second", "tables/b.csv": b"b", "figures/d.svg": b"d"}


def record(folder: Path, **settings: object) -> Record:
    made = Artifacts(results=Ref("results", "r", "1"), report=Ref("report", "p", "2"), networks=())
    return Record(name="tiny", out=str(folder), settings=settings, artifacts=made)


def publish(folder: Path, files: dict[str, bytes]) -> Record:
    return publish_files(folder, files, record(folder))


def contents(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_a_report_has_its_files_and_a_record_that_lists_them(tmp_path: Path) -> None:
    folder = tmp_path / "new/report"
    check_out(folder)
    published = publish(folder, FIRST)
    assert published.files == tuple(sorted({*FIRST, RECORD}))
    assert contents(folder) == {**FIRST, RECORD: published.to_json().encode()}
    assert find(str(folder)) == published
    assert publish(folder, FIRST) == published


def test_another_report_removes_what_the_former_listed_and_nothing_else(tmp_path: Path) -> None:
    publish(tmp_path, FIRST)
    mine = {"notes.txt": b"mine", "tables/mine.csv": b"mine", "automata/mine/x": b"mine"}
    for name, content in mine.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "link").symlink_to("tables")
    check_out(tmp_path)
    published = publish(tmp_path, SECOND)
    assert contents(tmp_path) == {**SECOND, **mine, RECORD: published.to_json().encode()}
    assert not (tmp_path / "automata/selected").exists()  # it was left empty
    assert (tmp_path / "link").readlink() == Path("tables")


def test_a_file_that_is_the_same_is_not_written_again(tmp_path: Path) -> None:
    publish(tmp_path, FIRST)
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*")}
    publish(tmp_path, FIRST)
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*") if path.name != RECORD} == {
        path: inode for path, inode in before.items() if path.name != RECORD
    }


OTHERS: dict[str, Callable[[Path], object]] = {
    "a file": lambda folder: (folder / "tables").write_text("mine"),
    "a folder": lambda folder: (folder / "automata").mkdir(),
    "a hidden file": lambda folder: (folder / ".mine").write_text("mine"),
    "a link": lambda folder: (folder / "mine").symlink_to("nowhere"),
    "a record that is none": lambda folder: (folder / RECORD).write_text('{"name": "mine"}'),
    "a record that is no text": lambda folder: (folder / RECORD).write_bytes(b"\xff"),
    "a record that is a link": lambda folder: (folder / RECORD).symlink_to("nowhere"),
    "a record that is a folder": lambda folder: (folder / RECORD).mkdir(),
    "a record that lists what lies elsewhere": lambda folder: forged(folder, "../mine"),
    "a record that lists an absolute path": lambda folder: forged(folder, "/mine"),
    "a report that the record does not list": lambda folder: (
        publish(folder, {}),
        (folder / "report.html").write_text("mine"),
    ),
    "a link in the place of the report": lambda folder: (
        publish(folder, FIRST),
        link(folder / "report.html"),
    ),
}


def forged(folder: Path, name: str) -> None:
    (folder / RECORD).write_text(
        record(folder).to_json().replace('"files": []', f'"files": ["{name}"]')
    )


@pytest.mark.parametrize("put", OTHERS.values(), ids=OTHERS)
def test_a_folder_of_the_users_is_refused_and_stays_as_it_was(
    tmp_path: Path, put: Callable[[Path], object]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "mine").write_text("mine")
    put(folder)
    before = sorted(tmp_path.rglob("*")), contents(tmp_path)
    with pytest.raises(StoreError, match=r"give another --out"):
        check_out(folder)
    assert (sorted(tmp_path.rglob("*")), contents(tmp_path)) == before


IN_THE_WAY: dict[str, Callable[[Path], object]] = {
    "a file of that name": lambda folder: put_file(folder / "figures/d.svg"),
    "a file where a folder is needed": lambda folder: put_file(folder / "figures"),
    "a folder of that name": lambda folder: (folder / "figures/d.svg").mkdir(parents=True),
    "a link of that name": lambda folder: link(folder / "report.html"),
    "a link where a folder is needed": lambda folder: link(folder / "figures"),
    "a FIFO of that name": lambda folder: (
        put_file(folder / "figures/x"),
        os.mkfifo(folder / "figures/d.svg"),
    ),
}


def put_file(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")


def link(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(path.parent.parent)


@pytest.mark.parametrize("put", IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_what_no_run_has_listed_is_never_replaced(
    tmp_path: Path, put: Callable[[Path], object]
) -> None:
    folder = tmp_path / "folder"
    publish(folder, FIRST)
    put(folder)
    before = sorted(tmp_path.rglob("*")), contents(folder)
    with pytest.raises(StoreError, match="is not of a former run and would be replaced"):
        publish(folder, SECOND)
    assert (sorted(tmp_path.rglob("*")), contents(folder)) == before


def test_what_the_user_has_put_in_the_place_of_a_listed_file_stays(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    publish(folder, FIRST)
    (tmp_path / "a.csv").write_text("mine")
    (folder / "tables").rename(tmp_path / "tables")
    (folder / "tables").symlink_to(tmp_path / "tables")
    publish(folder, {"report.html": b"second"})
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {"a.csv", "b.csv"}
    assert (folder / "tables").is_symlink()


@pytest.mark.parametrize("steps", range(8))
def test_a_report_that_is_cut_off_anywhere_is_written_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    publish(tmp_path, FIRST)
    (tmp_path / "mine").write_text("mine")
    left = iter(range(steps))

    def cut(step: Callable[..., object]) -> Callable[..., object]:
        def stepping(*given: object) -> object:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return step(*given)

        return stepping

    with monkeypatch.context() as patch:
        for name in ("_write", "_remove"):
            patch.setattr(f"lisor_tasks.published.{name}", cut(getattr(published_module, name)))
        try:
            publish(tmp_path, SECOND)
        except KeyboardInterrupt:
            pass
        else:
            assert steps == 7  # the record, three files, two that go, and the record again
    check_out(tmp_path)
    published = publish(tmp_path, SECOND)
    assert contents(tmp_path) == {**SECOND, "mine": b"mine", RECORD: published.to_json().encode()}


def test_latest_is_a_link_that_follows_the_last_report(tmp_path: Path) -> None:
    for key in ("one", "two", "one"):
        point_latest(tmp_path / key)
        assert (tmp_path / "latest").readlink() == Path(key)
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]
    (tmp_path / "latest").unlink()
    (tmp_path / "latest").mkdir()
    with pytest.warns(StoreWarning, match="does not lead to the last report; remove it"):
        point_latest(tmp_path / "two")
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]


def test_a_record_read_back_has_the_key_that_it_had(tmp_path: Path) -> None:
    kept = record(tmp_path, k=[2, 6], rate=0.03, name="实验")
    assert parse(kept.to_json(), "tiny").key == kept.key
    assert record(tmp_path / "elsewhere", k=[2, 6], rate=0.03, name="实验").key == kept.key
    assert record(tmp_path, k=[2, 7], rate=0.03, name="实验").key != kept.key
