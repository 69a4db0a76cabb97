import copy
import fcntl
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from httpx import ConnectError
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State, StateType

import lisor_tasks.caching
import lisor_tasks.database
import lisor_tasks.tracking
from lisor.automata.automaton import Automaton
from lisor.automata.languages import LANGUAGES
from lisor.automata.weighted import WeightedAutomaton
from lisor.errors import ConfigError
from lisor.evaluation.evaluation import COLUMNS
from lisor.settings.language import LanguageSettings
from lisor_flows import pipeline
from lisor_flows.pipeline import lisor_pipeline
from lisor_tasks.artifacts import open_store
from lisor_tasks.caching import HERE
from lisor_tasks.data import make_dataset
from lisor_tasks.reach import CodeBase

ROOT = Path(__file__).parent.parent.parent


def results(home: Path, name: str = "tiny") -> pd.DataFrame:
    """The results of a run, times aside."""
    return pd.read_parquet(home / "reports" / name / "latest/results.parquet").drop(
        columns="seconds"
    )


def mlflow_runs(home: Path) -> list[Any]:
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    return list(
        client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    )


def built(home: Path) -> dict[Path, int]:
    """Every artifact with the time it entered the store."""
    return {
        path.parent: path.stat().st_mtime_ns for path in (home / "store").rglob("manifest.json")
    }


def kinds_built_since(home: Path, before: dict[Path, int]) -> set[str]:
    return {path.parent.name for path, time in built(home).items() if before.get(path) != time}


def test_a_run_leaves_what_its_readers_rely_on(home: Path, tiny: dict[str, Any]) -> None:
    summary = lisor_pipeline(tiny)
    out = home / "reports/tiny/latest"
    published = pq.read_table(out / "results.parquet")
    assert published.drop_columns("seconds").schema.equals(COLUMNS, check_metadata=True)
    assert (published["seconds"].to_numpy() > 0).all()
    table = results(home)
    assert set(table["k"]) == {2, 3, 4, 5, 6}
    drawn = {f"{reach}-{kind}" for reach in ("short", "long") for kind in ("random", "near-miss")}
    assert set(table["test_set"]) == {"validation", "test"} | drawn
    assert set(table.groupby("test_set")["selected"].sum()) == {1}
    (chosen,) = table[table["chosen"] & (table["test_set"] == "test")].itertuples()
    for ending in ("json", "svg", "dot"):
        assert (out / f"automata/000-gru-0-kmeans-majority-k{chosen.k}.{ending}").exists()
    automaton = Automaton.from_json((out / "automata/selected/000-gru-0.json").read_text())
    assert automaton.n_states == chosen.n_states
    assert json.loads((out / "summary.json").read_text())["tasks"] == summary["tasks"]
    record = json.loads((out / "run.json").read_text())
    assert record["settings"] == tiny
    assert json.loads(next((home / "runs/tiny").iterdir()).read_text()) == record
    page = (out / "report.html").read_text()
    pictures, tables = list((out / "figures").glob("*.svg")), list((out / "tables").glob("*.csv"))
    assert page.count("<svg") == len(pictures) == 7
    assert page.count("<table>") == len(tables)
    assert "http" not in page.replace("http://www.w3.org", "")


def test_the_same_run_again_computes_nothing_and_adds_nothing_to_mlflow(
    finished: Path, tiny: dict[str, Any]
) -> None:
    before, table, runs = built(finished), results(finished), len(mlflow_runs(finished))
    summary = lisor_pipeline(tiny)
    assert summary["tasks"]["run"] == 0
    assert built(finished) == before
    pd.testing.assert_frame_equal(results(finished), table)
    assert len(mlflow_runs(finished)) == runs == 2


