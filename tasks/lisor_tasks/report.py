"""Tasks that write the report and publish what a run found."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import task

from lisor.errors import StoreError
from lisor_tasks.artifacts import Ref, open_artifact, write_text
from lisor_tasks.caching import cached
from lisor_tasks.data import read_dataset
from lisor_tasks.evaluation import RESULTS, Network, read_failures, reported
from lisor_tasks.explain import ACTIVATIONS, EXPLANATION
from lisor_tasks.fsa import LEARNED, SEARCHED, read_extraction
from lisor_tasks.networks import read_about, read_network

if TYPE_CHECKING:
    from lisor.fsa.clustering import Clustering
    from lisor.report.findings import Explained, Findings


@cached("plane", "lisor.report.plane", name="t-SNE {label}", without=["label"])
def project_hidden_states(folder: Path, model: Ref, states: Ref, label: str) -> None:
    """A network's hidden states in the plane."""
    from lisor.report import plane
    from lisor.rnn.hidden_states import HiddenStates

    network, points = read_network(model), HiddenStates(folder=open_artifact(states)).read()
    plane.project(network, points.state, points.answer).write(folder)


@cached("report", "lisor.report.report", name="report {title}")
def write_report(folder: Path, title: str, results: Ref, networks: Sequence[Network]) -> None:
    """The report page, its tables and pictures, and every chosen and selected automaton as JSON, DOT and SVG."""
    from lisor.fsa import evaluation
    from lisor.report import report

    shown = reported(networks, results)
    datasets = {network.dataset: read_dataset(network.data) for network in shown}
    findings = [_find(network) for network in shown]
    missing = [f"Failed, and nowhere below: {one}." for one in read_failures(results)]
    missing += [f"Not explained: {network.label}: {network.unexplained}." for network in shown if network.unexplained]
    table = evaluation.read_results(open_artifact(results) / RESULTS)
    report.write(folder, title, table, datasets, findings, missing)


def _find(network: Network) -> Findings:
    """What the report reads of a network, its clusterings and automata one by one when they are asked for."""
    from lisor.fsa import clustering
    from lisor.report.findings import Findings
    from lisor.report.plane import Plane
    from lisor.rnn.hidden_states import HiddenStates

    def find_clustering(method: str, k: int) -> Clustering:
        blocks = (clustering.read(open_artifact(block), {(method, k)}) for block in network.clusterings)
        return next(chain.from_iterable(blocks))

    about = read_about(network.model)
    learned = [json.loads((open_artifact(automata) / LEARNED).read_text()) for automata, _ in network.baselines]
    searches = [json.loads((open_artifact(automata) / SEARCHED).read_text()) for automata, _ in network.searched]
    return Findings(
        dataset=network.dataset,
        name=network.name,
        cell=network.cell,
        trial=network.trial,
        history=about["history"],
        restarts=about["restarts"],
        clustering=find_clustering,
        extraction=partial(read_extraction, network.every_automaton),
        variance=lambda: HiddenStates(folder=open_artifact(network.states)).variance(),
        searches=tuple(search for block in searches for search in block),
        unfinished={about["method"]: about["unfinished"] for about in learned if about["unfinished"]},
        plane=None if network.plane is None else Plane.read(open_artifact(network.plane)),
        explained=None if network.explanation is None else _read_explained(network.explanation),
    )


def _read_explained(ref: Ref) -> Explained:
    from lisor.explain.activations import Activations
    from lisor.explain.explanation import Explanation
    from lisor.report.findings import Explained

    folder = open_artifact(ref)
    return Explained(
        explanation=Explanation.from_json((folder / EXPLANATION).read_text(encoding="utf-8")),
        activations=Activations.read(folder / ACTIVATIONS),
    )


@task(name="publish", task_run_name="publish to {out}", retries=1, retry_delay_seconds=1)
def publish(out: str, results: Ref, report: Ref, record: str, summary: str) -> None:
    """Copy the files of a run to the folder where its user looks for them, each whole or not at all.

    Raises:
        StoreError: the folder cannot be written."""
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for entry in sorted(open_artifact(report).iterdir()):
            if entry.is_dir():
                _replace_folder(entry, folder / entry.name)
            elif entry.suffix == ".html":
                _replace_file(entry, folder / entry.name)
        _replace_file(open_artifact(results) / RESULTS, folder / RESULTS)
        write_text(folder / "run.json", record)
        write_text(folder / "summary.json", summary)
    except OSError as error:
        every = error.args[0] if isinstance(error, shutil.Error) else []  # of the files of a folder
        first = str(every[0][2]).partition(": ")[0] if every else error.strerror
        reason = f"{first or error}; what was computed is kept, so run again with another --out"
        raise StoreError(f"the report cannot be written to {folder}: {reason}") from error


def _replace_file(source: Path, target: Path) -> None:
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(source, fresh)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _replace_folder(source: Path, target: Path) -> None:
    """Put a copy of a folder in the place of another, which is only removed when the copy is whole."""
    fresh, old = (target.with_name(f".{target.name}.{part}.{os.getpid()}") for part in ("new", "old"))
    try:
        shutil.copytree(source, fresh)
        if target.exists():
            target.replace(old)
        fresh.replace(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
