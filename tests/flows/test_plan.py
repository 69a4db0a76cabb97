"""Why a run would compute what it would compute."""

import copy
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import lisor_tasks.caching
from lisor.settings.experiment import Experiment
from lisor.settings.reading import override
from lisor_flows.pipeline import lisor_pipeline, plan_pipeline
from lisor_flows.plan import Plan
from lisor_tasks.manifest import Manifest
from lisor_tasks.reach import CodeBase

ROOT = Path(__file__).parent.parent.parent
STAGES = ("data", "train", "dump", "cluster", "extract", "evaluate", "explain", "report")


def plan(settings: dict[str, Any], *changes: str) -> Plan:
    return plan_pipeline(Experiment(**override(settings, changes)))


def fates(found: Plan) -> dict[str, set[str]]:
    """What becomes of the tasks of each stage."""
    return {stage: {task.fate for task in found.tasks if task.stage == stage} for stage in STAGES}


def reasons(found: Plan, fate: str = "run") -> set[str]:
    return {task.reason for task in found.tasks if task.fate == fate}


def files(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Replaces a text in a file of a copy of the code, which is then what keys are made of."""
    packages = {"lisor": ROOT / "lisor", "lisor_tasks": ROOT / "tasks/lisor_tasks"}
    for name, folder in packages.items():
        shutil.copytree(folder, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))

    def change(file: str, old: str, new: str, package: str = "lisor") -> None:
        path = tmp_path / package / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))
        monkeypatch.setattr(
            lisor_tasks.caching, "CODE", CodeBase({name: tmp_path / name for name in packages})
        )

    return change


def test_after_a_run_everything_is_cached(finished: Path, tiny: dict[str, Any]) -> None:
    found = plan(tiny)
    assert {task.fate for task in found.tasks} == {"cached"}
    assert (
        str(found).splitlines()[-1]
        == f"all {len(found.tasks)} tasks are in the cache: nothing would be computed"
    )


def test_before_the_first_run_everything_runs_and_nothing_is_written(
    no_home: Path, tiny: dict[str, Any]
) -> None:
    found = plan(tiny)
    assert {task.fate for task in found.tasks} == {"run"}
    assert reasons(found) == {"since the store has nothing like it"}
    assert not no_home.exists()


CHANGES = {
    "models.hidden_size=6": ("train", "since models.hidden_size 5 → 6"),
    "training.learning_rate=0.05": ("train", "since training.learning_rate 0.03 → 0.05"),
    "models.cells=[lstm]": ("train", "since cell gru → lstm"),
    "dataset.seed=1": ("data", "since settings.seed 0 → 1"),
    "clustering.seed=3": ("cluster", "since seed 0 → 3"),
    "clustering.k=[2,5]": ("cluster", "since ks 2–6 → 2–5"),
    "clustering.methods=[sensitivity]": ("cluster", "since method kmeans → sensitivity"),
    "extraction.rules=[dynamics]": ("extract", 'since rules ["majority"] → ["dynamics"]'),
    "name=other": ("report", "since title tiny → other"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_first_stage_that_a_setting_changes_says_so_and_later_ones_wait_for_it(
    finished: Path, tiny: dict[str, Any], change: str
) -> None:
    stage, reason = CHANGES[change]
    before = files(finished)
    found = plan(tiny, change)
    place = STAGES.index(stage)
    assert all(fates(found)[early] <= {"cached"} for early in STAGES[:place])
    assert {task.reason for task in found.tasks if task.stage == stage and task.fate == "run"} == {
        reason
    }
    for later in STAGES[place + 1 :]:
        waiting = [
            task.reason for task in found.tasks if (task.stage, task.fate) == (later, "wait")
        ]
        awaited = {name for reason in waiting for name in reason.removeprefix("for ").split(", ")}
        assert awaited <= {name for name, fate in fates(found).items() if "run" in fate}
    assert files(finished) == before


@pytest.mark.parametrize(
    "change", ["training.max_epochs=2", "extraction.unseen=stay", "training.device=cpu"]
)
def test_a_run_does_what_the_plan_said(finished: Path, tiny: dict[str, Any], change: str) -> None:
    planned = [task.fate for task in plan(tiny, change).tasks]
    ran = lisor_pipeline(override(tiny, [change]))["tasks"]
    assert ran["run"] + ran["from_cache"] == len(planned)
    assert planned.count("run") <= ran["run"]
    assert planned.count("cached") <= ran["from_cache"]
    assert {task.fate for task in plan(tiny, change).tasks} == {"cached"}
    assert {task.fate for task in plan(tiny).tasks} == {"cached"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import numpy as np", "# a comment\nimport numpy as np  # another"),
        ('"""Transitions between', '"""Steps between'),
        ("\n\n\n", "\n\n\n\n\n"),
        ("START = 0", "START = (\n    0\n)"),
    ],
    ids=["comment", "docstring", "blank lines", "line breaks"],
)
def test_comments_and_layout_never_cause_a_rerun(
    finished: Path, tiny: dict[str, Any], edit, old: str, new: str
) -> None:
    edit("extraction/transitions.py", old, new)
    assert {task.fate for task in plan(tiny).tasks} == {"cached"}


def test_the_definition_that_changed_is_named_at_every_step_that_reaches_it(
    finished: Path, tiny: dict[str, Any], edit
) -> None:
    edit("extraction/transitions.py", "START = 0", "START = 0 + 0")
    found = plan(tiny)
    assert reasons(found) == {"since changed code of lisor.extraction.transitions.START"}
    assert {stage for stage, fate in fates(found).items() if "run" in fate} == {"extract", "report"}
    assert reasons(found, "wait") == {"for extract"}


def test_code_that_only_later_steps_reach_reruns_only_those(
    finished: Path, tiny: dict[str, Any], edit
) -> None:
    edit(
        "report/report.py",
        "    automata_rows = results",
        "    more = 0\n    automata_rows = results",
    )
    (task,) = [task for task in plan(tiny).tasks if task.fate != "cached"]
    assert (task.title, task.reason) == (
        "report tiny",
        "since changed code of lisor.report.report.write",
    )


def test_the_bodies_of_tasks_count(finished: Path, tiny: dict[str, Any], edit) -> None:
    old = "model = read_network(network)\n    extractions"
    edit("extraction.py", old, f"more = 0\n    {old}", package="lisor_tasks")
    assert reasons(plan(tiny)) == {"since changed code of lisor_tasks.extraction.extract_automata"}


def test_another_version_of_a_library_is_named(
    finished: Path, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    version = lisor_tasks.caching.library_version
    monkeypatch.setattr(
        lisor_tasks.caching,
        "library_version",
        lambda name: "9" if name == "numba" else version(name),
    )
    found = plan(tiny)
    assert reasons(found) == {f"since numba {version('numba')} → 9"}
    assert fates(found)["data"] == {"run"}


def test_what_is_explained_waits_for_the_choice_and_the_report_for_both(
    home: Path, tiny: dict[str, Any]
) -> None:
    explained = {**tiny, "explain": {"enabled": True}}
    assert fates(plan(explained))["explain"] == {"run"}
    lisor_pipeline(explained)
    assert {task.fate for task in plan(explained).tasks} == {"cached"}
    told = [
        (task.title, task.reason)
        for task in plan(explained, "clustering.seed=3").tasks
        if task.fate == "wait"
    ]
    assert ("explain 000-gru-0", "for cluster") in told
    assert ("report tiny", "for cluster") in told
    found = plan(explained, "explain.seed=9")
    assert reasons(found) == {"since settings.seed 0 → 9"}
    assert [(task.title, task.reason) for task in found.tasks if task.fate == "wait"] == [
        ("report tiny", "for explain")
    ]


def test_other_texts_are_another_input(home: Path, tiny: dict[str, Any], tmp_path: Path) -> None:
    rows = {"text": ["a good film", "a bad film"] * 40, "label": ["pos", "neg"] * 40}
    settings = {
        **tiny,
        "datasets": [{"text": str(tmp_path / "texts.csv")}],
        "clustering": {"k": [2, 3]},
    }
    pd.DataFrame(rows).to_csv(tmp_path / "texts.csv", index=False)
    lisor_pipeline(settings)
    pd.DataFrame({**rows, "text": ["good", "bad"] * 40}).to_csv(tmp_path / "texts.csv", index=False)
    found = plan(settings)
    assert reasons(found) == {"since other source"}
    assert [task.title for task in found.tasks if task.fate == "run"] == [
        f"read {tmp_path / 'texts.csv'}"
    ]
    assert {task.reason for task in found.tasks if task.fate == "wait"} == {"for data"}


@pytest.mark.parametrize("kind", ["dataset", "hidden-states", "automata", "report"])
def test_a_damaged_artifact_is_called_that(finished: Path, tiny: dict[str, Any], kind: str) -> None:
    (artifact,) = (finished / "store" / kind).iterdir()
    next(
        file for file in artifact.iterdir() if file.name != "manifest.json" and file.is_file()
    ).write_text("no more")
    assert reasons(plan(tiny)) == {"since it is damaged or was deleted"}
    assert [task.fate for task in plan(tiny).tasks].count("run") == 1


def test_a_store_that_kept_no_provenance_is_as_good_but_says_less(
    finished: Path, tiny: dict[str, Any]
) -> None:
    for path in finished.glob("store/*/*/manifest.json"):
        manifest = Manifest.parse(path.read_bytes(), path.parent.parent.name, path.parent.name)
        path.write_text(replace(manifest, provenance=None).to_json())
    assert {task.fate for task in plan(tiny).tasks} == {"cached"}
    found = plan(tiny, "clustering.seed=3")
    assert reasons(found) == {
        "since what the store has was made by another version, which kept no such provenance"
    }
    assert reasons(found, "wait") == {"for cluster"}
    assert lisor_pipeline(tiny)["tasks"]["run"] == 0


def test_only_what_is_added_runs(finished: Path, tiny: dict[str, Any]) -> None:
    more = copy.deepcopy(tiny)
    more["models"]["cells"] = ["gru", "srn"]
    told = str(plan(more)).splitlines()
    assert told[1:4] == [
        "train: 1 of 2 cached",
        "  1 run since cell gru → srn",
        "      train 000-srn 0",
    ]
    assert told[-1].startswith(f"{len(plan(more).tasks)} tasks: ")


def test_a_plan_starts_no_server_and_writes_nothing(
    finished: Path, tiny: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    before = files(finished)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "lisor_flows.cli",
            "run",
            "tiny.yaml",
            "--plan",
            "--set",
            "clustering.seed=3",
        ],
        cwd=tmp_path,
        env={**own, "LISOR_HOME": str(finished), "PREFECT_HOME": str(tmp_path / "prefect")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{plan(tiny, 'clustering.seed=3')}\n"
    assert "cluster: 0 of 1 cached\n  1 run since seed 0 → 3\n" in done.stdout
    assert files(finished) == before
    assert not list(tmp_path.glob("prefect/*.db"))
