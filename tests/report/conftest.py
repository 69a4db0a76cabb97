"""What the tests of the report share: rows of results made up by hand, and a whole run that is tiny
but real."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from lisor.automata.languages import LANGUAGES
from lisor.clustering.clustering import cluster
from lisor.data import text, words
from lisor.data.dataset import Dataset
from lisor.evaluation import choice, evaluation
from lisor.evaluation.measures import COLUMNS
from lisor.extraction.extraction import Extraction
from lisor.extraction.transitions import default_unseen
from lisor.networks import hidden_states, training
from lisor.networks.hidden_states import HiddenStates
from lisor.networks.trained import TrainedModel
from lisor.report import embedding
from lisor.report.findings import Findings
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings
from tests.extracting import extract


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of t-SNE that wait for each other on busy cores take ten times as long as one."""
    with threadpool_limits(1):
        yield


def rows(
    accuracy: Callable[[str, str, int, int], float] = lambda method, cell, trial, k: k / 10,
    *,
    methods: Sequence[str] = ("kmeans",),
    cells: Sequence[str] = ("gru",),
    trials: Sequence[int] = (0, 1),
    ks: Sequence[int] = (2, 3, 4),
) -> pd.DataFrame:
    """Results of the language 000, the accuracy as `accuracy(method, cell, trial, k)` says; k = 4
    is chosen."""
    return pd.DataFrame(
        [
            dict.fromkeys(COLUMNS, np.nan) | {
                "dataset": "000", "target": "class", "cell": cell,
                "method": method, "rule": "majority",
                "trial": trial, "k": k, "test_set": "test",
                "accuracy": accuracy(method, cell, trial, k), "fidelity": k / 8,
                "rnn_accuracy": 0.9, "exact": k == 4, "n_states": k + 1, "n_states_minimal": k,
                "unseen_transitions": 0.0, "deterministic": True,
                "chosen": k == 4, "selected": k == 4,
            }
            for method in methods
            for cell in cells
            for trial in trials
            for k in ks
        ]
    )  # fmt: skip


def findings(
    cell: str,
    extraction: Callable[[str, str, int], Extraction],
    *,
    dataset: str = "000",
    trial: int = 0,
) -> Findings:
    """A network of which nothing but its automata is known."""

    def no_clustering(method: str, k: int) -> NoReturn:
        raise LookupError(f"nobody should look for the clustering of {method} and {k}")

    def no_network() -> NoReturn:
        raise LookupError("nobody should look for the network")

    return Findings(
        dataset=dataset,
        name=dataset,
        cell=cell,
        trial=trial,
        history={},
        restarts=0,
        clustering=no_clustering,
        extraction=extraction,
        variance=lambda: 1.0,
        predictions=lambda: np.empty((0, 2)),
        network=no_network,
    )


@dataclass(frozen=True, kw_only=True)
class Run:
    """What `report.write` reads."""

    results: pd.DataFrame
    datasets: dict[str, Dataset]
    networks: list[Findings]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Networks of 4 hidden units, trained for two epochs on words of a language and on opinions,
    and their automata.

    Two methods cluster, each for k = 2 … 5, but up to 4 for the second network of the opinions."""
    datasets = {"000": _words(), "opinions": _opinions()}
    made = []
    for name, cells in (("000", ("srn", "mgu")), ("opinions", ("gru",))):
        for cell in cells:
            config = TrainingSettings(restarts=0, max_epochs=2, batch_size=16, device="cpu")
            models = ModelsSettings(hidden_size=4, vector_size=4)
            trained = training.train(
                datasets[name], cell=cell, models=models, settings=config, trials=[0, 1]
            )
            for trial, model in enumerate(trained):
                folder = tmp_path_factory.mktemp("network")
                ks = range(2, 5) if (name, trial) == ("opinions", 1) else range(2, 6)
                made.append(_examine(model, name, datasets[name], cell, trial, ks, folder))
    path = tmp_path_factory.mktemp("results") / "results.parquet"
    evaluation.write_results(pd.concat([table for table, _ in made], ignore_index=True), path)
    return Run(
        results=pd.read_parquet(path), datasets=datasets, networks=[network for _, network in made]
    )


def _words() -> Dataset:
    sizes = {"train": 60, "validation": 40, "selection": 20, "test": 30}
    return words.build(LANGUAGES["000"], sizes=sizes, max_length=6, balanced=True, seed=0)


def _opinions() -> Dataset:
    opinions = {"neg": ("bad", "awful", "dull"), "pos": ("good", "great", "lovely")}
    lines = [
        (f"a {opinions[label][i % 3]} film , number {i % 5}", label)
        for i in range(60)
        for label in opinions
    ]
    table, _ = text.prepare(pd.DataFrame(lines, columns=["text", "label"]), sizes={}, seed=5)
    return text.build(table, max_length=10, min_count=2, notes=["2 of 122 rows dropped: <no text>"])


def _examine(
    model: TrainedModel,
    name: str,
    dataset: Dataset,
    cell: str,
    trial: int,
    ks: Sequence[int],
    folder: Path,
) -> tuple[pd.DataFrame, Findings]:
    """The results of one network, and its findings with the states of the first trial in the
    plane."""
    hidden_states.dump(model, dataset, folder)
    dump = HiddenStates(folder=folder)
    points = dump.read()
    unseen = default_unseen(dataset.classes)
    clusterings = [
        block
        for method in ("kmeans", "kmeans-x")
        for block in cluster(points, ks, method=method, weight=0.1, seed=0)
    ]
    found = [extract(model, points, block, unseen=unseen) for block in clusterings]
    splits = {split: rows for split, rows in dataset.splits.items() if split != "train"}
    evaluated = evaluation.evaluate(found, splits, dump.predictions(), dataset.language)
    table = choice.choose(pd.DataFrame(list(map(asdict, evaluated))), tolerance=0.0)
    clustering_of = {(block.method, block.k): block for block in clusterings}
    extraction_of = {(one.method, one.rule, one.k): one for one in found}
    network = Findings(
        dataset=name,
        name=name,
        cell=cell,
        trial=trial,
        history=model.history,
        restarts=model.restarts,
        clustering=lambda *key: clustering_of[key],
        extraction=lambda *key: extraction_of[key],
        variance=dump.variance,
        predictions=lambda: dump.predictions()["test"].probabilities,
        network=lambda: model,
        embedding=embedding.project(model, points.state) if trial == 0 else None,
    )
    return table.assign(dataset=name, cell=cell, trial=trial, seed=model.seed), network
