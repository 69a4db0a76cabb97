"""Runs pushed to a folder that fsspec reaches and pulled from it: a folder on disk, and fsspec's
memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest

from lisor.errors import StoreError
from lisor_tasks import mirror
from lisor_tasks.artifacts import Ref, Store
from lisor_tasks.evaluation import NetworkArtifacts
from lisor_tasks.manifest import MANIFEST, Manifest
from lisor_tasks.mirror import Carried, pull, push
from lisor_tasks.register import Artifacts, Record, look_up, register, registered


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield f"{request.param}://{tmp_path}/mirror"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Store]:
    """Go to the machine of that name: its store."""

    def go(machine: str) -> Store:
        monkeypatch.setenv("LISOR_HOME", str(tmp_path / machine))
        return Store(tmp_path / machine)

    return go


def build(store: Store, kind: str, *keys: str, text: str = "") -> list[Ref]:
    def write(folders: list[Path]) -> None:
        for folder in folders:
            (folder / "inside").mkdir()
            (folder / "inside" / "a file").write_text(f"{kind} {folder.name} {text}")
            (folder / "table").write_bytes(bytes(range(256)))

    return store.build(kind, keys, write)


def record(store: Store, name: str = "tiny", **settings: Any) -> Record:
    """A run of two artifacts and one trial of a block of two."""
    model, _ = build(store, "model", "abc-1", "abc-2")
    (results,), (report,) = build(store, "results", "r" + name), build(store, "report", "p" + name)
    blocks: Any = {"clusterings": (), "extracted": ()}
    network = NetworkArtifacts(
        dataset="000",
        name="000",
        cell="gru",
        made_by="gru",
        trial=1,
        data=results,
        model=model,
        states=model,
        **blocks,
    )
    found = Record(
        name=name,
        out=str(store.home / "reports" / name),
        settings={"name": name, **settings},
        artifacts=Artifacts(results=results, report=report, networks=(network,)),
    )
    register(found)
    return found


def contents(store: Store) -> dict[str, bytes]:
    """Every file of the store's artifacts."""
    return {
        str(path.relative_to(store.home)): path.read_bytes()
        for path in sorted((store.home / "store").rglob("*"))
        if path.is_file()
    }


def told(carry: Callable[..., None], url: str, *runs: str) -> list[Carried]:
    found: list[Carried] = []
    carry(url, runs, found.append)
    return found


def test_what_is_pulled_is_what_was_pushed(at: Callable[[str], Store], url: str) -> None:
    here = at("here")
    pushed = [record(here, "one"), record(here, "two")]
    one, two = (found.run for found in pushed)
    build(here, "model", "abandoned")
    assert told(push, url) == [
        Carried(run=one, carried=4, present=0),
        Carried(run=two, carried=2, present=2),
    ]
    there = at("there")
    assert [carried.carried for carried in told(pull, url)] == [4, 2]
    assert contents(there) == {
        name: file for name, file in contents(here).items() if "abandoned" not in name
    }
    assert [look_up(run).artifacts for run in registered()] == [run.artifacts for run in pushed]
    assert Path(look_up("one").out) == there.home / "reports" / pushed[0].run
    assert not list((there.home / "scratch").iterdir())


def test_what_is_there_is_not_carried_again(at: Callable[[str], Store], url: str) -> None:
    there = Carried(run=record(at("here")).run, carried=0, present=4)
    told(push, url)
    assert told(push, url) == [there]
    at("there")
    told(pull, url)
    assert told(pull, url) == [there]


def test_only_the_runs_that_are_named_go(at: Callable[[str], Store], url: str) -> None:
    here = at("here")
    _, two = record(here, "one"), record(here, "two")
    told(push, url, "two")
    at("there")
    told(pull, url)
    assert registered() == [two.run]
    with pytest.raises(StoreError, match="expected a run of"):
        told(pull, url, "one")


