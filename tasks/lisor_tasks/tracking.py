"""What MLflow is told of a run.

Everything here is read from artifacts and found again by a tag with the run's key: the same run adds nothing, and a
deleted or damaged database is filled anew without computing anything."""

from __future__ import annotations

import json
import logging
import math
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, ViewType
from prefect import task

from lisor.errors import LisorError, StoreWarning, TrackingError, one_line
from lisor.report.tables import summarize
from lisor_tasks.artifacts import Ref, Store, open_store
from lisor_tasks.data import read_dataset
from lisor_tasks.database import open_database
from lisor_tasks.evaluation import RESULTS, Network, read_failures, reported
from lisor_tasks.explain import EXPLANATION
from lisor_tasks.keys import library_versions
from lisor_tasks.manifest import MANIFEST
from lisor_tasks.register import Record, look_up, registered
from lisor_tasks.serving import best_networks, register_automaton
from lisor_tasks.told import KEY, artifact_location, find_told, record_key, tracking_uri, uses_own_database
from lisor_tasks.tracking_server import BESIDE_A_RUN, Patience, log_to_server

_MOST_METRICS = 1000  # in one batch, by MLflow's own rule
_MOST_PARAMS = 100

FAILED = "lisor.failed"
"""The tag that says why a network, or its explanation, failed."""


def _own_database(*_: Any) -> bool:
    return uses_own_database(open_store().home)  # a server has been asked again already


@task(
    name="track",
    task_run_name="track {record.name} in MLflow",
    retries=1,
    retry_delay_seconds=2,
    retry_condition_fn=_own_database,
)
def track(record: Record, patience: Patience = BESIDE_A_RUN) -> tuple[str, str]:
    """The ids of the experiment and of the parent run that show this run in MLflow, made unless they are there.

    Raises:
        TrackingError: MLflow does not answer, or refuses, or the disk is full."""
    store = open_store()
    try:
        if not uses_own_database(store.home):
            return log_to_server(record, store, patience)
        with own_database(store) as client:
            return find_told(record, store.home) or _fill(client, record, store)
    except Exception as error:  # nothing that MLflow meets may cost a run that is whole
        raise TrackingError(
            f"MLflow at {one_line(tracking_uri(store.home), 80)} was not told of the run ({_reason(error)}); "
            f"the store has everything: say later: lisor track {record.run}"
        ) from error


@contextmanager
def own_database(store: Store) -> Iterator[MlflowClient]:
    """A client of the database in the store, with the lock that whoever writes to it needs: neither a database's first
    client nor search-then-create is atomic. A database that was not there, or damaged, has the registered runs.

    Raises:
        LisorError, MlflowException, SQLAlchemyError, sqlite3.Error, OSError: it cannot be made or read."""

    def fill_each(client: MlflowClient) -> None:
        for name in registered():
            try:
                _fill(client, look_up(name), store)
            except LisorError as error:
                warnings.warn(f"MLflow does not show the run {name}: {error}", StoreWarning, stacklevel=2)

    quiet()
    with store.lock("mlflow"), open_database(store.home, fill_each) as client:
        yield client


def quiet() -> None:
    """Keep MLflow from saying beside us what comes back as an error."""
    for chatty in ("alembic", "mlflow", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)


def _reason(error: Exception) -> str:
    if "Max retries" in str(error):
        return "it does not answer"
    return one_line(str(error), 110) or type(error).__name__


