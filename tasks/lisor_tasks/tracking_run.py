"""A run of lisor logged to MLflow: a parent run, and a child run for each network."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, ViewType

from lisor.anomalies.detections import NETWORK, of_automaton
from lisor.evaluation.measures import COLUMNS, measures_of
from lisor.report.tables import summarize
from lisor_tasks.anomalies import read_detections
from lisor_tasks.artifacts import Ref, Store
from lisor_tasks.data import read_dataset
from lisor_tasks.evaluation import RESULTS, NetworkArtifacts, read_failures, reported
from lisor_tasks.explain import EXPLANATION
from lisor_tasks.keys import library_versions
from lisor_tasks.manifest import MANIFEST
from lisor_tasks.register import Record
from lisor_tasks.serving import best_networks, register_automaton
from lisor_tasks.tracked import KEY, artifact_location, record_key, tracking_uri

_MAX_METRICS = 1000  # of one batch in MLflow
_MAX_PARAMS = 100

FAILED = "lisor.failed"
"""The tag with the reason why a network, or its explanation, failed."""


def log_run(client: MlflowClient, record: Record, store: Store) -> tuple[str, str]:
    """Log a run unless it is there; return the ids of its experiment and parent run."""
    results, report = record.artifacts.results, record.artifacts.report
    experiment, key = _find_experiment(client, record.name, store), record_key(record)
    finished = _find_finished(client, experiment, key)
    if finished is not None:
        return experiment, finished
    table = pd.read_parquet(store.open(results) / RESULTS)
    parent = _Run.start(client, experiment, record.name, key)
    parent.log_params(record.settings)
    parent.log_metrics(
        _headline(table, {network.dataset: network.name for network in record.artifacts.networks})
    )
    parent.log_files(store.open(report))
    client.log_artifact(parent.id, str(store.open(results) / RESULTS))
    best = set(
        best_networks(table)[["dataset", "cell", "trial"]].itertuples(index=False, name=None)
    )
    for failure in read_failures(results):
        tags = {"dataset": failure.dataset, "cell": failure.cell, FAILED: failure.reason}
        client.set_terminated(parent.start_child(failure.label, tags).id, "FAILED")
    for network in reported(record.artifacts.networks, results):
        run = _log_network(parent, network, table, report, store)
        if network.identity in best:
            automaton = store.open(report) / "automata/selected" / f"{network.label}.json"
            register_automaton(client, f"{record.name}-{network.name}", automaton, experiment, run)
    client.set_terminated(parent.id, "FINISHED")  # last: a run cut short stays unfinished
    return experiment, parent.id


@dataclass(frozen=True, kw_only=True)
class _Run:
    """A run in MLflow to which artifacts are being logged."""

    client: MlflowClient
    experiment: str
    key: str
    id: str

    @classmethod
    def start(
        cls,
        client: MlflowClient,
        experiment: str,
        name: str,
        key: str,
        tags: Mapping[str, str] | None = None,
    ) -> _Run:
        versions = {"lisor": version("lisor"), **library_versions()}
        all_tags = {f"version.{library}": number for library, number in versions.items()}
        all_tags |= {KEY: key, "mlflow.source.name": "lisor", **(tags or {})}
        run = client.create_run(experiment, tags=all_tags, run_name=name)
        return cls(client=client, experiment=experiment, key=key, id=run.info.run_id)

    def start_child(self, name: str, tags: Mapping[str, str]) -> _Run:
        parent = {"mlflow.parentRunId": self.id}
        return _Run.start(self.client, self.experiment, name, self.key, {**tags, **parent})

    def log_metrics(self, metrics: Sequence[Metric]) -> None:
        for start in range(0, len(metrics), _MAX_METRICS):
            self.client.log_batch(self.id, metrics=metrics[start : start + _MAX_METRICS])

    def log_params(self, settings: Mapping[str, Any]) -> None:
        params = [Param(name, str(value)) for name, value in _flat(settings)]
        for start in range(0, len(params), _MAX_PARAMS):
            self.client.log_batch(self.id, params=params[start : start + _MAX_PARAMS])

    def log_files(self, artifact: Path, folder: str | None = None) -> None:
        """Log the files of an artifact, without its manifest."""
        for entry in sorted(artifact.iterdir()):
            if entry.is_dir():
                self.log_files(entry, str(Path(folder or "", entry.name)))
            elif entry.name != MANIFEST:
                self.client.log_artifact(self.id, str(entry), folder)


def _find_experiment(client: MlflowClient, name: str, store: Store) -> str:
    """The id of the experiment of that name, which is made unless it exists."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        local = tracking_uri(store.home).startswith("sqlite:")
        location = artifact_location(store.home, name) if local else None
        # for this kind MLflow opens its pages for training
        kind = {"mlflow.experimentKind": "custom_model_development"}
        return str(client.create_experiment(name, artifact_location=location, tags=kind))
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


