"""Networks that fail while the others of a run are reported."""

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from mlflow import MlflowClient

from lisor.errors import ConfigError, DataError
from lisor.explain import explanation
from lisor.extraction.extraction import read_searches
from lisor.networks import training
from lisor.networks.classifier import Architecture, Classifier
from lisor.settings.experiment import Experiment
from lisor_flows.explain import explain
from lisor_flows.pipeline import lisor_pipeline
from lisor_flows.sources import find_sources


@pytest.fixture
def wild(tiny: dict[str, Any]) -> dict[str, Any]:
    """Settings by which the hidden states of srn's first network come to three, and of no other to
    so few."""
    tiny["models"]["cells"] = ["srn", "gru"]
    tiny["training"] |= {"trials": 2, "learning_rate": 1, "restarts": 0}
    tiny["clustering"]["k"] = [4, 6]
    return tiny


def explain_first(**changes: Any) -> None:
    explain(
        "tiny",
        **{
            "sequence": "01",
            "row": None,
            "position": None,
            "dataset": None,
            "cell": None,
            "trial": 0,
            "what": None,
            "out": None,
            **changes,
        },
    )


def test_a_network_of_too_few_states_fails_alone_and_everything_says_so(
    home: Path, wild: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    wild["explain"] = {"enabled": True, "examples": 3}
    wild["extraction"] = {
        "rules": ["majority", "refined"],
        "baselines": ["kv"],
        "baseline_steps": 100,
    }
    summary = lisor_pipeline(wild)
    (failed,) = summary["failed"]
    assert failed.startswith("000-srn-0: there are fewer distinct hidden states")
    out = home / "reports/tiny/latest"
    assert json.loads((out / "summary.json").read_text())["failed"] == [failed]
    table = pd.read_parquet(out / "results.parquet")
    assert set(zip(table["cell"], table["trial"], strict=True)) == {
        ("srn", 1),
        ("gru", 0),
        ("gru", 1),
    }
    assert f"{failed}." in (out / "report.html").read_text()
    for path in (out / "tables").glob("*.csv"):
        cells = [cell for row in csv.reader(path.read_text("utf-8").splitlines()) for cell in row]
        assert not any("nan" in cell.lower().split() for cell in cells), path
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    found = client.search_runs(
        [experiment.experiment_id for experiment in client.search_experiments()]
    )
    runs = {run.info.run_name: run for run in found}
    assert {name for name, run in runs.items() if run.info.status == "FAILED"} == {"000-srn-0"}
    assert runs["000-srn-0"].data.tags["lisor.failed"] == failed.removeprefix("000-srn-0: ")
    again = lisor_pipeline(wild)
    assert (again["failed"], again["tasks"]["run"]) == ([failed], 0)
    explain_first()
    assert (
        "gru answers" in capsys.readouterr().out
    )  # srn's, which stands before it, has no automaton
    with pytest.raises(ConfigError, match=r"no network srn 0, .*000-srn-0: there are fewer"):
        explain_first(cell="srn")


def test_a_network_without_an_automaton_of_so_few_states_fails_alone(
    home: Path, tiny: dict[str, Any]
) -> None:
    """One of three clusters and a start may need a sink beside them."""
    sizes = {"train": 100, "validation": 10, "test": 20, "selection": 20, "max_length": 6}
    tiny["datasets"] = [{"language": "regex:(a|b|c|d)*abc", "alphabet": "abcd", **sizes}]
    tiny["models"]["cells"] = ["srn", "gru"]
    tiny["training"] |= {"trials": 2, "max_epochs": 2, "learning_rate": 0.3, "restarts": 0}
    tiny["clustering"]["k"] = [2, 3]
    tiny["extraction"] = {"most_states": 3}
    (failed,) = lisor_pipeline(tiny)["failed"]
    assert failed.endswith(
        "srn-0: no automaton has at most 3 states: lower clustering.k or raise most_states"
    )
    table = pd.read_parquet(home / "reports/tiny/latest/results.parquet")
    assert (table.loc[table["selected"], "n_states"] <= 3).all()
    assert table[table["selected"]].groupby(["cell", "trial"]).ngroups == 3


def test_a_network_whose_training_diverges_fails_without_those_that_were_trained_beside_it(
    home: Path, wild: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last begins where no step leads back to numbers: which of several diverge at a learning
    rate far too high is up to the processor."""

    class OneInfinite(Classifier):
        def __init__(self, architecture: Architecture, seeds: list[int], **given: Any) -> None:
            super().__init__(architecture, seeds, **given)
            last = torch.tensor(seeds) == training.trial_seed(0, 2)
            with torch.no_grad():
                self.output_bias[last] = torch.inf

    monkeypatch.setattr(training, "Classifier", OneInfinite)
    wild["models"]["cells"] = ["srn"]
    wild["training"] |= {"trials": 3}
    wild["clustering"]["k"] = [2, 2]
    assert lisor_pipeline(wild)["failed"] == [
        "000-srn-2: training diverged (its loss is not a number): lower training.learning_rate"
    ]
    assert set(pd.read_parquet(home / "reports/tiny/latest/results.parquet")["trial"]) == {0, 1}
    assert lisor_pipeline(wild)["tasks"]["run"] == 0


@pytest.mark.slow
def test_a_dataset_of_which_every_network_fails_is_named_and_the_others_are_reported(
    home: Path, wild: dict[str, Any]
) -> None:
    small = {"language": "0110", "train": 60, "validation": 12, "test": 20, "balanced": False}
    small["training"] = {"learning_rate": 30}
    wild["training"] |= {"trials": 1}
    wild["datasets"] = [{**wild["datasets"][0], "training": {"learning_rate": 0.03}}, small]
    wild["clustering"]["k"] = [18, 20]
    assert [failure.partition(":")[0] for failure in lisor_pipeline(wild)["failed"]] == [
        "0110-srn-0",
        "0110-gru-0",
    ]
    out = home / "reports/tiny/latest"
    assert set(pd.read_parquet(out / "results.parquet")["dataset"]) == {"000"}
    page = (out / "report.html").read_text()
    assert page.count("Failed, and nowhere below: 0110-") == 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"training": {"learning_rate": 1e38}}, "training diverged"),
        (
            {"training": {"learning_rate": 30}, "clustering": {"k": [70, 72]}},
            "fewer distinct hidden states",
        ),
    ],
    ids=["diverged", "few states"],
)
def test_where_every_network_fails_the_run_fails_with_the_first_reason_and_leaves_no_report(
    home: Path, wild: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    for section, values in changes.items():
        wild[section] |= values
    with pytest.raises(
        DataError, match=rf"no network can be reported; 000-srn-0: .*{reason}.*; 3 more failed"
    ) as error:
        lisor_pipeline(wild)
    assert len(str(error.value)) <= 300
    assert not (home / "reports").exists()
    assert not (home / "runs").exists()


def test_a_network_that_cannot_be_explained_is_reported_without(
    home: Path, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DataError("expected gradients, got none")

    monkeypatch.setattr(explanation, "explain", fail)
    tiny["explain"] = {"enabled": True}
    summary = lisor_pipeline(tiny)
    assert (summary["failed"], summary["unexplained"]) == (
        [],
        ["000-gru-0: expected gradients, got none"],
    )
    page = (home / "reports/tiny/latest/report.html").read_text()
    assert "Not explained: 000-gru-0: expected gradients, got none." in page


@pytest.mark.parametrize(
    "rules", [["refined", "weighted"], pytest.param(["distilled"], marks=pytest.mark.slow)]
)
def test_automata_that_are_searched_for_need_none_beside_them(
    home: Path, tiny: dict[str, Any], rules: list[str]
) -> None:
    tiny["extraction"] = {"rules": rules}
    assert lisor_pipeline(tiny)["failed"] == []
    table = pd.read_parquet(home / "reports/tiny/latest/results.parquet")
    assert set(table["rule"]) == set(rules)
    found = [read_searches(path.parent) for path in home.glob("store/automata/*/automata.parquet")]
    searched = {rule: log for logs in found for (_, rule, _), log in logs.items()}
    assert set(searched) == set(rules) - {"weighted"}
    for rule, log in searched.items():
        assert log.steps > 0
        assert (log.tests is None) == (rule != "refined")


# What is known beforehand


@pytest.mark.parametrize(
    ("dataset", "k", "most"),
    [
        ({"language": "0110", "validation": 500}, 31, 30),
        ({"language": "0110", "validation": 6}, 19, 18),
        ({"language": "000", "validation": 2, "max_length": 3}, 7, 6),
        ({"language": "regex:aa*<b>", "alphabet": "ab<>", "validation": 3, "max_length": 2}, 7, 6),
        ({"text": "movie-reviews", "validation": 2, "max_length": 9}, 19, 18),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_smallest_k_above_all_hidden_states_that_there_can_be_is_refused(
    tiny: dict[str, Any], dataset: dict[str, Any], k: int, most: int
) -> None:
    tiny["datasets"] = [dataset]
    tiny["clustering"]["k"] = [k, 64]
    with pytest.raises(ConfigError, match=f"clustering.k must begin at no more than {most}"):
        find_sources(Experiment(**tiny).studies[0])
    tiny["clustering"]["k"] = [k - 1, 64]
    find_sources(Experiment(**tiny).studies[0])


def test_malformed_annotations_are_refused_before_anything_is_computed(
    tiny: dict[str, Any], tmp_path: Path
) -> None:
    notes = tmp_path / "notes.csv"
    notes.write_text("unit,note\nfirst,high\n", encoding="utf-8")
    tiny["explain"] = {"enabled": True, "annotations": str(notes)}
    with pytest.raises(DataError, match="expected the number of a unit"):
        find_sources(Experiment(**tiny).studies[0])
