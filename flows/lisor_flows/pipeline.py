"""The pipeline as a Prefect flow: data sets → networks → hidden states → clusters → automata → results → report."""

from __future__ import annotations

import asyncio
import json
import re
import time
from asyncio import gather
from collections.abc import Awaitable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import flow
from prefect.artifacts import create_link_artifact

from lisor.config import MOVIE_REVIEWS, OWN_VECTORS, REFINED_STATES, RULES, SEARCHES, Experiment, Study, searched_ks
from lisor.data.languages import FILE, find
from lisor.data.vectors import Word2Vec
from lisor.devices import resolve_device
from lisor.errors import AutomatonError, ConfigError, DataError, ModelError, one_line
from lisor.footprint import check_fits
from lisor.names import ATTENTION
from lisor.report.tables import summarize
from lisor.settings import experiment
from lisor_flows import outcome, stopping
from lisor_flows.plan import Plan
from lisor_flows.runners import start_runner
from lisor_flows.stages import Stages
from lisor_tasks.artifacts import Awaited, Ref, Source, describe_source, open_artifact, open_store
from lisor_tasks.data import draw_words, fetch_movie_reviews, number_words, read_corpus, read_series, read_symbols
from lisor_tasks.evaluation import (
    MAX_REASON,
    RESULTS,
    Failure,
    Network,
    collect_results,
    evaluate_automata,
    read_failures,
    reported,
    selected_ways,
)
from lisor_tasks.explain import explain_network
from lisor_tasks.fsa import (
    cluster_hidden_states,
    extract_automata,
    k_blocks,
    learn_baseline,
    search_automata,
)
from lisor_tasks.keys import digest, library_versions
from lisor_tasks.networks import NetworkRef, bring_network, has_diverged, read_sequences
from lisor_tasks.published import check_out
from lisor_tasks.register import Artifacts, Record, register, report_folder
from lisor_tasks.report import project_hidden_states, publish, write_report
from lisor_tasks.rnn import dump_hidden_states, train_networks, trial_blocks
from lisor_tasks.told import find_told
from lisor_tasks.user_code import describe_build

OWN_FAILURES = (AutomatonError, DataError, ModelError)
"""Errors that say something of one network, which fails alone; others concern the run."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The user's files that a study reads."""

    automaton: Source | None
    text: Source | None
    vectors: Source | None
    annotations: Source | None
    symbols: Source | None = None
    series: Source | None = None
    build: Source | None = None
    """The modules that build an external network."""
    weights: Source | None = None


def find_sources(study: Study) -> Sources:
    """The user's files that a study reads, with the digests of their content.

    Raises:
        StoreError: one is missing or cannot be read.
        LanguageError: the study's language is malformed, empty or full.
        ConfigError: no network can have as many hidden states as the smallest k asks for.
        DataError: the annotations cannot be used."""
    dataset = study.dataset
    _check_grid(study)
    name = str(dataset.language)
    own_text = dataset.text is not None and dataset.text != MOVIE_REVIEWS
    models = study.models
    annotations = None if study.explain.annotations is None else describe_source(study.explain.annotations)
    if annotations is not None:
        from lisor.explain.annotations import read  # loads SciPy, which most runs do without

        read(Path(annotations.path))
    return Sources(
        automaton=describe_source(name.removeprefix(FILE)) if name.startswith(FILE) else None,
        text=describe_source(str(dataset.text), folder=True) if own_text else None,
        vectors=None if dataset.vectors in OWN_VECTORS else describe_source(dataset.vectors),
        annotations=annotations,
        symbols=None if dataset.symbols is None else describe_source(dataset.symbols),
        series=None if dataset.series is None or dataset.aeon else describe_source(dataset.series),
        build=None if models.build is None else describe_build(models.build),
        weights=None if models.weights is None else describe_source(models.weights),
    )


def _check_grid(study: Study) -> None:
    """Refuse a smallest k above the number of hidden states that there can be."""
    dataset, size, bound = study.dataset, study.dataset.sizes["validation"], None
    if dataset.language is not None:
        language = find(dataset.language, dataset.alphabet)
        bound = language.most_prefixes(int(size or 0), dataset.length_limit)
    elif dataset.text is not None and size is not None:
        bound = size * dataset.length_limit
    first = study.clustering.k[0]
    if bound is not None and bound < first:
        raise ConfigError(
            f"clustering.k must begin at no more than {bound:,} for {dataset.title[:80]}, got {first:,}: "
            "its validation split leaves no more hidden states than that"
        )