def test_runs_of_one_name_go_together_and_the_newest_by_its_name(
    at: Callable[[str], Store], url: str
) -> None:
    here = at("here")
    runs = [record(here, threads=threads).run for threads in range(5)]
    assert len({*runs}) == 5
    for run in (*runs, runs[2]):
        told(push, url, run)
    there = at("there")
    told(pull, url, "tiny")
    assert registered() == [runs[2]]
    told(pull, url)
    assert (set(registered()), registered()[-1]) == ({*runs}, runs[2])
    assert contents(there) == contents(here)
    with pytest.raises(StoreError, match="got 'tiny/other'"):
        told(pull, url, "tiny/other")
    with pytest.raises(StoreError, match="got 'tiny/other'"):
        told(push, url, "tiny/other")


class CutOff(BaseException):
    """The power fails."""


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], list[str]]:
    """Fail at the step of that number, half of its file written; says which steps were begun."""
    original = {
        name: getattr(mirror._Folder, name) for name in ("send", "fetch", "write", "remove")
    }

    def after(number: int | None) -> list[str]:
        begun: list[str] = []
        for name, step in original.items():

            def failing(
                self: Any, *given: Any, name: str = name, step: Callable[..., Any] = step
            ) -> Any:
                if len(begun) == number:
                    if name == "fetch":
                        given[1].write_bytes(b"half")
                    elif name != "remove":
                        place = given[1] if name == "send" else given[0]
                        original["write"](self, place, b"half")
                    raise CutOff
                begun.append(name)
                return step(self, *given)

            monkeypatch.setattr(mirror._Folder, name, failing)
        return begun

    return after


@pytest.mark.parametrize("carry", [push, pull])
@pytest.mark.parametrize("nowhere", ["", " "])
def test_a_place_without_a_name_is_refused(
    at: Callable[[str], Store], carry: Callable[..., None], nowhere: str
) -> None:
    record(at("here"))
    with pytest.raises(StoreError, match="got an empty one"):
        told(carry, nowhere)


def test_nothing_to_carry_is_no_success(at: Callable[[str], Store], url: str) -> None:
    at("here")
    with pytest.raises(StoreError, match="to push, found none"):
        told(push, url)
    with pytest.raises(StoreError, match=f"expected runs in {url}, found none"):
        told(pull, url)


def test_a_push_that_is_cut_off_anywhere_shows_no_run_and_goes_on(
    at: Callable[[str], Store], url: str, cut: Callable[[int | None], list[str]]
) -> None:
    here = at("here")
    record(here)
    cut(None)
    for number in range(13):  # two files and a manifest of each of four artifacts, and the record
        here = at("here")
        cut(number)
        target = f"{url}-{number}"
        with pytest.raises(CutOff):
            told(push, target)
        cut(None)
        there = at(f"there-{number}")
        with pytest.raises(
            StoreError, match="damaged" if number == 12 else "found none"
        ):  # last comes the record
            told(pull, target)
        assert (registered(), contents(there)) == ([], {})
        at("here")
        (carried,) = told(push, target)
        assert carried.present == number // 3
        at(f"there-{number}")
        told(pull, target)
        assert contents(there) == contents(here)


def test_a_pull_that_is_cut_off_anywhere_leaves_whole_artifacts_and_goes_on(
    at: Callable[[str], Store], url: str, cut: Callable[[int | None], list[str]]
) -> None:
    here = at("here")
    record(here)
    told(push, url)
    for number in range(8):  # two files of each of four artifacts
        there = at(f"there-{number}")
        cut(number)
        with pytest.raises(CutOff):
            told(pull, url)
        assert registered() == []
        assert all(there.find(kind, [key]) is not None for kind, key in there.entries())
        cut(None)
        (carried,) = told(pull, url)
        assert carried.present == number // 2
        assert contents(there) == contents(here)


@pytest.mark.parametrize("part", ["a file", "table", MANIFEST])
def test_nothing_enters_the_store_that_was_altered(
    at: Callable[[str], Store], tmp_path: Path, part: str
) -> None:
    here, url = at("here"), f"file://{tmp_path}/mirror"
    record(here)
    told(push, url)
    (file,) = (tmp_path / "mirror/store/results").rglob(part)
    file.write_bytes(file.read_bytes().replace(b"e", b"f").replace(b"\x01", b"\x02"))
    there = at("there")
    with pytest.raises(StoreError, match="results/rtiny"):
        told(pull, url)
    assert (registered(), there.find("results", ["rtiny"])) == ([], None)


