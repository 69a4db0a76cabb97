"""Tasks that evaluate automata, and the table of all that was found.

What a task runs is imported inside it, so that a run answered from the cache need not load torch and scikit-learn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lisor.errors import DataError
from lisor_tasks.artifacts import Ref, open_artifact, open_store
from lisor_tasks.caching import cached
from lisor_tasks.data import read_dataset
from lisor_tasks.networks import read_about

_EVALUATIONS = "evaluations.parquet"
RESULTS = "results.parquet"

_NETWORK, _AUTOMATON = ["dataset", "cell", "trial"], ["method", "rule", "k"]
"""The columns of results that name a network, and an automaton of it."""

_FAILED = "failed.json"
"""The networks that have no rows in the results."""

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
        peers = [_read(rows) for _, rows in network.baselines]
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
    found = json.loads((open_artifact(results) / _FAILED).read_text(encoding="utf-8"))
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
    """Every evaluation of a network's own automata, those on the selection split among them.

    Raises:
        DataError: there are none, since the network has too few distinct hidden states."""
    tables = [rows for _, rows in _evaluated(network) if len(rows)]  # none where the grid was cut
    if not tables:
        raise DataError("there are fewer distinct hidden states than the smallest k asks for; lower clustering.k")
    return pd.concat(tables, ignore_index=True)


def with_seconds(results: Ref, networks: Sequence[Network]) -> bytes:
    """The file of results with a column more, the `seconds` that each automaton took: those of a block of clusterings
    and of its automata in equal parts.

    They are no part of the results, which are the same on every machine, but stand in the manifests."""
    store, parts = open_store(), []
    for network in reported(networks, results):
        learned = [((automata,), _read(rows)) for automata, rows in network.baselines]
        for made_of, rows in (*_evaluated(network), *learned):
            automata = rows[_AUTOMATON].drop_duplicates()
            seconds = sum(map(store.seconds, made_of)) / max(1, len(automata))
            parts.append(automata.assign(**dict(zip(_NETWORK, network.identity, strict=True)), seconds=seconds))
    table = pq.read_table(store.open(results) / RESULTS)
    rows = table.select([*_NETWORK, *_AUTOMATON]).to_pandas().astype({"k": "Int64"})
    known = pd.concat(parts, ignore_index=True).astype({"k": "Int64"})
    joined = rows.merge(known, on=[*_NETWORK, *_AUTOMATON], how="left", validate="many_to_one")
    content = BytesIO()
    pq.write_table(table.append_column("seconds", pa.array(joined["seconds"], pa.float64())), content)
    return content.getvalue()


def _evaluated(network: Network) -> Iterator[tuple[tuple[Ref, ...], pd.DataFrame]]:
    """What a network's automata were made of, block by block, and their evaluations."""
    blocks = zip(network.clusterings, network.automata, network.evaluations, strict=True)
    for clusterings, automata, evaluations in blocks:
        yield (clusterings, automata), _read(evaluations)
    for automata, evaluations in network.searched:
        yield (automata,), _read(evaluations)


def _read(evaluations: Ref) -> pd.DataFrame:
    return pd.read_parquet(open_artifact(evaluations) / _EVALUATIONS)
