"""Tasks that evaluate automata, and the table of all that was found.

What a task runs is imported inside it, so that a run answered from the cache need not load torch and scikit-learn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from lisor.errors import DataError
from lisor_tasks.artifacts import Ref, open_artifact, open_store
from lisor_tasks.caching import cached
from lisor_tasks.data import read_dataset
from lisor_tasks.networks import read_about

_EVALUATIONS = "evaluations.parquet"
RESULTS = "results.parquet"
_FAILED = "failed.json"

MAX_REASON = 200
"""Characters of a failure's reason that are shown."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A network of which nothing can be reported, and why; its names are those of `Network`."""

    dataset: str
    name: str
    cell: str
    trial: int
    reason: str

    @property
    def label(self) -> str:
        """The network's name in messages and MLflow."""
        return f"{self.name}-{self.cell}-{self.trial}"

    def __str__(self) -> str:
        short = self.reason if len(self.reason) <= MAX_REASON else f"{self.reason[:MAX_REASON]}…"
        return f"{self.label}: {short}"


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
    unexplained: str | None = None
    """Why there is no explanation where one was asked for."""

    @property
    def identity(self) -> tuple[str, str, int]:
        """Dataset, cell and trial, as in the results."""
        return self.dataset, self.cell, self.trial

    def failure(self, reason: str) -> Failure:
        """The failure of this network."""
        return Failure(dataset=self.dataset, name=self.name, cell=self.cell, trial=self.trial, reason=reason)

    @property
    def every_automaton(self) -> tuple[Ref, ...]:
        """The artifacts of all automata that may be selected."""
        return (*self.automata, *(automata for automata, _ in self.searched))

    @property
    def label(self) -> str:
        """The network's name in file names, pictures and MLflow."""
        return f"{self.name}-{self.cell}-{self.trial}"


@cached("evaluations", "lisor.fsa.evaluation", name="evaluate {label}", without=["label"])
def evaluate_automata(folder: Path, automata: Ref, states: Ref, dataset: Ref, label: str) -> None:
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


@cached("results", "lisor.fsa.evaluation", name="collect results")
def collect_results(folder: Path, networks: Sequence[Network], failures: Sequence[Failure]) -> None:
    """The table of all evaluations, with the automata that are chosen and selected; beside it the networks that failed:
    those of `failures`, and those without an automaton that can be selected, which have no rows in the table.

    Raises:
        DataError: all networks failed."""
    from lisor.fsa import evaluation

    tables, failed = [], list(failures)
    for network in networks:
        about = read_about(network.model)
        tolerance = evaluation.default_tolerance(about["classes"])
        try:
            table = evaluation.choose(read_evaluations(network), tolerance=tolerance, most_states=network.most_states)
        except DataError as error:
            failed.append(network.failure(str(error)))
            continue
        peers = [_read_timed(automata, rows) for automata, rows in network.baselines]
        if any(len(rows) for rows in peers):
            table = pd.concat([table, evaluation.apart(pd.concat(peers, ignore_index=True))], ignore_index=True)
        identity = {"dataset": network.dataset, "cell": network.cell, "trial": network.trial, "seed": about["seed"]}
        tables.append(table.assign(**identity))
    if not tables:
        others = f"; {len(failed) - 1} more failed" if len(failed) > 1 else ""
        raise DataError(f"no network can be reported; {failed[0]}{others}")
    evaluation.write_results(pd.concat(tables, ignore_index=True), folder / RESULTS)
    (folder / _FAILED).write_text(json.dumps([asdict(one) for one in failed], ensure_ascii=False), encoding="utf-8")


def read_failures(results: Ref) -> tuple[Failure, ...]:
    """The networks that failed, which have no rows in the results."""
    path = open_artifact(results) / _FAILED
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []  # an earlier version wrote none
    return tuple(Failure(**one) for one in found)


def reported(networks: Sequence[Network], results: Ref) -> list[Network]:
    """The networks that have not failed."""
    failed = {(one.dataset, one.cell, one.trial) for one in read_failures(results)}
    return [network for network in networks if network.identity not in failed]


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
    for automata, evaluations in network.searched:
        rows = _read(evaluations)
        if len(rows):  # none where the grid was cut
            made = rows.groupby(["rule", "k"]).ngroups
            tables.append(rows.assign(seconds=store.seconds(automata) / made))
    if not tables:
        raise DataError("there are fewer distinct hidden states than the smallest k asks for; lower clustering.k")
    return pd.concat(tables, ignore_index=True)


def _read_timed(automata: Ref, evaluations: Ref) -> pd.DataFrame:
    """The evaluations of what one baseline learned, with the `seconds` that it took."""
    return _read(evaluations).assign(seconds=open_store().seconds(automata))


def _read(evaluations: Ref) -> pd.DataFrame:
    return pd.read_parquet(open_artifact(evaluations) / _EVALUATIONS)