def test_mlflow_shows_a_parent_and_a_child_for_each_network(
    home: Path, tiny: dict[str, Any]
) -> None:
    lisor_pipeline({**tiny, "models": {"cells": ["srn", "gru"], "hidden_size": 5}})
    runs = {run.info.run_name: run for run in mlflow_runs(home)}
    assert set(runs) == {"tiny", "000-srn-0", "000-gru-0"}
    parent, child = runs["tiny"], runs["000-gru-0"]
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.params["network.hidden_size"] == "5"
    assert child.inputs.dataset_inputs[0].dataset.name == "000"
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    curve = client.get_metric_history(child.info.run_id, "test/kmeans.majority.fidelity")
    assert [point.step for point in curve] == [2, 3, 4, 5, 6]
    assert len(client.get_metric_history(child.info.run_id, "validation_loss")) == 3
    assert "report.html" in {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert {"selected/000-gru-0.svg"} <= {
        f.path for f in client.list_artifacts(child.info.run_id, "selected")
    }


def test_a_deleted_tracking_database_is_filled_anew_without_computing(
    finished: Path, tiny: dict[str, Any]
) -> None:
    before = built(finished)
    (finished / "mlflow.db").unlink()
    shutil.rmtree(finished / "mlflow-artifacts")
    assert lisor_pipeline(tiny)["tasks"]["run"] == 0
    assert len(mlflow_runs(finished)) == 2
    assert built(finished) == before


def test_a_tracking_database_is_made_by_one_run_at_a_time(
    finished: Path, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []

    def client(uri: str) -> MlflowClient:
        with (finished / "locks/mlflow.lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held.append(False)
            except BlockingIOError:
                held.append(True)
        return MlflowClient(uri)

    (finished / "mlflow.db").unlink()
    monkeypatch.setattr(lisor_tasks.database, "MlflowClient", client)
    lisor_pipeline(tiny)
    assert set(held) == {True}


def test_a_run_that_the_store_knows_to_be_shown_is_answered_without_mlflow(
    finished: Path, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = lisor_pipeline(tiny)["mlflow"]  # the store is a copy: its database has new paths first
    monkeypatch.setattr(lisor_tasks.tracking, "log_run", None)
    assert lisor_pipeline(tiny)["mlflow"] == shown
    assert set(shown) == {"experiment", "run"}


def test_a_run_that_was_deleted_in_mlflow_is_logged_anew(
    finished: Path, tiny: dict[str, Any]
) -> None:
    former = lisor_pipeline(tiny)["mlflow"]["run"]
    MlflowClient(f"sqlite:///{finished / 'mlflow.db'}").delete_run(former)
    summary = lisor_pipeline(tiny)
    assert summary["tasks"]["run"] == 0
    assert summary["mlflow"]["run"] != former
    shown = [run.info.run_id for run in mlflow_runs(finished) if run.info.run_name == "tiny"]
    assert shown == [summary["mlflow"]["run"]]


def test_a_run_that_mlflow_knows_as_unfinished_is_logged_anew(
    finished: Path, tiny: dict[str, Any]
) -> None:
    (parent,) = [run for run in mlflow_runs(finished) if run.info.run_name == "tiny"]
    MlflowClient(f"sqlite:///{finished / 'mlflow.db'}").set_terminated(parent.info.run_id, "FAILED")
    lisor_pipeline(tiny)
    assert sorted(run.info.status for run in mlflow_runs(finished)) == ["FINISHED", "FINISHED"]


@pytest.mark.parametrize(
    "kind", ["dataset", "model", "hidden-states", "clusterings", "automata", "results", "report"]
)
@pytest.mark.parametrize("how", ["truncated", "deleted"])
def test_a_damaged_artifact_is_computed_anew_and_nothing_else(
    finished: Path, tiny: dict[str, Any], kind: str, how: str
) -> None:
    before, table = built(finished), results(finished)
    (artifact,) = (finished / "store" / kind).iterdir()
    if how == "deleted":
        shutil.rmtree(artifact)
    else:
        largest = max(
            (file for file in artifact.rglob("*") if file.is_file()),
            key=lambda file: file.stat().st_size,
        )
        largest.write_bytes(largest.read_bytes()[: largest.stat().st_size // 2])
    summary = lisor_pipeline(tiny)
    assert kinds_built_since(finished, before) == {kind}
    assert summary["tasks"]["run"] == 1
    pd.testing.assert_frame_equal(results(finished), table)


def test_the_store_alone_says_what_is_cached(
    finished: Path, tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not (finished / "results").exists()
    moved = tmp_path / "elsewhere"
    shutil.copytree(finished, moved, symlinks=True)
    shutil.rmtree(finished)
    monkeypatch.setenv("LISOR_HOME", str(moved))
    assert lisor_pipeline(tiny)["tasks"]["run"] == 0


def test_a_flow_takes_the_name_of_a_file_of_settings(
    finished: Path, tiny: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    summary = lisor_pipeline(str(tmp_path / "tiny.yaml"))
    assert (summary["name"], summary["tasks"]["run"]) == ("tiny", 0)


def test_a_flow_refuses_wrong_settings_in_one_line(home: Path, tiny: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^dataset\.window is for series, not for language"):
        lisor_pipeline({**tiny, "datasets": [{"language": "000", "window": 7}]})


def test_prefect_shows_a_task_that_the_store_has_as_cached(finished: Path) -> None:
    words = LanguageSettings(
        language="000", train=200, validation=60, test=40, selection=40, max_length=8
    )

    def arguments(settings: LanguageSettings) -> tuple[str, LanguageSettings, dict[str, Any], None]:
        return "language", settings, {}, None

    @flow
    def ask() -> list[State[Any]]:
        submitted = make_dataset.submit(*arguments(words), execution=HERE)
        submitted.wait()
        return [submitted.state, make_dataset(*arguments(words.replace(seed=1)), return_state=True)]

    found, made = ask()
    assert [(state.type, state.name) for state in (found, made)] == [
        (StateType.COMPLETED, "Cached"),
        (StateType.COMPLETED, "Completed"),
    ]
    assert open_store().open(found.result(raise_on_failure=True)) == open_store().folder(
        "dataset", found.result().key
    )


def test_two_empty_stores_give_equal_results(
    finished: Path, tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LISOR_HOME", str(tmp_path / "other"))
    lisor_pipeline(tiny)
    pd.testing.assert_frame_equal(results(finished), results(tmp_path / "other"))
    digests = [
        {
            json.loads(path.read_text())["sha256"]
            for path in (place / "store/model").rglob("manifest.json")
        }
        for place in (finished, tmp_path / "other")
    ]
    assert digests[0] == digests[1]


def test_more_trials_leave_the_first_unchanged_and_train_only_the_new(
    home: Path, tiny: dict[str, Any]
) -> None:
    tiny["training"]["trials"] = 1
    lisor_pipeline(tiny)
    first, before = results(home), built(home)
    more = copy.deepcopy(tiny)
    more["training"]["trials"] = 5
    summary = lisor_pipeline(more)
    assert summary["tasks"]["trained"] == 1
    assert {path for path in before if path.parent.name == "model"} <= set(built(home))
    pd.testing.assert_frame_equal(
        results(home)[lambda rows: rows["trial"] < 1].reset_index(drop=True), first
    )


def test_a_wider_grid_computes_only_the_new_block(home: Path, tiny: dict[str, Any]) -> None:
    tiny["clustering"]["k"] = [2, 32]
    lisor_pipeline(tiny)
    first = results(home).drop(columns=["chosen", "selected"])
    tiny["clustering"]["k"] = [2, 34]
    summary = lisor_pipeline(tiny)
    assert (
        summary["tasks"]["run"] == 5
    )  # one block clustered, read off and evaluated; results and report
    wider = results(home).drop(columns=["chosen", "selected"])
    pd.testing.assert_frame_equal(wider[wider["k"] <= 32].reset_index(drop=True), first)


def test_both_methods_of_the_paper_compete_for_the_selected_automaton(
    home: Path, tiny: dict[str, Any]
) -> None:
    tiny["clustering"] |= {"methods": ["kmeans", "kmeans-x"], "position_weight": 0.05}
    lisor_pipeline(tiny)
    table = results(home)[lambda rows: rows["test_set"] == "test"]
    assert table.groupby("method")["chosen"].sum().to_dict() == {"kmeans": 1, "kmeans-x": 1}
    assert table["selected"].sum() == 1
    before = built(home)
    tiny["clustering"]["position_weight"] = 0.5
    lisor_pipeline(tiny)
    assert (
        len(
            [
                path
                for path in built(home)
                if path not in before and path.parent.name == "clusterings"
            ]
        )
        == 1
    )


def test_every_method_and_rule_competes_and_a_deterministic_automaton_is_selected(
    home: Path, tiny: dict[str, Any]
) -> None:
    methods, rules = (
        ["kmeans", "decision-aware", "sensitivity"],
        ["majority", "dynamics", "dithered", "weighted"],
    )
    searches = ["refined", "distilled"]
    tiny["clustering"] |= {"methods": methods, "k": [2, 4], "decision_weight": 0.5}
    tiny["extraction"] = {"rules": [*rules, *searches], "most_states": 6}
    lisor_pipeline(tiny)
    table = results(home)[lambda rows: rows["test_set"] == "test"]
    grids = {(method, rule): (2, 3, 4) for method in methods for rule in rules}
    grids |= {(method, rule): (2, 4) for method in methods for rule in searches}
    assert table.groupby(["method", "rule"])["k"].apply(tuple).to_dict() == grids
    assert (table.loc[table["rule"] == "refined", "n_states"] <= 6).all()
    searched = pd.read_csv(home / "reports/tiny/latest/tables/000-refined.csv")
    assert list(searched["method"]) == methods
    assert (searched["last difference"] <= searched["words"]).all()
    assert (table.groupby(["method", "rule"])["chosen"].sum() == 1).all()
    (selected,) = table[table["selected"]].itertuples()
    assert selected.rule != "weighted"
    folder = home / "reports/tiny/latest/automata"
    automaton = Automaton.from_json((folder / "selected/000-gru-0.json").read_text())
    assert automaton.n_states == selected.n_states
    weighted = table[table["chosen"] & (table["rule"] == "weighted")]
    files = {f"000-gru-0-{row.method}-weighted-k{row.k}.npz": row for row in weighted.itertuples()}
    assert {path.name for path in folder.glob("*.npz")} == set(files)
    for name, row in files.items():
        assert WeightedAutomaton.read(folder / name).n_states == row.n_states == row.k + 1


@pytest.mark.slow
def test_only_attention_that_feeds_back_is_read_by_majority_alone(
    home: Path, tiny: dict[str, Any]
) -> None:
    tiny["models"] = {
        "cells": ["gru", "sru", "attention-lstm", "attention-recurrent"],
        "hidden_size": 5,
    }
    tiny["clustering"] |= {"methods": ["kmeans", "sensitivity"], "k": [2, 4]}
    tiny["extraction"] = {"rules": ["majority", "dynamics", "refined"]}
    lisor_pipeline(tiny)
    table = results(home)[lambda rows: rows["test_set"] == "test"]
    variants = {
        cell: set(zip(rows["method"], rows["rule"], strict=True))
        for cell, rows in table.groupby("cell")
    }
    every = {
        (method, rule)
        for method in ("kmeans", "sensitivity")
        for rule in ("majority", "dynamics", "refined")
    }
    assert variants == {
        "gru": every,
        "sru": every,
        "attention-lstm": every,
        "attention-recurrent": {("kmeans", "majority")},
    }
    assert table.groupby("cell")["selected"].sum().to_dict() == dict.fromkeys(variants, 1)
    assert (
        "attention-recurrent, k = "
        in (home / "reports/tiny/latest/figures/000-hidden-states.svg").read_text()
    )


@pytest.mark.parametrize(
    ("old", "new", "reruns"),
    [
        ("import numpy as np", "# a comment\nimport numpy as np", set()),
        ('"""Transitions between', '"""Steps between', set()),
        (
            "START = 0",
            "START = 0 + 0",
            {"automata"},
        ),  # the automata are the same: what follows sees equal inputs
    ],
    ids=["comment", "docstring", "changed line"],
)
def test_only_code_that_runs_decides_what_is_computed_again(
    finished: Path,
    tiny: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
    reruns: set[str],
) -> None:
    before = built(finished)
    shutil.copytree(
        ROOT / "lisor", tmp_path / "lisor", ignore=shutil.ignore_patterns("__pycache__")
    )
    path = tmp_path / "lisor/extraction/transitions.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    edited = CodeBase({"lisor": tmp_path / "lisor", "lisor_tasks": ROOT / "tasks/lisor_tasks"})
    monkeypatch.setattr(lisor_tasks.caching, "CODE", edited)
    summary = lisor_pipeline(tiny)
    follows = {"report"} if reruns else set()  # it reaches that code too
    assert kinds_built_since(finished, before) - {"results"} == reruns | follows
    assert summary["tasks"]["trained"] == 0


def test_a_renamed_file_of_texts_trains_nothing_anew(
    home: Path, tiny: dict[str, Any], tmp_path: Path
) -> None:
    rows = {"text": ["a good film", "a bad film"] * 40, "label": ["pos", "neg"] * 40}
    pd.DataFrame(rows).to_csv(tmp_path / "one.csv", index=False)
    tiny["datasets"] = [{"text": str(tmp_path / "one.csv")}]
    tiny["clustering"]["k"] = [2, 4]
    lisor_pipeline(tiny)
    before = built(home)
    (tmp_path / "one.csv").rename(tmp_path / "two.csv")
    tiny["datasets"] = [{"text": str(tmp_path / "two.csv")}]
    lisor_pipeline(tiny)
    assert kinds_built_since(home, before) == {"results", "report"}
    assert set(results(home)["dataset"]) == {"two"}


def test_languages_of_an_expression_and_of_a_file_are_learned_under_their_names(
    home: Path, tiny: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "my words.json"
    file.write_text(LANGUAGES["tomita-1"].automaton.to_json())
    sizes = {key: value for key, value in tiny["datasets"][0].items() if key != "language"}
    expression = {**sizes, "language": "regex:(a|b)*<b>", "alphabet": "ab<>"}
    tiny["datasets"] = [expression, {**sizes, "language": f"automaton:{file}"}]
    tiny["clustering"]["k"] = [2, 4]
    lisor_pipeline(tiny)
    assert set(results(home)["dataset"]) == {"regex:(a|b)*<b>", "my_words"}
    name = LanguageSettings(**expression).name
    selected = {path.stem for path in (home / "reports/tiny/latest/automata/selected").iterdir()}
    assert selected == {f"{name}-gru-0", "my_words-gru-0"}
    assert {"tiny", *selected} == {run.info.run_name for run in mlflow_runs(home)}
    assert "regex:(a|b)*&lt;b&gt;" in (home / "reports/tiny/latest/report.html").read_text()
    before = built(home)
    file.write_text(LANGUAGES["tomita-2"].automaton.to_json())
    lisor_pipeline(tiny)
    assert (
        len([path for path in built(home) if path not in before and path.parent.name == "dataset"])
        == 1
    )


def test_text_with_markup_is_shown_and_not_run(
    home: Path, tiny: dict[str, Any], tmp_path: Path
) -> None:
    script = "<script>alert(1)</script>"
    rows = {"text": ["very good", "very bad", "good bad"] * 30, "label": [script, "b", "c"] * 30}
    pd.DataFrame(rows).to_csv(tmp_path / "texts.csv", index=False)
    tiny["datasets"] = [{"text": str(tmp_path / "texts.csv")}]
    tiny["clustering"]["k"] = [2, 4]
    lisor_pipeline(tiny)
    page = (home / "reports/tiny/latest/report.html").read_text()
    assert page.count("<script") == 1  # the page's own, which saves tables and pictures
    assert "&lt;script&gt;" in page


def test_the_empty_words_of_the_small_language_and_its_short_grid(
    home: Path, tiny: dict[str, Any]
) -> None:
    tiny["datasets"] = [
        {"language": "0110", "train": 64, "validation": 16, "test": 20, "balanced": False}
    ]
    tiny["clustering"]["k"] = [2, 64]
    tiny["extraction"] = {
        "rules": ["majority", "refined"]
    }  # with nothing to search from at k = 32 and 64
    with pytest.warns(UserWarning, match="grid of k ends at"):
        lisor_pipeline(tiny)
    assert results(home)["k"].max() <= 30


def test_a_server_that_fails_once_is_told_again(
    finished: Path, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told, fill = [], lisor_tasks.tracking.log_run

    def fail_once(*arguments: Any) -> tuple[str, str]:
        told.append(arguments)
        if len(told) == 1:
            raise MlflowException("the server is being restarted")
        return fill(*arguments)

    (finished / "mlflow.db").unlink()
    monkeypatch.setattr(lisor_tasks.tracking, "log_run", fail_once)
    assert lisor_pipeline(tiny)["tasks"]["run"] == 0
    assert len(told) > 1
    assert len(mlflow_runs(finished)) == 2


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), KeyError("a fault of ours")]
)
def test_nothing_that_goes_wrong_after_the_register_fails_a_run(
    finished: Path, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    (finished / "mlflow.db").unlink()
    monkeypatch.setattr(lisor_tasks.tracking, "log_run", fail)
    monkeypatch.setattr(pipeline, "create_link_artifact", fail)
    summary = pipeline.run_pipeline(tiny)
    assert summary["tasks"]["run"] == 0
    assert "run later: lisor track tiny/" in summary["mlflow"]["error"]
    assert "did not take note" in summary["prefect"]["error"]
    assert max(len(summary[name]["error"]) for name in ("mlflow", "prefect")) <= 300


def test_a_server_that_is_gone_when_the_run_is_whole_does_not_fail_it(
    finished: Path, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_state = SyncPrefectClient.set_flow_run_state

    def refuse(client: SyncPrefectClient, run: Any, state: Any, **how: Any) -> Any:
        if state.is_completed():
            raise ConnectError("All connection attempts failed")
        return set_state(client, run, state, **how)

    monkeypatch.setattr(SyncPrefectClient, "set_flow_run_state", refuse)
    with pytest.raises(ConnectError):
        lisor_pipeline(tiny)
    summary = pipeline.run_pipeline(tiny)
    assert set(summary["mlflow"]) == {"experiment", "run"}
    assert "All connection attempts failed" in summary["prefect"]["error"]
