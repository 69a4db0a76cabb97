"""The pipeline as a Prefect flow: data sets → networks → hidden states → clusters → automata → results → report."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import flow
from prefect.artifacts import create_link_artifact
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.progress import RunProgress
from lisor.config import MOVIE_REVIEWS, Experiment, Study, experiment
from lisor.report.tables import summarize
from tasks.artifacts import Ref, Source, describe_source, open_artifact, open_store, write_text
from tasks.caching import digest, library_versions
from tasks.data import draw_words, fetch_movie_reviews, number_words, read_corpus
from tasks.fsa import (
    RESULTS,
    Network,
    cluster_hidden_states,
    collect_results,
    evaluate_automata,
    extract_automata,
    k_blocks,
)
from tasks.report import publish, write_report
from tasks.rnn import dump_hidden_states, train_networks, trial_blocks
from tasks.tracking import track


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The user's files that a study reads."""

    text: Source | None
    vectors: Source | None


def find_sources(study: Study) -> Sources:
    """The user's files that a study reads, with the digests of their content.

    Raises:
        StoreError: one is missing or cannot be read."""
    dataset = study.dataset
    own_text = dataset.text is not None and dataset.text != MOVIE_REVIEWS
    return Sources(
        text=describe_source(str(dataset.text)) if own_text else None,
        vectors=None if dataset.vectors == "learned" else describe_source(dataset.vectors),
    )


