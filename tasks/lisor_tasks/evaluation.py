"""Tasks that evaluate automata, and the table of all that was found.

What a task runs is imported inside it, so that a run answered from the cache need not load torch and scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lisor.errors import DataError
from lisor_tasks.artifacts import Ref, open_artifact, open_store
from lisor_tasks.caching import cached
from lisor_tasks.data import read_dataset
from lisor_tasks.networks import read_about

_EVALUATIONS = "evaluations.parquet"
RESULTS = "results.parquet"


@dataclass(frozen=True, kw_only=True)
class Network:
    """One trained network and all that was made of it, a reference for each method and block of k.

    `dataset` is the data set's name in the results, `name` that in file names."""

    dataset: str
    name: str
    cell: str
    trial: int
    data: Ref
    model: Ref
    made_by: str
    """The name of its cell, or the callable that builds it."""
    states: Ref
    clusterings: tuple[Ref, ...]
    automata: tuple[Ref, ...]
    evaluations: tuple[Ref, ...]
    searched: tuple[tuple[Ref, Ref], ...] = ()
    """Automata that were searched for from the clusterings, and their evaluations."""
    plane: Ref | None = None
    """Of the first trial of each cell."""
    most_states: int | None = None
    """Automata of more states are not picked."""
    baselines: tuple[tuple[Ref, Ref], ...] = ()
    """What other learners made of the network: automata and evaluations."""
    explanation: Ref | None = None
    """Of the first trial of each cell, where explanations are asked for."""

    @property
    def every_automaton(self) -> tuple[Ref, ...]:
        """The artifacts of all automata that may be selected."""
        return (*self.automata, *(automata for automata, _ in self.searched))

    @property
    def label(self) -> str:
        """The network's name in file names, pictures and MLflow."""
        return f"{self.name}-{self.cell}-{self.trial}"


@cached("evaluations", name="evaluate {execution.label}")
def evaluate_automata(folder: Path, automata: Ref, states: Ref, dataset: Ref) -> None:
    """The accuracy, fidelity and exactness of each automaton of a block on every split it was not trained on."""
    from lisor.fsa import evaluation, extraction
    from lisor.rnn.hidden_states import HiddenStates

    data = read_dataset(dataset)
    splits = {name: split for name, split in data.splits.items() if name != "train"}
    rows = evaluation.evaluate(
        extraction.read(open_artifact(automata)),
        splits,
        HiddenStates(folder=open_artifact(states)).answers(),
        data.language,
    )
    pd.DataFrame([vars(row) for row in rows], columns=list(evaluation.Evaluation.__annotations__)).to_parquet(
        folder / _EVALUATIONS, index=False
    )


@cached("results", name="collect results")
def collect_results(folder: Path, networks: Sequence[Network]) -> None:
    """The table of all evaluations, with the automata that are chosen and selected."""
    from lisor.fsa import evaluation

    tables = []
    for network in networks:
        about = read_about(network.model)
        tolerance = evaluation.default_tolerance(about["classes"])
        table = evaluation.choose(read_evaluations(network), tolerance=tolerance, most_states=network.most_states)
        peers = [_read_timed(automata, rows) for automata, rows in network.baselines]
        if any(len(rows) for rows in peers):
            table = pd.concat([table, evaluation.apart(pd.concat(peers, ignore_index=True))], ignore_index=True)
        identity = {"dataset": network.dataset, "cell": network.cell, "trial": network.trial, "seed": about["seed"]}
        tables.append(table.assign(**identity))
    evaluation.write_results(pd.concat(tables, ignore_index=True), folder / RESULTS)


def selected_ways(results: Ref) -> dict[tuple[str, str, int], tuple[str, str, int]]:
    """Method, rule and k of the selected automaton by data set, cell and trial."""
    table = pd.read_parquet(open_artifact(results) / RESULTS)
    rows = table[table["selected"] & (table["test_set"] == "test")]
    return {
        (row["dataset"], row["cell"], row["trial"]): (row["method"], row["rule"], int(row["k"]))
        for row in rows.to_dict("records")
    }


def read_evaluations(network: Network) -> pd.DataFrame:
    """Every evaluation of a network's own automata, those on the selection split among them, with the `seconds` that
    each automaton took.

    Raises:
        DataError: there are none, since the network has too few distinct hidden states."""
    store = open_store()
    tables = []
    for clusterings, automata, evaluations in zip(
        network.clusterings, network.automata, network.evaluations, strict=True
    ):
        rows = _read(evaluations)
        if len(rows):
            made = rows.groupby(["rule", "k"]).ngroups
            tables.append(rows.assign(seconds=(store.seconds(clusterings) + store.seconds(automata)) / made))
    if not tables:
        raise DataError(
            f"{network.label} has fewer distinct hidden states than the smallest k of the grid; lower clustering.k"
        )
    for automata, evaluations in network.searched:
        rows = _read(evaluations)
        if len(rows):  # none where the grid was cut
            made = rows.groupby(["rule", "k"]).ngroups
            tables.append(rows.assign(seconds=store.seconds(automata) / made))
    return pd.concat(tables, ignore_index=True)


def _read_timed(automata: Ref, evaluations: Ref) -> pd.DataFrame:
    """The evaluations of what one baseline learned, with the `seconds` that it took."""
    return _read(evaluations).assign(seconds=open_store().seconds(automata))


def _read(evaluations: Ref) -> pd.DataFrame:
    return pd.read_parquet(open_artifact(evaluations) / _EVALUATIONS)
