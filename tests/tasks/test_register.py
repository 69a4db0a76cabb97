"""The register of runs: NAME/KEY, and NAME for the newest."""

from pathlib import Path
from typing import Any

import pytest

from lisor.errors import StoreError
from lisor_tasks.artifacts import Ref
from lisor_tasks.register import (
    Artifacts,
    Record,
    find,
    forget,
    look_up,
    matching,
    register,
    registered,
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LISOR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def record(name: str = "tiny", content: str = "1", **settings: Any) -> Record:
    """A run with one result of that content."""
    results = Ref("results", "r", content)
    made = Artifacts(results=results, report=Ref("report", "p", "2"), networks=())
    return Record(name=name, out="", settings=settings, artifacts=made)


def test_a_run_with_other_settings_is_another_and_the_same_run_is_one(home: Path) -> None:
    first, second = record(k=2), record(k=3)
    for one in (first, second, first):
        register(one)
    assert registered() == [second.run, first.run]  # the newest last
    assert look_up("tiny") == look_up(first.run) == first
    assert look_up(second.run) == second
    assert matching("tiny") == [second.run, first.run]
    assert find("tiny") == first


def test_a_run_that_made_something_else_is_another(home: Path) -> None:
    assert record(content="1").key != record(content="2").key
    assert record(name="one").key == record(name="two").key


def test_a_record_whose_artifacts_were_computed_anew_goes(home: Path) -> None:
    old, new = record(content="1", k=2), record(content="2", k=2)
    for one in (old, record("other"), new):
        register(one)
    assert registered() == [record("other").run, new.run]


def test_a_damaged_record_beside_it_keeps_no_run_from_being_kept(home: Path) -> None:
    register(record(k=2))
    damaged = home / "runs" / f"{record(k=2).run}.json"
    damaged.write_text("{")
    register(record(k=3))
    assert look_up("tiny") == record(k=3)
    with pytest.raises(
        StoreError, match="run 'tiny' again, which computes nothing anew, or delete"
    ):
        look_up(record(k=2).run)


@pytest.mark.parametrize(
    "run", ["", "other", "tiny/", "tiny/0", "/", "../tiny", "tiny/../tiny", "t" * 5000]
)
def test_what_is_no_run_is_named_in_one_short_line(home: Path, run: str) -> None:
    register(record())
    with pytest.raises(StoreError, match=r"expected a run of .*/runs \(tiny\), got") as refused:
        look_up(run)
    assert len(str(refused.value)) <= 300


def test_a_forgotten_run_leaves_the_others_of_its_name(home: Path) -> None:
    register(record(k=2))
    register(record(k=3))
    forget([record(k=2).run])
    assert registered() == [record(k=3).run]
    forget([record(k=3).run])
    assert registered() == list((home / "runs").iterdir()) == []
