"""The store looked after from the command line."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lisor_flows.pipeline import lisor_pipeline
from lisor_tasks.artifacts import Store
from tests.flows.test_cli import command_line, config

__all__ = ["command_line", "config"]

Lisor = Callable[..., tuple[int, str, str]]


def entries(home: Path) -> set[tuple[str, str]]:
    return set(Store(home).entries())


def run_of(home: Path) -> str:
    """The only run of `tiny`."""
    (record,) = (home / "runs/tiny").iterdir()
    return f"tiny/{record.stem}"


def add_something(home: Path) -> tuple[str, str]:
    """An artifact that belongs to no run."""
    (ref,) = Store(home).build(
        "model", ["abandoned"], lambda folders: (folders[0] / "file").write_text("words")
    )
    return ref.kind, ref.key


def test_ls_says_what_each_run_holds(finished: Path, command_line: Lisor) -> None:
    count = len(entries(finished))
    add_something(finished)
    status, out, _ = command_line("store", "ls")
    tiny, nobody, everything = out.splitlines()
    assert status == 0
    assert re.match(rf"tiny/[0-9a-f]{{12}}: {count} artifacts, ", tiny)
    assert nobody.startswith("no run: 1 artifacts, 0.0 MB")
    assert everything.startswith(f"all: {count + 1} artifacts, ")


def test_an_empty_store_holds_nothing(home: Path, command_line: Lisor) -> None:
    assert command_line("store", "ls")[:2] == (
        0,
        "no run: 0 artifacts, 0.0 MB\nall: 0 artifacts, 0.0 MB\n",
    )
    assert command_line("store", "verify")[0] == 0
    assert command_line("store", "gc", "--delete")[0] == 0


def test_verify_finds_the_artifact_with_a_byte_that_changed(
    finished: Path, command_line: Lisor
) -> None:
    assert command_line("store", "verify")[0] == 0
    (file,) = finished.glob("store/clusterings/*/*.parquet")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    status, out, err = command_line("store", "verify")
    assert status == 2
    assert out == f"clusterings/{file.parent.name} is damaged; it is there for {run_of(finished)}\n"
    assert err.startswith(f"lisor: 1 of {len(entries(finished))} artifacts are damaged")


def test_gc_deletes_what_no_run_needs_when_it_is_told_to_and_not_before(
    finished: Path, command_line: Lisor, tiny: dict[str, Any]
) -> None:
    kept, abandoned = entries(finished), add_something(finished)
    assert "0 artifacts" in command_line("store", "gc")[1]  # it is too new
    status, out, _ = command_line("store", "gc", "--older-than", "0")
    assert (status, out.splitlines()[0]) == (0, "model: 1, 0.0 MB")
    assert entries(finished) == kept | {abandoned}
    (finished / "scratch/model-half").mkdir(parents=True)
    assert command_line("store", "gc", "--older-than", "0", "--delete")[0] == 0
    assert entries(finished) == kept
    assert not (finished / "scratch").exists()
    assert lisor_pipeline(tiny)["tasks"]["run"] == 0


def test_a_run_with_spare_trials_of_a_block_loses_none_of_them(
    home: Path, command_line: Lisor, tiny: dict[str, Any]
) -> None:
    settings = {**tiny, "training": {**tiny["training"], "trials": 2}}
    lisor_pipeline(settings)
    before = entries(home)
    assert command_line("store", "gc", "--older-than", "0", "--delete")[0] == 0
    assert entries(home) == before
    assert lisor_pipeline(settings)["tasks"]["run"] == 0


def test_a_forgotten_run_leaves_what_others_need(
    finished: Path, command_line: Lisor, tiny: dict[str, Any]
) -> None:
    before = entries(finished)
    lisor_pipeline({**tiny, "name": "other", "clustering": {"k": [2, 5]}})
    both = entries(finished)
    assert command_line("store", "gc", "--forget", "other", "--older-than", "0")[0] == 0
    assert entries(finished) == both
    assert command_line("store", "gc", "--forget", "other", "--older-than", "0", "--delete")[0] == 0
    assert entries(finished) == before < both
    assert [path.name for path in (finished / "runs").iterdir()] == ["tiny"]
    assert command_line("store", "gc", "--forget", "tiny", "--older-than", "0", "--delete")[0] == 0
    assert not entries(finished)
    assert lisor_pipeline(tiny)["tasks"]["run"] > 0


def test_a_damaged_record_can_be_forgotten(finished: Path, command_line: Lisor) -> None:
    run = run_of(finished)
    (finished / "runs" / f"{run}.json").write_text("{")
    assert command_line("store", "gc", "--delete")[0] == 2
    assert command_line("store", "gc", "--forget", run, "--delete")[0] == 0
    assert not (finished / "runs/tiny").exists()
    assert entries(finished)  # they are too new


def test_nothing_is_deleted_while_a_run_uses_the_store(finished: Path, command_line: Lisor) -> None:
    abandoned = add_something(finished)
    with Store(finished).in_use(), Store(finished).in_use():  # two runs
        assert command_line("store", "gc", "--older-than", "0")[0] == 0
        status, _, err = command_line("store", "gc", "--older-than", "0", "--delete")
    assert (status, abandoned in entries(finished)) == (2, True)
    assert err == f"lisor: a run is using the store {finished}; wait until it has ended\n"


def test_corpora_stay_whoever_read_them(finished: Path, command_line: Lisor) -> None:
    Store(finished).build(
        "corpus", ["texts"], lambda folders: (folders[0] / "file").write_text("words")
    )
    shutil.rmtree(finished / "runs")
    assert command_line("store", "gc", "--older-than", "0", "--delete")[0] == 0
    assert entries(finished) == {("corpus", "texts")}


def test_a_run_that_is_not_there_cannot_be_forgotten(finished: Path, command_line: Lisor) -> None:
    status, _, err = command_line("store", "gc", "--forget", "other", "--delete")
    assert (status, len(err.splitlines())) == (2, 1)
    assert entries(finished)