@pytest.mark.parametrize(
    "name", ["../../../out", "/tmp/out", "..", "inside/../../out", "inside\\..\\out", "", "a//b"]
)
def test_no_file_is_written_outside_its_artifact(
    at: Callable[[str], Store], tmp_path: Path, name: str
) -> None:
    here, url = at("here"), f"file://{tmp_path}/mirror"
    record(here)
    told(push, url)
    manifest = tmp_path / "mirror/store/results/rtiny" / MANIFEST
    said = json.loads(manifest.read_text())
    said["files"][name] = said["files"].pop("table")
    said["sha256"] = hashlib.sha256(json.dumps(said["files"], sort_keys=True).encode()).hexdigest()
    manifest.write_text(json.dumps(said))
    (kept,) = (tmp_path / "mirror/runs/tiny").glob("*.json")
    kept.write_text(
        kept.read_text().replace(look_up("tiny").artifacts.results.sha256, said["sha256"])
    )
    at("there")
    with pytest.raises(StoreError, match="outside its folder"):
        told(pull, url)
    assert not list(tmp_path.rglob("out"))


@pytest.mark.parametrize("key", ["../../elsewhere", "..", "a/b"])
def test_no_record_leads_out_of_the_store(
    at: Callable[[str], Store], tmp_path: Path, key: str
) -> None:
    here, url = at("here"), f"file://{tmp_path}/mirror"
    record(here)
    told(push, url)
    (kept,) = (tmp_path / "mirror/runs/tiny").glob("*.json")
    kept.write_text(kept.read_text().replace('"rtiny"', json.dumps(key)))
    at("there")
    with pytest.raises(StoreError, match="names the artifact"):
        told(pull, url)


def test_a_store_with_other_results_of_the_same_key_keeps_them(
    at: Callable[[str], Store], url: str
) -> None:
    record(at("here"))
    told(push, url)
    there = at("there")
    build(there, "results", "rtiny", text="made here")
    before = contents(there)["store/results/rtiny/inside/a file"]
    with pytest.raises(StoreError, match="another content"):
        told(pull, url)
    assert (registered(), contents(there)["store/results/rtiny/inside/a file"]) == ([], before)


def test_a_new_result_takes_the_place_of_the_old(at: Callable[[str], Store], url: str) -> None:
    here = at("here")
    record(here)
    told(push, url)
    here.remove("results", "rtiny")
    build(here, "results", "rtiny", text="computed anew")
    record(here)
    told(push, url)
    there = at("there")
    told(pull, url)
    assert contents(there) == contents(here)


def test_a_damaged_artifact_is_not_pushed(at: Callable[[str], Store], url: str) -> None:
    here = at("here")
    record(here)
    (here.folder("model", "abc-2") / "table").write_bytes(b"damaged")
    with pytest.raises(StoreError, match="model/abc-2 is damaged"):
        told(push, url)


@pytest.mark.parametrize("url", ["nowhere://bucket", "s3://bucket/lisor", "file:///dev/null/lisor"])
@pytest.mark.parametrize("carry", [push, pull])
def test_a_place_that_cannot_be_reached_is_an_error_of_one_line(
    at: Callable[[str], Store], carry: Callable[..., None], url: str
) -> None:
    record(at("here"))
    with pytest.raises(StoreError):
        told(carry, url, "tiny")


def test_two_stores_that_made_the_same_run_carry_nothing(
    at: Callable[[str], Store], url: str
) -> None:
    record(at("one"))
    assert told(push, url)[0].carried == 4
    other = at("two")
    record(other)
    for kind, key in other.entries():  # made in another time
        path = other.folder(kind, key) / MANIFEST
        made = Manifest.parse(path.read_bytes(), kind, key)
        assert made is not None
        path.write_text(replace(made, seconds=made.seconds + 1).to_json())
    assert [one.carried for one in (*told(push, url), *told(pull, url))] == [0, 0]
