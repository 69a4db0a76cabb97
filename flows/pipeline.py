"""The pipeline as a Prefect flow: data sets → networks → hidden states → clusters → automata → results → report."""

from __future__ import annotations

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
from prefect.task_runners import ThreadPoolTaskRunner

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
from tasks.report import REPORT, as_json, publish, write_report
from tasks.rnn import dump_hidden_states, train_networks, trial_blocks
from tasks.tracking import track

STAGES = ("data", "train", "dump", "cluster", "extract", "evaluate", "report")


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


@flow(name="lisor", flow_run_name="{settings[name]}", task_runner=ThreadPoolTaskRunner(max_workers=os.cpu_count()))
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
        results = progress.watch("report", collect_results.submit(networks)).result()
        report = progress.watch("report", write_report.submit(plan.name, results, networks)).result()
    record = {"schema": 1, "name": plan.name, "out": str(folder), "settings": settings}
    record["artifacts"] = {
        "results": asdict(results),
        "report": asdict(report),
        "networks": list(map(asdict, networks)),
    }
    summary = _summarize(plan, results, networks, progress, time.monotonic() - started)
    publish(str(folder), results, report, as_json(record), as_json(summary))
    run_experiment, run = track(plan.name, settings, results, report, networks)
    summary["mlflow"] = {"experiment": run_experiment, "run": run}
    write_text(store.home / "runs" / plan.name / f"{digest(record['artifacts'])}.json", as_json(record))
    create_link_artifact(
        key=f"{plan.name.lower().replace('_', '-').replace('.', '-')}-report",
        link=(folder / REPORT).as_uri(),
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
                future = train_networks.submit(
                    dataset, cell, study.models, study.training, block, plan.threads, study.dataset.name
                )
                training[progress.watch("train", future)] = (study, dataset, cell, block)
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
        return progress.watch("data", draw_words.submit(study.dataset))
    sources = find_sources(study)
    fetched = fetch_movie_reviews.submit() if sources.text is None else read_corpus.submit(sources.text)
    corpus = progress.watch("data", fetched)
    return progress.watch("data", number_words.submit(corpus, sources.vectors, study.dataset))


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
    states = progress.watch("dump", dump_hidden_states.submit(model, data, plan.threads, label))
    unseen = study.extraction.unseen
    if unseen == "auto":
        unseen = "reject" if study.dataset.language is not None else "stay"
    blocks = []
    for method in study.clustering.methods:
        for ks in k_blocks(*study.clustering.k):
            clusterings = cluster_hidden_states.submit(states, method, ks, study.clustering.seed, plan.threads, label)
            automata = extract_automata.submit(model, states, clusterings, study.extraction.rules, unseen, label)
            evaluations = evaluate_automata.submit(automata, states, data, study.dataset.language, label)
            for stage, future in zip(STAGES[3:6], (clusterings, automata, evaluations), strict=True):
                progress.watch(stage, future)
            blocks.append((clusterings, automata, evaluations))
    return _Pending(
        dataset=study.dataset.name, cell=cell, trial=trial, model=model, data=data, states=states, blocks=blocks
    )


def _summarize(
    plan: Experiment, results: Ref, networks: list[Network], progress: RunProgress, seconds: float
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
    headline: list[Mapping[str, Any]] = [asdict(row) for row in rows]
    return {
        "schema": 1,
        "name": plan.name,
        "versions": {"lisor": version("lisor"), **library_versions()},
        "seconds": {"this_run": round(seconds, 2), **{stage: round(value, 2) for stage, value in spent.items()}},
        "tasks": {"run": done - cached, "from_cache": cached},
        "headline": headline,
    }
