"""Tasks that cluster hidden states, read automata off the clusters, and evaluate them.

What a task runs is imported inside it, so that a run answered from the cache need not load torch and scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from lisor.errors import DataError
from tasks.artifacts import Ref, open_artifact, open_store
from tasks.caching import cached
from tasks.data import read_dataset

_EVALUATIONS = "evaluations.parquet"
RESULTS = "results.parquet"


@dataclass(frozen=True, kw_only=True)
class Network:
    """One trained network and all that was made of it, a reference for each method and block of k."""

    dataset: str
    cell: str
    trial: int
    data: Ref
    model: Ref
    states: Ref
    clusterings: tuple[Ref, ...]
    automata: tuple[Ref, ...]
    evaluations: tuple[Ref, ...]
    plane: Ref | None = None
    """Of the first trial of each cell."""

    @property
    def label(self) -> str:
        """The network's name in file names, pictures and MLflow."""
        return f"{self.dataset}-{self.cell}-{self.trial}"


def k_blocks(first: int, last: int) -> list[tuple[int, ...]]:
    """The numbers of clusters in blocks that end at 16, 32, 64, …, so that a wider grid adds blocks at its end."""
    blocks, edge = [], 16
    while first <= last:
        if first <= edge:
            blocks.append(tuple(range(first, min(edge, last) + 1)))
            first = edge + 1
        edge *= 2
    return blocks


@cached("clusterings", "lisor.fsa.clustering", name="cluster {label}", without=["label"])
def cluster_hidden_states(
    folder: Path,
    states: Ref,
    method: str,
    ks: tuple[int, ...],
    position_weight: float | None,
    seed: int,
    threads: int,
    label: str,
) -> None:
    """A clustering of a network's hidden states for each k of a block."""
    from lisor.fsa import clustering
    from lisor.fsa.kmeans_x import Positions
    from lisor.rnn.hidden_states import HiddenStates

    dump = HiddenStates(folder=open_artifact(states))
    positions = None if position_weight is None else Positions.of(*dump.places(), position_weight)
    found = clustering.cluster(dump.matrix(), ks, method=method, seed=seed, positions=positions)
    clustering.write(found, folder)


@cached("automata", "lisor.fsa.extraction", name="extract {label}", without=["label"])
def extract_automata(
    folder: Path,
    model: Ref,
    states: Ref,
    clusterings: Ref,
    rules: tuple[str, ...],
    unseen: Literal["auto", "reject", "stay"],
    label: str,
) -> None:
    """An automaton for each clustering of a block and each rule."""
    from lisor.fsa import clustering, extraction
    from lisor.rnn.classifier import TrainedModel
    from lisor.rnn.hidden_states import HiddenStates

    network = TrainedModel.read(open_artifact(model))
    points = HiddenStates(folder=open_artifact(states)).read()
    policy = extraction.default_unseen(is_text=network.tokenizer is not None) if unseen == "auto" else unseen
    blocks = list(clustering.read(open_artifact(clusterings)))
    extraction.write(
        (extraction.extract(network, points, block, rule=rule, unseen=policy) for block in blocks for rule in rules),
        folder,
    )


@cached("evaluations", "lisor.fsa.evaluation", name="evaluate {label}", without=["label"])
def evaluate_automata(folder: Path, automata: Ref, states: Ref, dataset: Ref, language: str | None, label: str) -> None:
    """The accuracy, fidelity and exactness of each automaton of a block on every split it was not trained on."""
    from lisor.data.languages import LANGUAGES
    from lisor.fsa import evaluation, extraction
    from lisor.rnn.hidden_states import HiddenStates

    splits = {name: split for name, split in read_dataset(dataset).splits.items() if name != "train"}
    rows = evaluation.evaluate(
        extraction.read(open_artifact(automata)),
        splits,
        HiddenStates(folder=open_artifact(states)).answers(),
        None if language is None else LANGUAGES[language],
    )
    pd.DataFrame([asdict(row) for row in rows], columns=list(evaluation.Evaluation.__annotations__)).to_parquet(
        folder / _EVALUATIONS, index=False
    )


@cached("results", "lisor.fsa.evaluation", name="collect results")
def collect_results(folder: Path, networks: Sequence[Network]) -> None:
    """The table of all evaluations, with the automata that are chosen and selected."""
    from lisor.fsa import evaluation
    from lisor.rnn.classifier import TrainedModel

    store = open_store()
    tables = []
    for network in networks:
        model = TrainedModel.read(store.open(network.model))
        blocks = []
        for block in zip(network.clusterings, network.automata, network.evaluations, strict=True):
            rows = pd.read_parquet(store.open(block[2]) / _EVALUATIONS)
            if len(rows):
                made = rows.groupby(["rule", "k"]).ngroups
                blocks.append(rows.assign(seconds=(store.seconds(block[0]) + store.seconds(block[1])) / made))
        if not blocks:
            raise DataError(
                f"{network.label} has fewer distinct hidden states than the smallest k of the grid; lower clustering.k"
            )
        tolerance = evaluation.default_tolerance(is_text=model.tokenizer is not None)
        table = evaluation.choose(pd.concat(blocks, ignore_index=True), tolerance=tolerance)
        identity = {"dataset": network.dataset, "cell": network.cell, "trial": network.trial, "seed": model.seed}
        tables.append(table.assign(**identity))
    evaluation.write_results(pd.concat(tables, ignore_index=True), folder / RESULTS)