def _fill(client: MlflowClient, record: Record, store: Store) -> tuple[str, str]:
    results, report = record.artifacts.results, record.artifacts.report
    experiment, key = _find_experiment(client, record.name, store), record_key(record)
    found = _find_finished(client, experiment, key)
    if found is not None:
        return experiment, found
    table = pd.read_parquet(store.open(results) / RESULTS)
    parent = _Run.start(client, experiment, record.name, key)
    parent.log_params(record.settings)
    parent.log_metrics(_headline(table, {network.dataset: network.name for network in record.artifacts.networks}))
    parent.log_files(store.open(report))
    client.log_artifact(parent.id, str(store.open(results) / RESULTS))
    best = set(best_networks(table)[["dataset", "cell", "trial"]].itertuples(index=False, name=None))
    for failure in read_failures(results):
        own = {"dataset": failure.dataset, "cell": failure.cell, FAILED: failure.reason}
        client.set_terminated(parent.start_child(failure.label, own).id, "FAILED")
    for network in reported(record.artifacts.networks, results):
        run = _log_network(parent, network, table, report, store)
        if (network.dataset, network.cell, network.trial) in best:
            automaton = store.open(report) / "automata/selected" / f"{network.label}.json"
            register_automaton(client, f"{record.name}-{network.name}", automaton, experiment, run)
    client.set_terminated(parent.id, "FINISHED")  # last, so that a run cut short is found to be unfinished
    return experiment, parent.id


@dataclass(frozen=True, kw_only=True)
class _Run:
    """A run in MLflow that is being filled."""

    client: MlflowClient
    experiment: str
    key: str
    id: str

    @classmethod
    def start(
        cls, client: MlflowClient, experiment: str, name: str, key: str, tags: Mapping[str, str] | None = None
    ) -> _Run:
        versions = {"lisor": version("lisor"), **library_versions()}
        every = {f"version.{library}": number for library, number in versions.items()}
        every |= {KEY: key, "mlflow.source.name": "lisor", **(tags or {})}
        run = client.create_run(experiment, tags=every, run_name=name)
        return cls(client=client, experiment=experiment, key=key, id=run.info.run_id)

    def start_child(self, name: str, tags: Mapping[str, str]) -> _Run:
        parent = {"mlflow.parentRunId": self.id}
        return _Run.start(self.client, self.experiment, name, self.key, {**tags, **parent})

    def log_metrics(self, metrics: Sequence[Metric]) -> None:
        for start in range(0, len(metrics), _MOST_METRICS):
            self.client.log_batch(self.id, metrics=metrics[start : start + _MOST_METRICS])

    def log_params(self, settings: Mapping[str, Any]) -> None:
        params = [Param(name, str(value)) for name, value in _flat(settings)]
        for start in range(0, len(params), _MOST_PARAMS):
            self.client.log_batch(self.id, params=params[start : start + _MOST_PARAMS])

    def log_files(self, artifact: Path, place: str | None = None) -> None:
        """Log what is in an artifact's folder, but not the store's manifest."""
        for entry in sorted(artifact.iterdir()):
            if entry.is_dir():
                self.log_files(entry, str(Path(place or "", entry.name)))
            elif entry.name != MANIFEST:
                self.client.log_artifact(self.id, str(entry), place)


def _find_experiment(client: MlflowClient, name: str, store: Store) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        local = tracking_uri(store.home).startswith("sqlite:")
        place = artifact_location(store.home, name) if local else None
        kind = {"mlflow.experimentKind": "custom_model_development"}  # MLflow then opens its pages for training
        return str(client.create_experiment(name, artifact_location=place, tags=kind))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _find_finished(client: MlflowClient, experiment: str, key: str) -> str | None:
    """The finished parent run of this key; runs of the key that were cut short are deleted with their children."""
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


