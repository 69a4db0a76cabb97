"""Tasks that evaluate automata, and the table of all results.

Tasks import what they need inside, so that a run from the cache does not load torch and
scikit-learn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lisor.errors import DataError
from lisor.pipeline import Failure
from lisor_tasks.artifacts import Ref, open_artifact, open_store
from lisor_tasks.caching import cached
from lisor_tasks.data import read_dataset
from lisor_tasks.networks import read_about

_EVALUATIONS = "evaluations.parquet"
RESULTS = "results.parquet"

_NETWORK, _AUTOMATON = ["dataset", "cell", "trial"], ["method", "rule", "k"]
"""The columns of results that name a network, and an automaton of it."""

_FAILED = "failed.json"
"""The file of the networks that have no rows in the results."""


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The automata of one method and block of k, and their evaluations.

    `clusterings` are those that were made for these automata alone: None for automata of a search,
    which starts from a few clusterings of others, and where there are no clusters."""

    automata: Ref
    evaluations: Ref
    clusterings: Ref | None = None

    @property
    def made_of(self) -> tuple[Ref, ...]:
        """The artifacts whose seconds count for the automata."""
        return (self.automata,) if self.clusterings is None else (self.clusterings, self.automata)


@dataclass(frozen=True, kw_only=True)
class NetworkArtifacts:
    """One trained network and all artifacts made of it, one for each method and block of k.

    `dataset` is the dataset's name in the results, `name` that in file names."""

    dataset: str
    name: str
    cell: str
    trial: int
    data: Ref
    model: Ref
    made_by: str
    """The name of the network's cell, or the callable that builds it."""
    states: Ref
    clusterings: tuple[Ref, ...]
    extracted: tuple[Evaluated, ...]
    embedding: Ref | None = None
    """The t-SNE embedding of the hidden states, for the first trial of each cell."""
    most_states: int | None = None
    """Automata with more states are not chosen."""
    baselines: tuple[Evaluated, ...] = ()
    """Automata that other learners made of the network."""
    explanation: Ref | None = None
    """For the first trial of each cell, where explanations are enabled."""
    unexplained: str | None = None
    """The reason why an explanation failed."""
    detections: Ref | None = None
    """How well anomalies are detected, where networks learned what is normal."""

    @property
    def identity(self) -> tuple[str, str, int]:
        """The dataset, cell and trial, as in the results."""
        return self.dataset, self.cell, self.trial

    def failure(self, reason: str) -> Failure:
        """The failure of this network."""
        return Failure(
            dataset=self.dataset, name=self.name, cell=self.cell, trial=self.trial, reason=reason
        )

    @property
    def automata(self) -> tuple[Ref, ...]:
        """The artifacts of all automata that may be selected."""
        return tuple(block.automata for block in self.extracted)

    @property
    def label(self) -> str:
        """The network's name in file names, pictures and MLflow."""
        return f"{self.name}-{self.cell}-{self.trial}"


@cached("evaluations", name="evaluate {execution.label}")
def evaluate_automata(folder: Path, automata: Ref, states: Ref, dataset: Ref) -> None:
    """The accuracy, fidelity and exactness of each automaton of a block on every split it was not
    trained on."""
    from lisor.evaluation import evaluation
    from lisor.extraction import extraction
    from lisor.networks.hidden_states import HiddenStates

    data = read_dataset(dataset)
    splits = {name: split for name, split in data.splits.items() if name != "train"}
    rows = evaluation.evaluate(
        extraction.read(open_artifact(automata)),
        splits,
        HiddenStates(folder=open_artifact(states)).predictions(),
        data.language,
        data.separator,
    )
    pd.DataFrame(
        [vars(row) for row in rows], columns=list(evaluation.Evaluation.__annotations__)
    ).to_parquet(folder / _EVALUATIONS, index=False)