def thread_runner(threads: int = 1) -> TaskRunner[PrefectFuture[Any]]:
    """As many tasks at a time as fill the machine when each uses so many threads."""
    runner: Any = ThreadPoolTaskRunner(max_workers=max(1, (os.cpu_count() or 1) // threads))
    return runner  # type: ignore[no-any-return]  # its type parameter is invariant


@flow(name="lisor", flow_run_name="{settings[name]}", task_runner=thread_runner())
def lisor_pipeline(settings: dict[str, Any], out: str | None = None) -> dict[str, Any]:
    """Run an experiment and return its summary, which also stands in `summary.json`.

    `settings` are those of a file in configs/, as plain values; `out` is the folder of the report, by default
    LISOR_HOME/reports/<name>."""
    started = time.monotonic()
    plan = experiment(settings)
    store = open_store()
    folder = Path(out).absolute() if out else store.home / "reports" / plan.name
    with RunProgress() as progress:
        networks = _make_networks(plan, progress)
        results = progress.submit("report", collect_results, networks).result()
        report = progress.submit("report", write_report, plan.name, results, networks).result()
    record = {"schema": 1, "name": plan.name, "out": str(folder), "settings": settings}
    record["artifacts"] = {
        "results": asdict(results),
        "report": asdict(report),
        "networks": list(map(asdict, networks)),
    }
    summary = _summarize(plan, folder, results, networks, progress, time.monotonic() - started)
    publish(str(folder), results, report, _as_json(record), _as_json(summary))
    run_experiment, run = track(plan.name, settings, results, report, networks)
    summary["mlflow"] = {"experiment": run_experiment, "run": run}
    write_text(store.home / "runs" / plan.name / f"{digest(record['artifacts'])}.json", _as_json(record))
    create_link_artifact(
        key=f"{plan.name.lower().replace('_', '-').replace('.', '-')}-report",
        link=(folder / "report.html").as_uri(),
        description=f"Report of {plan.name}; MLflow run {run}",
    )
    return summary


def _make_networks(plan: Experiment, progress: RunProgress) -> list[Network]:
    """Everything that is made for each network, in the order of data sets, cells and trials."""
    training: dict[PrefectFuture[list[Ref]], tuple[Study, PrefectFuture[Ref], str, tuple[int, ...]]] = {}
    for study in plan.studies:
        dataset = _submit_dataset(study, progress)
        for cell in study.models.cells:
            for block in trial_blocks(study.training.trials):
                name, sizes = study.dataset.name, (study.models, study.training)
                future = progress.submit("train", train_networks, dataset, cell, *sizes, block, plan.threads, name)
                training[future] = (study, dataset, cell, block)
    waiting = []
    for future in as_completed(list(training)):
        study, dataset, cell, block = training[future]
        for trial, model in zip(block, future.result(), strict=True):
            if trial < study.training.trials:
                waiting.append(_submit_network(plan, study, dataset, cell, trial, model, progress))
    networks = [pending.result() for pending in waiting]
    places = {(study.dataset.name, cell): (i, j) for i, study in enumerate(plan.studies)
              for j, cell in enumerate(study.models.cells)}  # fmt: skip
    return sorted(networks, key=lambda network: (*places[network.dataset, network.cell], network.trial))


def _submit_dataset(study: Study, progress: RunProgress) -> PrefectFuture[Ref]:
    if study.dataset.language is not None:
        return progress.submit("data", draw_words, study.dataset)
    sources = find_sources(study)
    if sources.text is None:
        corpus = progress.submit("data", fetch_movie_reviews)
    else:
        corpus = progress.submit("data", read_corpus, sources.text)
    return progress.submit("data", number_words, corpus, sources.vectors, study.dataset)


@dataclass(frozen=True, kw_only=True)
class _Pending:
    """A network whose hidden states and automata are being made."""

    dataset: str
    cell: str
    trial: int
    model: Ref
    data: PrefectFuture[Ref]
    states: PrefectFuture[Ref]
    blocks: list[tuple[PrefectFuture[Ref], PrefectFuture[Ref], PrefectFuture[Ref]]]

    def result(self) -> Network:
        """The references, once every task is done."""
        refs = [[future.result() for future in block] for block in self.blocks]
        clusterings, automata, evaluations = zip(*refs, strict=True)
        return Network(
            dataset=self.dataset,
            cell=self.cell,
            trial=self.trial,
            data=self.data.result(),
            model=self.model,
            states=self.states.result(),
            clusterings=clusterings,
            automata=automata,
            evaluations=evaluations,
        )


def _submit_network(
    plan: Experiment,
    study: Study,
    data: PrefectFuture[Ref],
    cell: str,
    trial: int,
    model: Ref,
    progress: RunProgress,
) -> _Pending:
    label = f"{study.dataset.name}-{cell}-{trial}"
    states = progress.submit("dump", dump_hidden_states, model, data, plan.threads, label)
    language, rules, unseen = study.dataset.language, study.extraction.rules, study.extraction.unseen
    blocks = []
    for method in study.clustering.methods:
        for ks in k_blocks(*study.clustering.k):
            how = (method, ks, study.clustering.seed, plan.threads)
            clusterings = progress.submit("cluster", cluster_hidden_states, states, *how, label)
            automata = progress.submit("extract", extract_automata, model, states, clusterings, rules, unseen, label)
            evaluations = progress.submit("evaluate", evaluate_automata, automata, states, data, language, label)
            blocks.append((clusterings, automata, evaluations))
    return _Pending(
        dataset=study.dataset.name, cell=cell, trial=trial, model=model, data=data, states=states, blocks=blocks
    )


def _summarize(
    plan: Experiment, folder: Path, results: Ref, networks: list[Network], progress: RunProgress, seconds: float
) -> dict[str, Any]:
    """What ran, with which versions, how long each stage took when it was computed, and the headline numbers."""
    store = open_store()
    spent = {
        "train": sum(store.seconds(network.model) for network in networks),
        "dump": sum(store.seconds(network.states) for network in networks),
        "cluster": sum(store.seconds(ref) for network in networks for ref in network.clusterings),
        "extract": sum(store.seconds(ref) for network in networks for ref in network.automata),
        "evaluate": sum(store.seconds(ref) for network in networks for ref in network.evaluations),
    }
    rows = summarize(pd.read_parquet(open_artifact(results) / RESULTS))
    done, cached = progress.done.total(), progress.cached.total()
    trained = progress.done["train"] - progress.cached["train"]
    headline: list[Mapping[str, Any]] = [asdict(row) for row in rows]
    return {
        "schema": 1,
        "name": plan.name,
        "out": str(folder),
        "versions": {"lisor": version("lisor"), **library_versions()},
        "seconds": {"this_run": round(seconds, 2), **{stage: round(value, 2) for stage, value in spent.items()}},
        "tasks": {"run": done - cached, "trained": trained, "from_cache": cached},
        "headline": headline,
    }


def _as_json(value: object) -> str:
    """A value as indented JSON text."""
    return json.dumps(value, indent=1, ensure_ascii=False)
