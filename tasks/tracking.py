"""What MLflow is told of a run. The only file that knows MLflow.

Everything here is read from artifacts and found again by a tag with the run's key: the same run adds nothing, and a deleted
database is filled anew without computing anything."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset as MlflowDataset
from mlflow.entities import DatasetInput, InputTag, Metric, Param, ViewType
from prefect import task

from lisor.report.tables import summarize
from lisor.rnn.classifier import TrainedModel
from tasks.artifacts import Ref, Store, open_store
from tasks.caching import digest, library_versions
from tasks.data import read_dataset
from tasks.fsa import RESULTS, Network
from tasks.report import REPORT

KEY = "lisor.key"
"""The tag by which a run is found again."""

_MOST_METRICS = 1000  # in one batch, by MLflow's own rule
_MOST_PARAMS = 100


def tracking_uri(home: Path) -> str:
    """MLFLOW_TRACKING_URI, or the database in the store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}"


@task(name="track", task_run_name="track {name} in MLflow")
def track(
    name: str, settings: Mapping[str, Any], results: Ref, report: Ref, networks: Sequence[Network]
) -> tuple[str, str]:
    """The ids of the experiment and of the parent run that show this run in MLflow, made unless they are there."""
    for chatty in ("alembic", "mlflow"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    store = open_store()
    table = pd.read_parquet(store.open(results) / RESULTS)
    with store.lock("mlflow"):  # neither the first use of a database nor search-then-create is atomic
        client = MlflowClient(tracking_uri(store.home))
        experiment = _experiment(client, name, store)
        key = digest([name, results.sha256, report.sha256])
        tags = {"lisor.version": version("lisor"), **{f"lisor.{lib}": at for lib, at in library_versions().items()}}
        parent = _finished_run(client, experiment, key)
        if parent is None:
            parent = _start_run(client, experiment, name, key, tags)
            _log_params(client, parent, settings)
            _log_metrics(client, parent, _headline(table))
            client.log_artifact(parent, str(store.open(report) / REPORT))
            client.log_artifacts(parent, str(store.open(report) / "figures"), "figures")
            client.log_artifact(parent, str(store.open(results) / RESULTS))
            for network in networks:
                _log_network(client, experiment, parent, key, tags, network, table, report, store)
            client.set_terminated(parent, "FINISHED")  # last, so that a run cut short is found to be unfinished
    return experiment, parent


def _experiment(client: MlflowClient, name: str, store: Store) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        local = tracking_uri(store.home).startswith("sqlite:")
        place = (store.home / "mlflow-artifacts" / name).as_uri() if local else None
        return str(client.create_experiment(name, artifact_location=place))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _finished_run(client: MlflowClient, experiment: str, key: str) -> str | None:
    """The finished parent run of this key; runs of the key that were cut short are deleted with their children."""
    whole = None
    for run in client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", ViewType.ACTIVE_ONLY):
        if run.data.tags.get("mlflow.parentRunId"):
            continue
        if run.info.status == "FINISHED":
            whole = run.info.run_id
        else:
            for child in client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"):
                client.delete_run(child.info.run_id)
            client.delete_run(run.info.run_id)
    return whole


def _start_run(
    client: MlflowClient, experiment: str, name: str, key: str, tags: Mapping[str, str], parent: str | None = None
) -> str:
    every = {**tags, KEY: key, "mlflow.source.name": "lisor", **({"mlflow.parentRunId": parent} if parent else {})}
    return str(client.create_run(experiment, tags=every, run_name=name).info.run_id)


def _log_network(
    client: MlflowClient,
    experiment: str,
    parent: str,
    key: str,
    tags: Mapping[str, str],
    network: Network,
    table: pd.DataFrame,
    report: Ref,
    store: Store,
) -> None:
    """A child run for one network: its curves over epochs and over k, its automata, and the figures of the chosen one."""
    model = TrainedModel.read(store.open(network.model))
    rows = table[
        (table["dataset"] == network.dataset) & (table["cell"] == network.cell) & (table["trial"] == network.trial)
    ]
    own = {"dataset": network.dataset, "cell": network.cell}
    run = _start_run(client, experiment, network.label, key, {**tags, **own}, parent)
    size = asdict(model.architecture)
    _log_params(client, run, {**own, "trial": network.trial, "seed": model.seed, **{"model": size}})
    curves = [
        Metric(name, value, _now(), epoch)
        for name, curve in model.history.items()
        for epoch, value in enumerate(curve, 1)
    ]
    for row in rows.itertuples():
        family = f"{row.test_set}/{row.method}.{row.rule}"
        for column in ("accuracy", "fidelity", "unseen_transitions", "n_states_minimal"):
            curves.append(Metric(f"{family}.{column}", float(getattr(row, column)), _now(), int(row.k)))
    _log_metrics(client, run, curves)
    selected = rows[rows["selected"] & (rows["test_set"] == "test")].iloc[0]
    columns = ("k", "n_states", "n_states_minimal", "accuracy", "fidelity", "rnn_accuracy")
    figures = {f"selected.{column}": float(selected[column]) for column in columns}
    if selected["exact"] is not None:
        figures["selected.exact"] = float(selected["exact"])
    _log_metrics(client, run, [Metric(name, value, _now(), 0) for name, value in figures.items()])
    dataset = read_dataset(network.data)
    profile = json.dumps({name: len(split) for name, split in dataset.splits.items()})
    source = json.dumps({"uri": store.folder(network.data.kind, network.data.key).as_uri()})
    described = MlflowDataset(network.dataset, network.data.sha256[:32], "local", source, profile=profile)
    client.log_inputs(run, [DatasetInput(described, [InputTag("mlflow.data.context", "training")])])
    for file in sorted((store.open(report) / "automata").rglob(f"{network.label}*.*")):
        client.log_artifact(run, str(file), "selected" if file.parent.name == "selected" else "chosen")
    client.log_artifacts(run, str(store.open(network.model)), "network")
    client.set_terminated(run, "FINISHED")


def _headline(table: pd.DataFrame) -> list[Metric]:
    """The means over trials of the selected automata, named dataset.cell.figure."""
    metrics = []
    for row in summarize(table):
        figures = {"rnn_accuracy": row.rnn_accuracy, "accuracy": row.accuracy, "fidelity": row.fidelity}
        for name, interval in figures.items():
            metrics.append(Metric(f"{row.dataset}.{row.cell}.{name}", interval.mean, _now(), 0))
        if row.exact is not None:
            metrics.append(Metric(f"{row.dataset}.{row.cell}.exact", row.exact / row.trials, _now(), 0))
    return metrics


def _log_metrics(client: MlflowClient, run: str, metrics: Sequence[Metric]) -> None:
    for start in range(0, len(metrics), _MOST_METRICS):
        client.log_batch(run, metrics=metrics[start : start + _MOST_METRICS])


def _log_params(client: MlflowClient, run: str, settings: Mapping[str, Any]) -> None:
    params = [Param(name, str(value)) for name, value in _flat(settings)]
    for start in range(0, len(params), _MOST_PARAMS):
        client.log_batch(run, params=params[start : start + _MOST_PARAMS])


def _flat(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Nested settings as dotted names and values."""
    if isinstance(value, Mapping):
        inner = [(f"{path}.{name}".lstrip("."), item) for name, item in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        inner = [(f"{path}.{i}", item) for i, item in enumerate(value)]
    else:
        return [(path, value)]
    return [pair for name, item in inner for pair in _flat(item, name)]


def _now() -> int:
    return int(time.time() * 1000)
