"""Notes on automata that say little of their network: those that answer no better than one class always would, those
whose clusters go by the position in the sequence, and those whose search was cut short.

Shapes: P points, K clusters, N sequences, H hidden units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from lisor.data.dataset import Dataset
from lisor.fsa.clustering import Clustering
from lisor.report.findings import Findings

BY_POSITION = 0.5
"""Clusters by kmeans-x that hold a smaller share of the hidden states' variance go by position."""

MAX_NAMED = 6
"""Networks that a note names."""


def caveats(rows: pd.DataFrame, dataset: Dataset, networks: Sequence[Findings]) -> Iterator[str]:
    """A note for each method and rule whose chosen automata are no better than one answer, and why that may be."""
    yield from _one_answer(rows, dataset, networks)
    yield from _by_position(rows, networks)
    yield from _cut_short(networks)


def _chosen(rows: pd.DataFrame, networks: Sequence[Findings]) -> Iterator[tuple[Findings, pd.Series]]:
    """The chosen and selected automata of each network, as rows of the test set."""
    test = rows[(rows["test_set"] == "test") & (rows["chosen"] | rows["selected"])]
    for network in networks:
        for _, row in test[(test["cell"] == network.cell) & (test["trial"] == network.trial)].iterrows():
            yield network, row


def _one_answer(rows: pd.DataFrame, dataset: Dataset, networks: Sequence[Findings]) -> Iterator[str]:
    """Automata that answer every test sequence alike, and others that are right no more often than that would be."""
    test = dataset.splits["test"]
    shares = np.bincount(test.labels, minlength=len(dataset.classes)) / len(test)
    usual, always = float(shares.max()), dataset.classes[int(shares.argmax())]
    alike: dict[tuple[str, str], list[str]] = {}
    chance: dict[tuple[str, str], list[str]] = {}
    for network, row in _chosen(rows, networks):
        if row["accuracy"] > usual:
            continue
        machine = network.extraction(row["method"], row["rule"], int(row["k"])).machine
        answers = np.unique(machine.classify(test.sequences))
        about = f"{network.cell}-{network.trial} (k = {row['k']})"
        way = (str(row["method"]), str(row["rule"]))
        if len(answers) == 1:
            alike.setdefault(way, []).append(f"{about[:-1]}, always {dataset.classes[int(answers[0])]})")
        else:
            chance.setdefault(way, []).append(f"{about[:-1]}, {row['accuracy']:.3f})")
    for way, found in alike.items():
        yield (
            f"{' and '.join(way)}: automata that answer every test sequence alike, whatever it holds, so that accuracy "
            f"and fidelity only count how often that answer is right: {_some(found)}."
        )
    for way, found in chance.items():
        yield (
            f"{' and '.join(way)}: automata at chance, right no more often than always answering {always} would be "
            f"({usual:.3f}): {_some(found)}."
        )


def _by_position(rows: pd.DataFrame, networks: Sequence[Findings]) -> Iterator[str]:
    """Clusterings by kmeans-x that the positions of the states outweigh, as they do in long sequences."""
    found: dict[str, None] = {}
    for network, row in _chosen(rows[rows["method"] == "kmeans-x"], networks):
        share = between(network.clustering("kmeans-x", int(row["k"]))) / max(network.variance(), np.finfo(float).tiny)
        if share < BY_POSITION:
            found[f"{network.cell}-{network.trial} (k = {row['k']}, {share:.0%})"] = None
    if found:
        yield (
            "kmeans-x: clusters that go by the position in the sequence and hardly by the hidden state, of whose "
            f"variance they hold the share given: {_some(list(found))}. In long sequences the positions outweigh the "
            "states, and automata of such clusters cannot follow the network: lower clustering.position_weight."
        )


def _cut_short(networks: Sequence[Findings]) -> Iterator[str]:
    """Searches for distilled automata that did not try all moves; a table says how those for refined ones ended."""
    found = [
        f"{network.cell}-{network.trial} ({search['method']}, k = {search['k']})"
        for network in networks
        for search in network.searches
        if search["rule"] == "distilled" and not search["complete"]
    ]
    if found:
        yield f"distilled: searches that extraction.search_steps ended before all moves were tried: {_some(found)}."


def between(clustering: Clustering) -> float:
    """The variance of the hidden states that lies between the clusters, summed over units."""
    counts = np.bincount(clustering.labels, minlength=clustering.k)
    centers = clustering.centers.astype(np.float64)
    mean = counts @ centers / counts.sum()
    return float(counts @ np.square(centers - mean).sum(axis=1) / counts.sum())


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
