"""From a trained network to the exact automaton: Tomita 1 to 7, gru of 10 hidden units, beside
AALpy's L* and KV."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import lisor
from benchmarks.measure import Work
from lisor.automata.automaton import Automaton
from lisor.automata.languages import find
from lisor.data.dataset import Dataset
from lisor.evaluation import baselines
from lisor.networks.trained import TrainedModel
from lisor.settings.extraction import ExtractionSettings

LANGUAGES = tuple(f"tomita-{number}" for number in range(1, 8))
PEERS = ("lstar", "kv")

Learned = list[tuple[float, Automaton | None]]
"""Of each network: seconds and what came out."""


def works() -> list[Work]:
    """`lisor.extract` as ours, one learner after the other as the peer; all on the same
    networks."""
    datasets = [lisor.words(language) for language in LANGUAGES]
    networks = [lisor.train(dataset) for dataset in datasets]
    return [_work(peer, networks, datasets) for peer in PEERS]


def _work(peer: str, networks: list[TrainedModel], datasets: list[Dataset]) -> Work:
    def learn(network: TrainedModel, dataset: Dataset) -> Automaton | None:
        words = dataset.splits["validation"].sequences
        budget = ExtractionSettings().baseline_steps
        return baselines.learn(network, words, method=peer, seed=0, budget=budget).automaton

    def each(function: Callable[[TrainedModel, Dataset], Automaton | None]) -> Learned:
        found = []
        for network, dataset in zip(networks, datasets, strict=True):
            started = time.perf_counter()
            automaton = function(network, dataset)
            found.append((time.perf_counter() - started, automaton))
        return found

    def exact(learned: Learned) -> int:
        pairs = zip(learned, LANGUAGES, strict=True)
        return sum(
            automaton is not None and bool(find(name).equals(automaton))
            for (_, automaton), name in pairs
        )

    def quality(ours: Learned, peers: Learned) -> str:
        ratios = [peer / own for (own, _), (peer, _) in zip(ours, peers, strict=True)]
        return (
            f"exact: ours {exact(ours)} of {len(ours)}, peer {exact(peers)} of {len(peers)}; ratio "
            f"by language: median "
            f"{statistics.median(ratios):.1f}, from {min(ratios):.1f} to {max(ratios):.1f}"
        )

    return Work(
        name=f"exact, peer {peer}",
        ours=lambda: each(lisor.extract),
        peer=lambda: each(learn),
        quality=quality,
    )