@flow(name="lisor", flow_run_name="{settings[name]}")
def lisor_pipeline(settings: dict[str, Any], out: str | None = None) -> dict[str, Any]:
    """Run an experiment and return its summary, which also stands in `summary.json`.

    `settings` are those of a file in configs/, as plain values; `out` is the folder of the report, by default
    LISOR_HOME/reports/<name>/<key>, with a key of the settings and of what the run has made."""
    stopping.take_back()
    started = time.monotonic()
    plan = experiment(settings)
    check_fits(plan)
    store = open_store()
    if out is not None:
        check_out(Path(out).absolute())
    with store.in_use():
        with start_runner(plan) as runner, Stages(runner, store.home, plan.threads) as stages:
            networks, results, report = asyncio.run(_make_all(plan, stages))
        failures = read_failures(results)
        artifacts = Artifacts(results=results, report=report, networks=tuple(networks))
        record = Record(name=plan.name, out="", settings=settings, artifacts=artifacts)
        folder = report_folder(record.run) if out is None else Path(out).absolute()
        summary = _summarize(plan, folder, results, networks, stages, time.monotonic() - started)
        summary["failed"] = [str(failure) for failure in failures]
        summary["unexplained"] = [f"{one.label}: {one.unexplained}" for one in networks if one.unexplained]
        record = replace(record, out=str(folder))
        register(publish(record, json.dumps(summary, indent=1, ensure_ascii=False)))
    # The run is whole: nothing that goes wrong from here on may cost it.
    outcome.settle(summary)
    try:
        run_experiment, run = find_told(record, store.home) or _tell(record)
        summary["mlflow"] = {"experiment": run_experiment, "run": run}
    except Exception as error:  # `lisor track` can log it to MLflow later
        summary["mlflow"] = {"error": one_line(str(error))}
    try:
        create_link_artifact(
            key=artifact_key(plan.name),
            link=(folder / "report.html").as_uri(),
            description=f"Report of {plan.name}; MLflow: {json.dumps(summary['mlflow'])}",
        )
    except Exception as error:
        summary["prefect"] = _not_noted(error)
    return summary


def run_pipeline(settings: dict[str, Any], out: str | None = None) -> dict[str, Any]:
    """The summary of a run that is whole, even if Prefect's server cannot be told that it is."""
    with outcome.awaited() as whole:
        try:
            return lisor_pipeline(settings, out)
        except Exception as error:
            if not whole:
                raise
            return {"mlflow": {"error": "not asked"}, **whole[0], "prefect": _not_noted(error)}


def _not_noted(error: Exception) -> dict[str, str]:
    reason = one_line(str(error), 150) or type(error).__name__
    return {"error": f"its server did not take note that the run is whole: {reason}"}


def artifact_key(name: str) -> str:
    """What Prefect calls the report of a run: lower-case ASCII letters, digits and hyphens.

    Where letters of the name are lost, a digest tells it from others."""
    plain = "-".join(re.findall("[a-z0-9]+", name.lower()))
    return "-".join([plain, *([] if name.isascii() else [digest(name)[:8]]), "report"]).lstrip("-")


def _tell(record: Record) -> tuple[str, str]:
    from lisor_tasks.tracking import track  # loads MLflow

    return track(record)


def plan_pipeline(plan: Experiment) -> Plan:
    """What a run of an experiment would compute and why; nothing is run or written."""
    stages = Plan()
    asyncio.run(_make_all(plan, stages))
    return stages


async def _make_networks(plan: Experiment, stages: Stages | Plan) -> list[Network | Failure]:
    """Everything that is made for each network, in the order of data sets, cells and trials."""
    made = await gather(*(_make_study(plan, study, stages) for study in plan.studies))
    return [network for networks in made for network in networks]


