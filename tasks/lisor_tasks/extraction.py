"""Tasks that extract automata from clusters of hidden states, or learn them with other learners.

Tasks import what they need inside, so that a run from the cache does not load torch and
scikit-learn."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lisor.extraction.limits import SearchLimits
from lisor_tasks.artifacts import Ref, open_artifact
from lisor_tasks.caching import cached
from lisor_tasks.data import read_dataset
from lisor_tasks.networks import NetworkRef, read_network

if TYPE_CHECKING:
    from lisor.extraction.extraction import Extraction


LEARNED = "learned.json"
"""The file of how a learner did."""


def read_extraction(files: Iterable[Ref], method: str, rule: str, k: int) -> Extraction:
    """The automaton of one variant among the artifacts of a network."""
    from lisor.extraction import extraction

    blocks = (extraction.read(open_artifact(file), {(method, rule, k)}) for file in files)
    return next(chain.from_iterable(blocks))


@cached("automata", name="extract {execution.label}")
def extract_automata(
    folder: Path,
    network: NetworkRef,
    states: Ref,
    dataset: Ref,
    clusterings: Ref,
    method: str,
    ks: tuple[int, ...],
    rules: tuple[str, ...],
    unseen: Literal["auto", "reject", "stay"],
    limits: SearchLimits | None,
) -> None:
    """An automaton for each of these k of a block of clusterings and each rule.

    `limits` are those of rules that search; None if no rule does."""
    from lisor.clustering import clustering
    from lisor.extraction import extraction
    from lisor.extraction.extract import extract_grid
    from lisor.extraction.probes import Probes
    from lisor.extraction.transitions import default_unseen
    from lisor.networks.hidden_states import HiddenStates

    model = read_network(network)
    extractions = extract_grid(
        model,
        HiddenStates(folder=open_artifact(states)).read(),
        clustering.read(open_artifact(clusterings), {(method, k) for k in ks}),
        rules,
        unseen=default_unseen(model.classes) if unseen == "auto" else unseen,
        probes=None if limits is None else Probes.of(read_dataset(dataset)),
        limits=limits or SearchLimits(),
    )
    extraction.write(extractions, folder)


@cached("automata", name="{method} learns {execution.label}")
def learn_baseline(
    folder: Path, network: NetworkRef, dataset: Ref, method: str, budget: int, seed: int
) -> None:
    """The automaton that another learner makes of a network, which may read at most `budget`
    symbols.

    There is none if the learner has no hypothesis. The reason why it did not finish is written to
    `LEARNED`."""
    from lisor.evaluation import baselines
    from lisor.evaluation.references import fitted_split
    from lisor.extraction import extraction
    from lisor.registry import DISTRIBUTION_BASELINES

    model, data = read_network(network), read_dataset(dataset)
    given = fitted_split(data) if method in DISTRIBUTION_BASELINES else "validation"
    learned = baselines.learn(
        model,
        data.splits[given].sequences,
        method=method,
        seed=seed,
        budget=budget,
    )
    extractions = []
    if learned.automaton is not None:
        seen = np.ones(learned.automaton.transitions.shape, bool)
        extractions.append(
            extraction.Extraction(
                method=method, rule="learned", k=None, automaton=learned.automaton, seen=seen
            )
        )
    extraction.write(extractions, folder)
    about = {"method": method, "unfinished": learned.unfinished, "steps": learned.steps}
    (folder / LEARNED).write_text(json.dumps(about), encoding="utf-8")