def _find_finished(client: MlflowClient, experiment: str, key: str) -> str | None:
    """The id of the finished parent run of this key; runs of the key that were cut short are
    deleted with their children."""
    search = partial(client.search_runs, [experiment], run_view_type=ViewType.ACTIVE_ONLY)
    finished = None
    for run in search(f"tags.`{KEY}` = '{key}'"):
        if run.data.tags.get("mlflow.parentRunId"):
            continue
        if run.info.status == "FINISHED":
            finished = str(run.info.run_id)
        else:
            for child in search(f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"):
                client.delete_run(child.info.run_id)
            client.delete_run(run.info.run_id)
    return finished


def _log_network(
    parent: _Run, network: NetworkArtifacts, table: pd.DataFrame, report: Ref, store: Store
) -> str:
    """The id of a child run for one network, with its curves over epochs and over k, its automata,
    and the figures of the selected one."""
    about = json.loads((store.open(network.model) / "model.json").read_text(encoding="utf-8"))
    tags = {"dataset": network.dataset, "cell": network.cell}
    failed = network.unexplained and {FAILED: f"not explained: {network.unexplained}"}
    client, run = parent.client, parent.start_child(network.label, {**tags, **(failed or {})})
    run.log_params(
        {
            **tags,
            "trial": network.trial,
            "seed": about["seed"],
            "restarts": about["restarts"],
            "network": about["architecture"],
        }
    )
    columns = ["dataset", "cell", "trial"]
    rows = table[(table[columns] == network.identity).all(axis=1)]
    run.log_metrics(
        [*_training_curves(about["history"]), *_curves_over_k(rows), *_selected_figures(rows)]
    )
    if network.detections is not None:
        run.log_metrics(_detected(read_detections(network.detections), rows))
    dataset = read_dataset(network.data)
    described = Dataset(
        name=network.dataset,
        digest=network.data.sha256[:32],
        source_type="local",
        source=json.dumps({"uri": store.folder(network.data.kind, network.data.key).as_uri()}),
        profile=json.dumps({name: len(split) for name, split in dataset.splits.items()}),
    )
    client.log_inputs(
        run.id, [DatasetInput(described, [InputTag("mlflow.data.context", "training")])]
    )
    automata = store.open(report) / "automata"
    for file in sorted(automata.glob(f"{network.label}-*.*")):
        client.log_artifact(run.id, str(file), "chosen")
    for file in sorted((automata / "selected").glob(f"{network.label}.*")):
        client.log_artifact(run.id, str(file), "selected")
    run.log_files(store.open(network.model), "network")
    if network.explanation is not None:
        folder = store.open(network.explanation)
        run.log_metrics(_explained(json.loads((folder / EXPLANATION).read_text("utf-8"))))
        run.log_files(folder, "explanation")
    client.set_terminated(run.id, "FINISHED")
    return run.id


def _training_curves(history: Mapping[str, Sequence[float]]) -> list[Metric]:
    return [
        _metric(name, value, epoch)
        for name, curve in history.items()
        for epoch, value in enumerate(curve, 1)
    ]


def _curves_over_k(rows: pd.DataFrame) -> list[Metric]:
    """Figures of every automaton with k as the step, named test set/method.rule.figure; the number
    of states, the same on each test set, is named method.rule.figure."""
    figures = [
        (f"{row['test_set']}/", column, row)
        for row in rows.to_dict("records")
        for column in (*measures_of(row["target"]).columns[1:], "unseen_transitions")
    ]
    sizes = rows.drop_duplicates(["method", "rule", "k"]).to_dict("records")
    return [
        _metric(
            f"{test_set}{row['method']}.{row['rule']}.{column}",
            row[column],
            0 if pd.isna(row["k"]) else row["k"],  # an automaton without clusters has no k
        )
        for test_set, column, row in [*figures, *(("", "n_states_minimal", row) for row in sizes)]
    ]


def _explained(explanation: Mapping[str, Any]) -> list[Metric]:
    """The figures of each method of attribution, and the number of explained units."""
    metrics = [
        _metric(
            "explain.units_explained",
            sum(unit["sentence"] is not None for unit in explanation["units"]),
        )
    ]
    for judged in explanation["methods"]:
        name, agreement = f"explain.{judged['method']}", judged["agreement"]["correlation"]
        metrics.append(_metric(f"{name}.gain", judged["gain"]))
        metrics += [] if math.isnan(agreement) else [_metric(f"{name}.agreement", agreement)]
        metrics += [] if judged["close"] is None else [_metric(f"{name}.close", judged["close"])]
    return metrics


def _detected(detections: pd.DataFrame, rows: pd.DataFrame) -> list[Metric]:
    """Of each score, how well the selected automaton detects anomalies of the test set, and the F1
    of its network."""
    test = detections[detections["test_set"] == "test"]
    by_network = test[test["detector"] == NETWORK]
    by_automaton = of_automaton(test, rows[rows["selected"]].iloc[0])
    metrics = [
        _metric(f"anomalies.{row['score']}.rnn_f1", row["f1"])
        for row in by_network.to_dict("records")
    ]
    return metrics + [
        _metric(f"anomalies.{row['score']}.{rate}", row[rate])
        for row in by_automaton.to_dict("records")
        for rate in ("f1", "precision", "recall", "false_alarms")
        if not math.isnan(row[rate])
    ]


def _selected_figures(rows: pd.DataFrame) -> list[Metric]:
    selected = rows[rows["selected"] & (rows["test_set"] == "test")].iloc[0]
    columns = ["k", "n_states", "n_states_minimal"]
    columns += [column for column in (*COLUMNS, "exact") if pd.notna(selected[column])]
    return [_metric(f"selected.{column}", selected[column]) for column in columns]


def _headline(table: pd.DataFrame, names: Mapping[str, str]) -> list[Metric]:
    """The means over trials of the selected automata, named dataset.cell.figure with the dataset's
    name in file names."""
    metrics = []
    for row in summarize(table):
        figures = {name: getattr(row, name) for name in COLUMNS}
        named = {name: interval.mean for name, interval in figures.items() if interval is not None}
        if row.exact is not None:
            named["exact"] = row.exact / row.trials
        metrics += [
            _metric(f"{names.get(row.dataset, row.dataset)}.{row.cell}.{name}", value)
            for name, value in named.items()
        ]
    return metrics


def _metric(name: str, value: float, step: int = 0) -> Metric:
    return Metric(name, float(value), int(time.time() * 1000), int(step))


def _flat(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Nested settings as dotted names and values."""
    if isinstance(value, Mapping):
        inner = [(f"{path}.{name}".lstrip("."), item) for name, item in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        inner = [(f"{path}.{i}", item) for i, item in enumerate(value)]
    else:
        return [(path, value)]
    return [pair for name, item in inner for pair in _flat(item, name)]
