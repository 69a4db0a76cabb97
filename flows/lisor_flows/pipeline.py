"""The pipeline as a Prefect flow: datasets → networks → hidden states → clusters → automata →
results → report."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import flow
from prefect.artifacts import create_link_artifact

from lisor.errors import one_line
from lisor.pipeline import pipeline
from lisor.report.tables import summarize
from lisor.settings.experiment import Experiment
from lisor.settings.memory import check_fits
from lisor_flows import outcome, stopping
from lisor_flows.configs import read_config
from lisor_flows.plan import Plan
from lisor_flows.runners import start_runner
from lisor_flows.task_queue import TaskQueue
from lisor_flows.task_stages import TaskStages
from lisor_tasks.artifacts import Ref, open_artifact, open_store
from lisor_tasks.evaluation import RESULTS, NetworkArtifacts, read_failures
from lisor_tasks.keys import digest, library_versions
from lisor_tasks.published import check_out
from lisor_tasks.register import Artifacts, Record, register, report_folder
from lisor_tasks.report import NOTES, publish
from lisor_tasks.tracked import find_tracked


@flow(name="lisor", flow_run_name="{settings}")
def lisor_pipeline(settings: Experiment | str, out: str | None = None) -> dict[str, Any]:
    """Run an experiment and return its summary, which is also written to `summary.json`.

    Args:
        settings: The settings of the run, or the name of a file of settings in configs/.
        out: The folder of the report; LISOR_HOME/reports/NAME/KEY unless given, with the key of the
            run."""
    stopping.take_back()
    started = time.monotonic()
    plan = Experiment(**read_config(settings)) if isinstance(settings, str) else settings
    check_fits(plan)
    store = open_store()
    if out is not None:
        check_out(Path(out).absolute())
    with store.in_use():
        with start_runner(plan) as runner, TaskQueue(runner, store.home, plan.threads) as tasks:
            networks, results, report = asyncio.run(pipeline(TaskStages(tasks), plan))
        failures = read_failures(results)
        artifacts = Artifacts(results=results, report=report, networks=tuple(networks))
        record = Record(name=plan.name, out="", settings=plan.plain(), artifacts=artifacts)
        folder = report_folder(record.run) if out is None else Path(out).absolute()
        summary = _summarize(plan, folder, results, networks, tasks, time.monotonic() - started)
        summary["failed"] = [str(failure) for failure in failures]
        summary["unexplained"] = [
            f"{network.label}: {network.unexplained}" for network in networks if network.unexplained
        ]
        summary["notes"] = json.loads((open_artifact(report) / NOTES).read_text(encoding="utf-8"))
        record = replace(record, out=str(folder))
        register(publish(record, json.dumps(summary, indent=1, ensure_ascii=False)))
    # The run is whole: no error from here on may fail it.
    outcome.add_summary(summary)
    try:
        experiment, run = find_tracked(record, store.home) or _track(record)
        summary["mlflow"] = {"experiment": experiment, "run": run}
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


def run_pipeline(settings: Experiment, out: str | None = None) -> dict[str, Any]:
    """The summary of a run that is whole, even if Prefect's server could not record its end."""
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
    """The key of a run's report in Prefect: lower-case ASCII letters, digits and hyphens.

    A name that loses letters gets a digest, so that it stays distinct."""
    plain = "-".join(re.findall("[a-z0-9]+", name.lower()))
    return "-".join([plain, *([] if name.isascii() else [digest(name)[:8]]), "report"]).lstrip("-")


def _track(record: Record) -> tuple[str, str]:
    from lisor_tasks.tracking import track  # loads MLflow

    return track(record)


def plan_pipeline(plan: Experiment) -> Plan:
    """The plan of an experiment: what a run would compute and why; nothing is run or written."""
    tasks = Plan()
    asyncio.run(pipeline(TaskStages(tasks), plan))
    return tasks


def _summarize(
    plan: Experiment,
    folder: Path,
    results: Ref,
    networks: list[NetworkArtifacts],
    tasks: TaskQueue,
    seconds: float,
) -> dict[str, Any]:
    """The versions of libraries, the seconds of each stage when it was computed, the numbers of
    tasks, and the headline numbers."""
    store = open_store()
    extracted = [block for network in networks for block in network.extracted]
    stages: dict[str, Iterable[Ref | None]] = {
        "data": {network.data for network in networks},
        "train": (network.model for network in networks),
        "dump": (network.states for network in networks),
        "cluster": (ref for network in networks for ref in network.clusterings),
        "extract": (block.automata for block in extracted if block.clusterings),
        "search": (block.automata for block in extracted if not block.clusterings),
        "evaluate": (block.evaluations for block in extracted),
        "anomalies": (network.detections for network in networks),
        "explain": (network.explanation for network in networks),
    }
    spent = {
        stage: sum(store.seconds(ref) for ref in made if ref is not None)
        for stage, made in stages.items()
    }
    done, cached = tasks.done.total(), tasks.cached.total()
    trained = tasks.done["train"] - tasks.cached["train"]
    rows = summarize(pd.read_parquet(open_artifact(results) / RESULTS))
    return {
        "schema": 1,
        "name": plan.name,
        "out": str(folder),
        "versions": {"lisor": version("lisor"), **library_versions()},
        "seconds": {
            "this_run": round(seconds, 2),
            **{stage: round(value, 2) for stage, value in spent.items()},
        },
        "tasks": {"run": done - cached, "trained": trained, "from_cache": cached},
        "headline": [asdict(row) for row in rows],
    }
