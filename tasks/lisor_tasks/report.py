"""Tasks that write the report of a run and publish it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import task

from lisor.errors import StoreError
from lisor.files import shorten
from lisor_tasks.anomalies import read_detections
from lisor_tasks.artifacts import Ref, open_artifact, open_store
from lisor_tasks.caching import cached
from lisor_tasks.data import read_dataset
from lisor_tasks.evaluation import (
    RESULTS,
    NetworkArtifacts,
    read_failures,
    reported,
    with_seconds,
)
from lisor_tasks.explain import ACTIVATIONS, EXPLANATION
from lisor_tasks.extraction import LEARNED, read_extraction
from lisor_tasks.manifest import MANIFEST
from lisor_tasks.networks import NetworkRef, read_about, read_network
from lisor_tasks.published import point_latest, publish_files
from lisor_tasks.register import Record, report_folder

if TYPE_CHECKING:
    from lisor.clustering.clustering import Clustering
    from lisor.report.findings import Explained, Findings

SUMMARY, NOTES = "summary.json", "notes.json"


@cached("embedding", name="t-SNE {execution.label}")
def project_hidden_states(folder: Path, network: NetworkRef, states: Ref) -> None:
    """A t-SNE embedding of a network's hidden states."""
    from lisor.networks.hidden_states import HiddenStates
    from lisor.report import embedding

    model, points = read_network(network), HiddenStates(folder=open_artifact(states)).read()
    embedding.project(model, points.state, points.prediction).write(folder)


@cached("report", name="report {title}")
def write_report(
    folder: Path, title: str, results: Ref, networks: Sequence[NetworkArtifacts]
) -> None:
    """The page, tables and pictures of the report, and every chosen and selected automaton as JSON,
    DOT and SVG."""
    from lisor.evaluation import evaluation
    from lisor.report import report

    shown = reported(networks, results)
    datasets = {network.dataset: read_dataset(network.data) for network in shown}
    findings = [_find(network) for network in shown]
    missing = [f"Failed, and nowhere below: {failure}." for failure in read_failures(results)]
    missing += [
        f"Not explained: {network.label}: {network.unexplained}."
        for network in shown
        if network.unexplained
    ]
    table = evaluation.read_results(open_artifact(results) / RESULTS)
    notes = report.write(folder, title, table, datasets, findings, missing)
    (folder / NOTES).write_text(json.dumps(notes, ensure_ascii=False), encoding="utf-8")


def _find(network: NetworkArtifacts) -> Findings:
    """The findings of a network; clusterings and automata are read one by one, when needed."""
    from lisor.clustering import clustering
    from lisor.extraction.extraction import read_searches
    from lisor.networks.hidden_states import HiddenStates
    from lisor.report.embedding import Embedding
    from lisor.report.findings import Findings

    def find_clustering(method: str, k: int) -> Clustering:
        blocks = (
            clustering.read(open_artifact(block), {(method, k)}) for block in network.clusterings
        )
        return next(chain.from_iterable(blocks))

    about = read_about(network.model)
    learned = [
        json.loads((open_artifact(baseline.automata) / LEARNED).read_text())
        for baseline in network.baselines
    ]
    searches = [read_searches(open_artifact(automata)) for automata in network.automata]
    return Findings(
        dataset=network.dataset,
        name=network.name,
        cell=network.cell,
        trial=network.trial,
        history=about["history"],
        restarts=about["restarts"],
        clustering=find_clustering,
        extraction=partial(read_extraction, network.automata),
        network=lambda: read_network(NetworkRef(model=network.model, made_by=network.made_by)),
        variance=lambda: HiddenStates(folder=open_artifact(network.states)).variance(),
        predictions=lambda: (
            HiddenStates(folder=open_artifact(network.states)).predictions()["test"].probabilities
        ),
        searches={variant: search for block in searches for variant, search in block.items()},
        unfinished={
            about["method"]: about["unfinished"] for about in learned if about["unfinished"]
        },
        learned_steps={about["method"]: about["steps"] for about in learned},
        embedding=None
        if network.embedding is None
        else Embedding.read(open_artifact(network.embedding)),
        explained=None if network.explanation is None else _read_explained(network.explanation),
        detections=None if network.detections is None else read_detections(network.detections),
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


@task(name="publish", task_run_name="publish to {record.out}", retries=1, retry_delay_seconds=1)
def publish(record: Record, summary: str) -> Record:
    """Write the files of a run to the folder of its report, each whole or not at all, and return
    its record.

    Raises:
        StoreError: the folder cannot be written, or a file of the user's would be replaced."""
    folder, store = Path(record.out), open_store()
    report = store.open(record.artifacts.report)
    paths = {str(path.relative_to(report)): path for path in report.rglob("*") if path.is_file()}
    files = {name: path.read_bytes() for name, path in paths.items() if name != MANIFEST}
    files |= {
        RESULTS: with_seconds(record.artifacts.results, record.artifacts.networks),
        SUMMARY: summary.encode(),
    }
    with store.lock("publish"):
        try:
            record = publish_files(folder, files, record)
            if folder == report_folder(record.run):
                point_latest(folder)
        except OSError as error:
            raise StoreError(
                f"the report cannot be written to {shorten(folder)}: {error.strerror or error}; "
                "what was computed is kept, so run again with another --out"
            ) from error
    return record