async def _make_study(plan: Experiment, study: Study, stages: Stages | Plan) -> list[Network | Failure]:
    """The networks of one data set; a block of trials goes on as soon as it is trained."""
    data = await _make_dataset(study, stages)

    async def make_block(cell: str, block: tuple[int, ...]) -> list[Network | Failure]:
        label = f"{study.dataset.name}-{cell} {_span(block)}"
        training = replace(study.training, device=resolve_device(study.training.device))
        how = (cell, study.models, training, block)
        wanted = [trial for trial in block if trial < study.training.trials]  # a block is always trained whole
        models = await stages.run("train", train_networks, data, *how, label=label)
        references = {trial: NetworkRef(model=models[trial - block[0]], made_by=cell) for trial in wanted}
        return await gather(*(try_network(cell, trial, references[trial]) for trial in wanted))

    async def try_network(cell: str, trial: int, network: NetworkRef) -> Network | Failure:
        names = {"dataset": study.dataset.title, "name": study.dataset.name}
        # a plan has no network yet
        if not isinstance(network.model, Awaited) and has_diverged(network.model):
            reason = "training diverged (its loss is not a number): lower training.learning_rate"
            return Failure(**names, cell=cell, trial=trial, reason=reason)
        try:
            return await make_network(cell, trial, network)
        except OWN_FAILURES as error:
            return Failure(**names, cell=cell, trial=trial, reason=str(error))

    async def make_network(cell: str, trial: int, network: NetworkRef) -> Network:
        label = f"{study.dataset.name}-{cell}-{trial}"
        states = await stages.run("dump", dump_hidden_states, network, data, label=label)
        methods, rules = study.ways(cell)
        grid = [(method, ks) for method in methods for ks in k_blocks(*study.clustering.k)]
        made = _all(*(make_automata(label, network, states, rules, *block) for block in grid))
        asked = trial == 0 and study.dataset.language is not None and not cell.startswith(ATTENTION)
        others = study.extraction.baselines if asked else ()
        learned = _all(*(make_baseline(label, network, states, method) for method in others))
        blocks, plane, baselines = await _all(made, make_plane(label, trial, network, states), learned)
        clusterings, automata, evaluations, searched = zip(*blocks, strict=True)
        return Network(
            dataset=study.dataset.title,
            name=study.dataset.name,
            cell=cell,
            trial=trial,
            data=data,
            model=network.model,
            made_by=network.made_by,
            states=states,
            clusterings=clusterings,
            automata=automata,
            evaluations=evaluations,
            searched=tuple(pair for pair in searched if pair is not None),
            plane=plane,
            most_states=study.extraction.most_states,
            baselines=tuple(baselines),
        )

    async def make_baseline(label: str, network: NetworkRef, states: Ref, method: str) -> tuple[Ref, Ref]:
        label, how = f"{label} {method}", (method, study.extraction.baseline_steps, study.training.seed)
        automata = await stages.run("baseline", learn_baseline, network, data, *how, label=label)
        return automata, await stages.run("evaluate", evaluate_automata, automata, states, data, label=label)

    async def make_plane(label: str, trial: int, network: NetworkRef, states: Ref) -> Ref | None:
        if trial > 0:
            return None
        plane: Ref = await stages.run("report", project_hidden_states, network, states, label=label)
        return plane

    async def make_automata(
        label: str, network: NetworkRef, states: Ref, rules: tuple[str, ...], method: str, ks: tuple[int, ...]
    ) -> tuple[Ref, Ref, Ref, tuple[Ref, Ref] | None]:
        label, config = f"{label} {method} k {_span(ks)}", study.clustering
        weight = {"kmeans-x": config.position_weight, "decision-aware": config.decision_weight}.get(method)
        device = "cpu" if method == "kmeans-x" else resolve_device(config.device, ("cuda", "cpu"))
        how = (network, method, ks, weight, config.seed, device)
        clusters = await stages.run("cluster", cluster_hidden_states, states, *how, label=label)
        searched = make_searched(label, network, states, clusters, rules, method, ks)
        read_off = tuple(rule for rule in rules if rule in RULES)
        automata, found = await _all(
            stages.run(
                "extract", extract_automata, network, states, clusters, read_off, study.extraction.unseen, label=label
            ),
            searched,
        )
        evaluations = await stages.run("evaluate", evaluate_automata, automata, states, data, label=label)
        return clusters, automata, evaluations, found

    async def make_searched(
        label: str,
        network: NetworkRef,
        states: Ref,
        clusters: Ref,
        rules: tuple[str, ...],
        method: str,
        ks: tuple[int, ...],
    ) -> tuple[Ref, Ref] | None:
        config = study.extraction
        rules = tuple(rule for rule in rules if rule in SEARCHES)
        wanted = tuple(k for k in searched_ks(*study.clustering.k) if k in ks)
        if not rules or not wanted:
            return None
        limits = (config.most_states or REFINED_STATES, config.search_steps, study.clustering.seed)
        how = (clusters, method, wanted, rules, *limits)
        automata = await stages.run("search", search_automata, network, states, data, *how, label=label)
        return automata, await stages.run("evaluate", evaluate_automata, automata, states, data, label=label)

    if study.models.build is not None:
        sources = find_sources(study)
        brought = (data, study.models.build, sources.build, sources.weights)
        model = await stages.run("data", bring_network, *brought)
        return [await try_network(study.models.names[0], 0, NetworkRef(model=model, made_by=study.models.build))]
    of_words = study.dataset.language is not None
    blocks = [*product(study.models.cells, trial_blocks(study.training.trials, of_words=of_words))]
    return [network for networks in await gather(*(make_block(*block) for block in blocks)) for network in networks]


