"""Tasks that cluster hidden states, and read or learn automata off them.

What a task runs is imported inside it, so that a run answered from the cache need not load torch and scikit-learn."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lisor_tasks.artifacts import Ref, open_artifact
from lisor_tasks.caching import cached
from lisor_tasks.data import read_dataset
from lisor_tasks.networks import read_network

if TYPE_CHECKING:
    from lisor.fsa.extraction import Extraction

LEARNED = "learned.json"
SEARCHED = "searched.json"


def read_extraction(files: Iterable[Ref], method: str, rule: str, k: int) -> Extraction:
    """The automaton of one way and k among the artifacts of a network."""
    from lisor.fsa import extraction

    blocks = (extraction.read(open_artifact(file), {(method, rule, k)}) for file in files)
    return next(chain.from_iterable(blocks))


def k_blocks(first: int, last: int) -> list[tuple[int, ...]]:
    """The numbers of clusters in blocks that end at 32, 64, 128, …, so that a wider grid adds blocks at its end."""
    blocks, edge = [], 32
    while first <= last:
        if first <= edge:
            blocks.append(tuple(range(first, min(edge, last) + 1)))
            first = edge + 1
        edge *= 2
    return blocks


@cached("clusterings", "lisor.fsa.clustering", "lisor.fsa.sensitivity", name="cluster {label}", without=["label"])
def cluster_hidden_states(
    folder: Path,
    states: Ref,
    model: Ref | None,
    method: str,
    ks: tuple[int, ...],
    weight: float | None,
    seed: int,
    threads: int,
    device: str,
    label: str,
) -> None:
    """A clustering of a network's hidden states for each k of a block.

    `weight` is that of the positions or of the decisions; decisions and sensitivity need the network."""
    from lisor.devices import pick_cuda
    from lisor.fsa import clustering
    from lisor.fsa.kmeans_x import Positions
    from lisor.fsa.sensitivity import sensitivity
    from lisor.rnn.hidden_states import HiddenStates

    dump = HiddenStates(folder=open_artifact(states))
    network = None if model is None else read_network(model)
    positions, decisions, metric = None, None, None
    matrix = None if method == "kmeans" else dump.matrix()
    if method == "kmeans-x" and weight is not None:
        positions = Positions.of(*dump.places(), weight)
    if method == "decision-aware" and network is not None and matrix is not None and weight is not None:
        decisions = clustering.Decisions(probabilities=network.probabilities(matrix), weight=weight)
    if method == "sensitivity" and network is not None and matrix is not None:
        metric = sensitivity(network, dump.sequences(), matrix, dump.cell_states())
    found = clustering.cluster(
        dump.blocks() if matrix is None else matrix,
        ks,
        method=method,
        seed=seed,
        threads=threads,
        positions=positions,
        decisions=decisions,
        metric=metric,
        device=pick_cuda(device),
    )
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
    from lisor.rnn.hidden_states import HiddenStates

    network = read_network(model)
    points = HiddenStates(folder=open_artifact(states)).read()
    policy = extraction.default_unseen(network.classes) if unseen == "auto" else unseen
    blocks = clustering.read(open_artifact(clusterings))
    found = (extraction.extract_each(network, points, block, rules, unseen=policy) for block in blocks)
    extraction.write(chain.from_iterable(found), folder)


@cached(
    "automata",
    "lisor.fsa.refinement",
    "lisor.fsa.distillation",
    "lisor.fsa.extraction",
    name="search {label}",
    without=["label"],
)
def search_automata(
    folder: Path,
    model: Ref,
    states: Ref,
    dataset: Ref,
    clusterings: Ref,
    method: str,
    ks: tuple[int, ...],
    rules: tuple[str, ...],
    most_states: int,
    budget: int,
    seed: int,
    label: str,
) -> None:
    """A refined or distilled automaton from each of some clusterings of a block; how the searches went beside them.

    In each search the network reads about `budget` symbols at most."""
    from lisor.fsa import clustering, distillation, extraction, refinement
    from lisor.fsa.probes import Probes
    from lisor.rnn.hidden_states import HiddenStates

    network, data = read_network(model), read_dataset(dataset)
    points = HiddenStates(folder=open_artifact(states)).read()
    probes = Probes.of(data)
    found, searches = [], []
    for block in clustering.read(open_artifact(clusterings), {(method, k) for k in ks}):
        for rule in rules:
            if rule == "refined" and block.k >= most_states:
                continue
            search: dict[str, object] = {"method": method, "rule": rule, "k": block.k}
            if rule == "refined":
                how = {"most_states": most_states, "seed": seed, "budget": budget}
                refined = refinement.refine(network, points, block, probes, **how)
                found.append(refined.extraction)
                search |= {"tests": refined.tests, "last_difference": refined.last_difference}
                search |= {"steps": refined.steps, "steps_to_last": refined.steps_to_last}
                search["complete"] = refined.complete
            else:
                distilled = distillation.distill(network, points, block, probes, seed=seed, budget=budget)
                found.append(distilled.extraction)
                search |= {"steps": distilled.steps, "complete": distilled.complete}
            searches.append(search)
    extraction.write(found, folder)
    (folder / SEARCHED).write_text(json.dumps(searches), encoding="utf-8")


@cached("automata", "lisor.fsa.baselines", "lisor.fsa.extraction", name="{method} learns {label}", without=["label"])
def learn_baseline(folder: Path, model: Ref, dataset: Ref, method: str, budget: int, seed: int, label: str) -> None:
    """The automaton that another learner makes of a network, which reads at most `budget` symbols for it.

    There is none where the learner comes to no hypothesis; why it did not finish is written beside it."""
    from lisor.fsa import baselines, extraction

    network, data = read_network(model), read_dataset(dataset)
    learned = baselines.learn(
        network,
        data.splits["validation"].sequences,
        method=method,
        seed=seed,
        budget=budget,
    )
    found = []
    if learned.automaton is not None:
        seen = np.ones(learned.automaton.transitions.shape, bool)
        found.append(extraction.Extraction(method=method, rule="learned", k=None, machine=learned.automaton, seen=seen))
    extraction.write(found, folder)
    about = {"method": method, "unfinished": learned.unfinished, "steps": learned.steps}
    (folder / LEARNED).write_text(json.dumps(about), encoding="utf-8")