@cached("results", name="collect results")
def collect_results(
    folder: Path, networks: Sequence[NetworkArtifacts], failures: Sequence[Failure]
) -> None:
    """The table of all evaluations, with the chosen and the selected automata marked, and the list
    of failed networks: those of `failures`, and those without an automaton to select.

    Raises:
        DataError: all networks failed."""
    from lisor.evaluation import choice, evaluation

    tables, failed = [], list(failures)
    for network in networks:
        about = read_about(network.model)
        tolerance = choice.default_tolerance(about["classes"], about["architecture"]["target"])
        try:
            table = choice.choose(
                read_evaluations(network), tolerance=tolerance, most_states=network.most_states
            )
        except DataError as error:
            failed.append(network.failure(str(error)))
            continue
        peers = [_read(baseline.evaluations) for baseline in network.baselines]
        if any(len(rows) for rows in peers):
            table = pd.concat(
                [table, choice.apart(pd.concat(peers, ignore_index=True))], ignore_index=True
            )
        identity = dict(zip(_NETWORK, network.identity, strict=True))
        tables.append(table.assign(**identity, seed=about["seed"]))
    if not tables:
        others = f"; {len(failed) - 1} more failed" if len(failed) > 1 else ""
        raise DataError(f"no network can be reported; {failed[0]}{others}")
    evaluation.write_results(pd.concat(tables, ignore_index=True), folder / RESULTS)
    content = json.dumps([asdict(failure) for failure in failed], ensure_ascii=False)
    (folder / _FAILED).write_text(content, encoding="utf-8")


def read_failures(results: Ref) -> tuple[Failure, ...]:
    """The failed networks, which have no rows in the results."""
    failures = json.loads((open_artifact(results) / _FAILED).read_text(encoding="utf-8"))
    return tuple(Failure(**failure) for failure in failures)


def reported(networks: Sequence[NetworkArtifacts], results: Ref) -> list[NetworkArtifacts]:
    """The networks that have not failed."""
    failed = {(failure.dataset, failure.cell, failure.trial) for failure in read_failures(results)}
    return [network for network in networks if network.identity not in failed]


def selected_variants(results: Ref) -> dict[tuple[str, str, int], tuple[str, str, int]]:
    """Method, rule and k of the selected automaton by dataset, cell and trial."""
    table = pd.read_parquet(open_artifact(results) / RESULTS)
    rows = table[table["selected"] & (table["test_set"] == "test")]
    return {
        (row["dataset"], row["cell"], row["trial"]): (row["method"], row["rule"], int(row["k"]))
        for row in rows.to_dict("records")
    }


def read_evaluations(network: NetworkArtifacts) -> pd.DataFrame:
    """Every evaluation of a network's own automata, those on the selection split included.

    Raises:
        DataError: there are none, since the network has too few distinct hidden states."""
    blocks = [_read(block.evaluations) for block in network.extracted]
    tables = [rows for rows in blocks if len(rows)]  # a block beyond the grid's end has none
    if not tables:
        raise DataError(
            "there are fewer distinct hidden states than the smallest k; lower clustering.k"
        )
    return pd.concat(tables, ignore_index=True)


def with_seconds(results: Ref, networks: Sequence[NetworkArtifacts]) -> bytes:
    """The file of results with one more column: the `seconds` of each automaton, an equal share of
    those of its block of clusterings and automata.

    They come from the manifests and are no part of the artifact, which is the same on every
    computer."""
    store, parts = open_store(), []
    for network in reported(networks, results):
        for block in (*network.extracted, *network.baselines):
            automata = _read(block.evaluations)[_AUTOMATON].drop_duplicates()
            seconds = sum(map(store.seconds, block.made_of)) / max(1, len(automata))
            parts.append(
                automata.assign(
                    **dict(zip(_NETWORK, network.identity, strict=True)), seconds=seconds
                )
            )
    table = pq.read_table(store.open(results) / RESULTS)
    rows = table.select([*_NETWORK, *_AUTOMATON]).to_pandas().astype({"k": "Int64"})
    known = pd.concat(parts, ignore_index=True).astype({"k": "Int64"})
    joined = rows.merge(known, on=[*_NETWORK, *_AUTOMATON], how="left", validate="many_to_one")
    content = BytesIO()
    pq.write_table(
        table.append_column("seconds", pa.array(joined["seconds"], pa.float64())), content
    )
    return content.getvalue()


def _read(evaluations: Ref) -> pd.DataFrame:
    return pd.read_parquet(open_artifact(evaluations) / _EVALUATIONS)
