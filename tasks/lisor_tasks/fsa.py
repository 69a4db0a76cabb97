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
from lisor_tasks.execution import Execution
from lisor_tasks.networks import NetworkRef, read_network

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


@cached("clusterings", name="cluster {execution.label}")
def cluster_hidden_states(
    folder: Path,
    states: Ref,
    network: NetworkRef,
    method: str,
    ks: tuple[int, ...],
    weight: float | None,
    seed: int,
    device: str,
    execution: Execution,
) -> None:
    """A clustering of a network's hidden states for each k of a block.

    `weight` is that of the positions or of the decisions; decisions and sensitivity need the network."""
    from lisor.devices import pick_cuda
    from lisor.fsa import clustering
    from lisor.fsa.kmeans_x import Positions
    from lisor.fsa.sensitivity import sensitivity
    from lisor.rnn.hidden_states import HiddenStates

    dump = HiddenStates(folder=open_artifact(states))
    positions, decisions, metric = None, None, None
    matrix = None if method == "kmeans" else dump.matrix()
    if method == "kmeans-x" and weight is not None:
        positions = Positions.of(*dump.places(), weight)
    if method == "decision-aware" and matrix is not None and weight is not None:
        decisions = clustering.Decisions(probabilities=read_network(network).probabilities(matrix), weight=weight)
    if method == "sensitivity" and matrix is not None:
        metric = sensitivity(read_network(network), dump.sequences(), matrix, dump.cell_states())
    found = clustering.cluster(
        dump.blocks() if matrix is None else matrix,
        ks,
        method=method,
        seed=seed,
        threads=execution.threads,
        positions=positions,
        decisions=decisions,
        metric=metric,
        device=pick_cuda(device),
    )
    clustering.write(found, folder)


@cached("automata", name="extract {execution.label}")
def extract_automata(
    folder: Path,
    network: NetworkRef,
    states: Ref,
    clusterings: Ref,
    rules: tuple[str, ...],
    unseen: Literal["auto", "reject", "stay"],
) -> None:
    """An automaton for each clustering of a block and each rule."""
    from lisor.fsa import clustering, extraction
    from lisor.rnn.hidden_states import HiddenStates

    model = read_network(network)
    points = HiddenStates(folder=open_artifact(states)).read()
    policy = extraction.default_unseen(model.classes) if unseen == "auto" else unseen
    blocks = clustering.read(open_artifact(clusterings))
    found = (extraction.extract_each(model, points, block, rules, unseen=policy) for block in blocks)
    extraction.write(chain.from_iterable(found), folder)


@cached("automata", name="search {execution.label}")
def search_automata(
    folder: Path,
    network: NetworkRef,
    states: Ref,
    dataset: Ref,
    clusterings: Ref,
    method: str,
    ks: tuple[int, ...],
    rules: tuple[str, ...],
    most_states: int,
    budget: int,
    seed: int,
) -> None:
    """A refined or distilled automaton from each of some clusterings of a block; how the searches went beside them.

    In each search the network reads about `budget` symbols at most."""
    from lisor.fsa import clustering, distillation, extraction, refinement
    from lisor.fsa.probes import Probes
    from lisor.rnn.hidden_states import HiddenStates

    model, data = read_network(network), read_dataset(dataset)
    points = HiddenStates(folder=open_artifact(states)).read()
    probes = Probes.of(data)
    found, searches = [], []
    for block in clustering.read(open_artifact(clusterings), {(method, k) for k in ks}):
        for rule in rules:
            if rule == "refined" and block.k >= most_states:
                continue
            search: dict[str, object] = {"method": method, "rule": rule, "k": block.k}
            if rule == "refined":
                refined = refinement.refine(
                    model, points, block, probes, most_states=most_states, seed=seed, budget=budget
                )
                found.append(refined.extraction)
                search |= {"tests": refined.tests, "last_difference": refined.last_difference}
                search |= {"steps": refined.steps, "steps_to_last": refined.steps_to_last}
                search["complete"] = refined.complete
            else:
                distilled = distillation.distill(model, points, block, probes, seed=seed, budget=budget)
                found.append(distilled.extraction)
                search |= {"steps": distilled.steps, "complete": distilled.complete}
            searches.append(search)
    extraction.write(found, folder)
    (folder / SEARCHED).write_text(json.dumps(searches), encoding="utf-8")


@cached("automata", name="{method} learns {execution.label}")
def learn_baseline(folder: Path, network: NetworkRef, dataset: Ref, method: str, budget: int, seed: int) -> None:
    """The automaton that another learner makes of a network, which reads at most `budget` symbols for it.

    There is none where the learner comes to no hypothesis; why it did not finish is written beside it."""
    from lisor.fsa import baselines, extraction

    model, data = read_network(network), read_dataset(dataset)
    learned = baselines.learn(
        model,
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