async def _make_dataset(study: Study, stages: Stages | Plan) -> Ref:
    sources = find_sources(study)
    if study.dataset.language is not None:
        return await stages.run("data", draw_words, study.dataset, sources.automaton)
    if study.dataset.series is not None:
        return await stages.run("data", read_series, sources.series, study.dataset.aeon, study.dataset)
    if study.dataset.symbols is not None and study.models.build is None:
        return await stages.run("data", read_symbols, sources.symbols, study.dataset)
    if study.dataset.symbols is not None:
        how = (sources.symbols, study.models.build, sources.build, sources.weights, study.dataset)
        return await stages.run("data", read_sequences, *how)
    if sources.text is None:
        corpus = await stages.run("data", fetch_movie_reviews)
    else:
        corpus = await stages.run("data", read_corpus, sources.text)
    vectors: Source | Word2Vec | None = sources.vectors
    if study.dataset.vectors == "word2vec":
        vectors = Word2Vec(size=study.models.vector_size, seed=study.dataset.seed)
    return await stages.run("data", number_words, corpus, vectors, study.dataset)


async def _make_all(plan: Experiment, stages: Stages | Plan) -> tuple[list[Network], Ref, Ref]:
    """The networks that could be made, their results, and the report."""
    made = await _make_networks(plan, stages)
    networks = [network for network in made if isinstance(network, Network)]
    failures = [failure for failure in made if isinstance(failure, Failure)]
    results = await stages.run("report", collect_results, networks, failures)
    networks = await _explain(plan, networks, results, stages)
    return networks, results, await stages.run("report", write_report, plan.name, results, networks)


async def _explain(plan: Experiment, networks: list[Network], results: Ref, stages: Stages | Plan) -> list[Network]:
    """The networks, and with the first trial of each cell its explanation where the settings ask for it."""
    studies = {study.dataset.title: study for study in plan.studies if study.explain.enabled}
    able = networks if isinstance(results, Awaited) else reported(networks, results)  # a plan has no results yet
    asked = [network for network in able if network.trial == 0 and network.dataset in studies]
    ways = selected_ways(results) if asked and not isinstance(results, Awaited) else {}

    async def explain(network: Network) -> Network:
        study = studies[network.dataset]
        way = ways[network.identity] if ways else results
        company = [other.states for other in asked if other.dataset == network.dataset]
        reference = NetworkRef(model=network.model, made_by=network.made_by)
        artifacts = (reference, network.states, network.data, network.every_automaton, way, company)
        how = (study.explain, find_sources(study).annotations)
        try:
            explanation: Ref = await stages.run("explain", explain_network, *artifacts, *how, label=network.label)
        except OWN_FAILURES as error:
            return replace(network, unexplained=str(error)[:MAX_REASON])
        return replace(network, explanation=explanation)

    explained = {network.label: network for network in await gather(*map(explain, asked))}
    return [explained.get(network.label, network) for network in networks]


def _summarize(
    plan: Experiment, folder: Path, results: Ref, networks: list[Network], stages: Stages, seconds: float
) -> dict[str, Any]:
    """What ran, with which versions, how long each stage took when it was computed, and the headline numbers."""
    store = open_store()
    spent = {
        "data": sum(store.seconds(data) for data in {network.data for network in networks}),
        "train": sum(store.seconds(network.model) for network in networks),
        "dump": sum(store.seconds(network.states) for network in networks),
        "cluster": sum(store.seconds(ref) for network in networks for ref in network.clusterings),
        "extract": sum(store.seconds(ref) for network in networks for ref in network.automata),
        "search": sum(store.seconds(ref) for network in networks for ref, _ in network.searched),
        "evaluate": sum(store.seconds(ref) for network in networks for ref in network.evaluations),
        "explain": sum(store.seconds(network.explanation) for network in networks if network.explanation is not None),
    }
    rows = summarize(pd.read_parquet(open_artifact(results) / RESULTS))
    done, cached = stages.done.total(), stages.cached.total()
    trained = stages.done["train"] - stages.cached["train"]
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


async def _all(*making: Awaitable[Any]) -> list[Any]:
    """What all come to; where some fail, the first failure, once none is being made any more."""
    made = await gather(*making, return_exceptions=True)
    for failure in made:
        if isinstance(failure, BaseException):
            raise failure
    return made


def _span(numbers: tuple[int, ...]) -> str:
    """A run of numbers by its ends."""
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}–{numbers[-1]}"
