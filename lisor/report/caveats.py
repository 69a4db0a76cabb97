"""Notes on automata that say little about their network: those no better than a constant class,
those whose clusters depend on the position in the sequence, and those whose search was cut short.

Shapes: P points, K clusters, N sequences, H hidden units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from lisor.clustering.clustering import Clustering
from lisor.data.dataset import Dataset
from lisor.registry import LISOR_X, TARGETS
from lisor.report.findings import Findings

BY_POSITION = 0.5
"""Clusters by kmeans-x that explain a smaller share of the hidden states' variance depend on the
position."""

MAX_NAMED = 6
"""The most networks that a note names."""


def caveats(rows: pd.DataFrame, dataset: Dataset, networks: Sequence[Findings]) -> Iterator[str]:
    """The notes on chosen automata that say little about their network."""
    yield from _one_answer(rows, dataset, networks)
    yield from _by_position(rows, networks)
    yield from _cut_short(networks)


def _chosen(
    rows: pd.DataFrame, networks: Sequence[Findings]
) -> Iterator[tuple[Findings, pd.Series]]:
    """The chosen and selected automata of each network, as rows of the test set."""
    test = rows[(rows["test_set"] == "test") & (rows["chosen"] | rows["selected"])]
    for network in networks:
        for _, row in network.rows(test).iterrows():
            yield network, row


def _one_answer(
    rows: pd.DataFrame, dataset: Dataset, networks: Sequence[Findings]
) -> Iterator[str]:
    """Automata with the same output for every test sequence, and others whose accuracy is no higher
    than that of the most frequent class."""
    test = dataset.splits["test"]
    if not TARGETS[test.target].names_classes:  # the most likely symbol says little
        return
    shares = np.bincount(test.labels, minlength=len(dataset.classes)) / len(test.labels)
    usual, always = float(shares.max()), dataset.classes[int(shares.argmax())]
    position = TARGETS[test.target].position
    alike: dict[tuple[str, str], list[str]] = {}
    chance: dict[tuple[str, str], list[str]] = {}
    for network, row in _chosen(rows, networks):
        if row["accuracy"] > usual:
            continue
        automaton = network.extraction(row["method"], row["rule"], int(row["k"])).automaton
        outputs = np.unique(automaton.classify(test.sequences))
        about = f"{network.cell}-{network.trial} (k = {row['k']})"
        variant = (str(row["method"]), str(row["rule"]))
        if len(outputs) == 1:
            alike.setdefault(variant, []).append(
                f"{about[:-1]}, always {dataset.classes[int(outputs[0])]})"
            )
        else:
            chance.setdefault(variant, []).append(f"{about[:-1]}, {row['accuracy']:.3f})")
    for variant, names in alike.items():
        yield (
            f"{' and '.join(variant)}: automata that answer every test {position} alike, so that "
            f"accuracy and fidelity only count how often that class is right: {_listed(names)}."
        )
    for variant, names in chance.items():
        yield (
            f"{' and '.join(variant)}: automata at chance, right no more often than always "
            f"answering {always} would be ({usual:.3f}): {_listed(names)}."
        )


def _by_position(rows: pd.DataFrame, networks: Sequence[Findings]) -> Iterator[str]:
    """Clusterings by kmeans-x in which the positions outweigh the states, as in long sequences."""
    names: list[str] = []
    for network, row in _chosen(rows[rows["method"] == LISOR_X], networks):
        share = between(network.clustering(LISOR_X, int(row["k"]))) / max(
            network.variance(), np.finfo(float).tiny
        )
        if share < BY_POSITION:
            names.append(f"{network.cell}-{network.trial} (k = {row['k']}, {share:.0%})")
    if names:
        yield (
            f"{LISOR_X}: clusters that go by the position in the sequence and hardly by the "
            "hidden state, of whose variance they explain the share given: "
            f"{_listed(list(dict.fromkeys(names)))}. In long sequences the positions outweigh the "
            "states, and automata of such clusters are not faithful: lower "
            "clustering.position_weight."
        )


def _cut_short(networks: Sequence[Findings]) -> Iterator[str]:
    """Searches that did not try all moves, by rule. A table shows those that compare automaton and
    network until no difference is left."""
    ended: dict[str, list[str]] = {}
    for network in networks:
        for (method, rule, k), search in network.searches.items():
            if search.tests is None and not search.complete:
                ended.setdefault(rule, []).append(
                    f"{network.cell}-{network.trial} ({method}, k = {k})"
                )
    for rule, names in ended.items():
        yield (
            f"{rule}: searches that extraction.search_steps ended before all moves were tried: "
            f"{_listed(names)}."
        )


def between(clustering: Clustering) -> float:
    """The variance of the hidden states that lies between the clusters, summed over units."""
    counts = np.bincount(clustering.labels, minlength=clustering.k)
    centers = clustering.centers.astype(np.float64)
    mean = counts @ centers / counts.sum()
    return float(counts @ np.square(centers - mean).sum(axis=1) / counts.sum())


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