def _log_network(parent: _Run, network: Network, table: pd.DataFrame, report: Ref, store: Store) -> str:
    """A child run for one network: its curves over epochs and over k, its automata, and the selected one's figures."""
    about = json.loads((store.open(network.model) / "model.json").read_text(encoding="utf-8"))
    own = {"dataset": network.dataset, "cell": network.cell}
    tags = own if network.unexplained is None else {**own, FAILED: f"not explained: {network.unexplained}"}
    client, run = parent.client, parent.start_child(network.label, tags)
    run.log_params(
        {
            **own,
            "trial": network.trial,
            "seed": about["seed"],
            "restarts": about["restarts"],
            "network": about["architecture"],
        }
    )
    mine = (table["dataset"] == network.dataset) & (table["cell"] == network.cell) & (table["trial"] == network.trial)
    rows = table[mine]
    run.log_metrics([*_training_curves(about["history"]), *_curves_over_k(rows), *_selected_figures(rows)])
    dataset = read_dataset(network.data)
    described = Dataset(
        name=network.dataset,
        digest=network.data.sha256[:32],
        source_type="local",
        source=json.dumps({"uri": store.folder(network.data.kind, network.data.key).as_uri()}),
        profile=json.dumps({name: len(split) for name, split in dataset.splits.items()}),
    )
    client.log_inputs(run.id, [DatasetInput(described, [InputTag("mlflow.data.context", "training")])])
    automata = store.open(report) / "automata"
    for file in sorted(automata.glob(f"{network.label}-*.*")):
        client.log_artifact(run.id, str(file), "chosen")
    for file in sorted((automata / "selected").glob(f"{network.label}.*")):
        client.log_artifact(run.id, str(file), "selected")
    run.log_files(store.open(network.model), "network")
    if network.explanation is not None:
        run.log_metrics(_explained(json.loads((store.open(network.explanation) / EXPLANATION).read_text("utf-8"))))
        run.log_files(store.open(network.explanation), "explanation")
    client.set_terminated(run.id, "FINISHED")
    return run.id


def _training_curves(history: Mapping[str, Sequence[float]]) -> list[Metric]:
    return [_metric(name, value, epoch) for name, curve in history.items() for epoch, value in enumerate(curve, 1)]


def _curves_over_k(rows: pd.DataFrame) -> list[Metric]:
    """Figures of every automaton with k as the step, named test set/method.rule.figure; its size is the same on each
    test set."""
    sizes = rows.drop_duplicates(["method", "rule", "k"])
    return [
        *(
            _metric(f"{row['test_set']}/{row['method']}.{row['rule']}.{column}", row[column], _step(row["k"]))
            for row in rows.to_dict("records")
            for column in ("accuracy", "fidelity", "unseen_transitions")
        ),
        *(
            _metric(f"{row['method']}.{row['rule']}.n_states_minimal", row["n_states_minimal"], _step(row["k"]))
            for row in sizes.to_dict("records")
        ),
    ]


def _explained(explanation: Mapping[str, Any]) -> list[Metric]:
    """How each method of attribution did, and of how many units evidence says something."""
    metrics = [_metric("explain.units_explained", sum(unit["sentence"] is not None for unit in explanation["units"]))]
    for judged in explanation["methods"]:
        name, agreement = f"explain.{judged['method']}", judged["agreement"]["correlation"]
        metrics.append(_metric(f"{name}.gain", judged["gain"]))
        metrics += [] if math.isnan(agreement) else [_metric(f"{name}.agreement", agreement)]
        metrics += [] if judged["close"] is None else [_metric(f"{name}.close", judged["close"])]
    return metrics


def _step(k: float) -> int:
    """k, or 0 for an automaton without clusters."""
    return 0 if pd.isna(k) else int(k)


def _selected_figures(rows: pd.DataFrame) -> list[Metric]:
    selected = rows[rows["selected"] & (rows["test_set"] == "test")].iloc[0]
    columns = ["k", "n_states", "n_states_minimal", "accuracy", "fidelity", "rnn_accuracy"]
    if selected["exact"] is not None:
        columns.append("exact")
    return [_metric(f"selected.{column}", selected[column]) for column in columns]


def _headline(table: pd.DataFrame, names: Mapping[str, str]) -> list[Metric]:
    """The means over trials of the selected automata, named dataset.cell.figure with the data set's name for files."""
    metrics = []
    for row in summarize(table):
        figures = {"rnn_accuracy": row.rnn_accuracy, "accuracy": row.accuracy, "fidelity": row.fidelity}
        named = {name: interval.mean for name, interval in figures.items()}
        if row.exact is not None:
            named["exact"] = row.exact / row.trials
        metrics += [
            _metric(f"{names.get(row.dataset, row.dataset)}.{row.cell}.{name}", value) for name, value in named.items()
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
