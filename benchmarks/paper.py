"""The whole procedure on "000" (four cells, 5 trials, k from 2 to 64, LISOR-k and LISOR-x,
evaluated), beside a plain transcription of the paper."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.cluster import KMeans
from torch import nn
from torch.nn.functional import cross_entropy, one_hot

from benchmarks.measure import Scaled, Work
from benchmarks.sequences import each
from lisor.data import words
from lisor.data.dataset import Dataset, Split
from lisor.evaluation.evaluation import read_results
from lisor.networks import training
from lisor.settings.language import LanguageSettings
from lisor.settings.models import PAPER_CELLS, ModelsSettings
from lisor.settings.training import TrainingSettings

T = TypeVar("T")

ALPHABET = "01"
TRIALS, LAST_K, HIDDEN, WEIGHT = 5, 64, 10, 0.1
SIZES = {"train": 3000, "validation": 500, "test": 500}
SETTINGS = (
    "name=benchmark",
    "dataset.language=000",
    "dataset.balanced=false",
    *(f"dataset.{name}={size}" for name, size in SIZES.items()),
    f"models.cells=[{', '.join(PAPER_CELLS)}]",
    f"models.hidden_size={HIDDEN}",
    f"training.trials={TRIALS}",
    "clustering.methods=[kmeans, kmeans-x]",
    f"clustering.k=[2, {LAST_K}]",
)
SOME_K = (8, 32, 56)
"""For which the peer is timed on one network of each cell: their mean stands for the mean over all
k."""


def works() -> list[Work]:
    """`lisor run` in an empty store as ours. The peer trains one network of each cell for one
    epoch, and makes automata for `SOME_K`; its time is scaled to all trials, to as many epochs as
    ours needs, and to every k."""
    data = words.from_settings(
        LanguageSettings.model_validate({"language": "000", "balanced": False, **SIZES})
    )
    epochs = {cell: _count_epochs(data, cell) for cell in PAPER_CELLS}
    return [
        Work(
            name="paper, peer transcription",
            ours=_run,
            peer=lambda: _transcription(data, epochs),
            quality=_quality,
        )
    ]


def _quality(ours: float, peer: Scaled) -> str:
    share = f"{1 / TRIALS:.0%} of the networks, one epoch and {len(SOME_K)} of {LAST_K - 1} k"
    return (
        f"mean accuracy of the automata on the test set {ours:.4f}, the peer's after one epoch "
        f"{peer.result:.4f}; "
        f"the peer's time is scaled up from {share}"
    )


def _run() -> float:
    """The mean accuracy of all automata on the test set."""
    with tempfile.TemporaryDirectory() as home:
        changes = [part for setting in SETTINGS for part in ("--set", setting)]
        command = [sys.executable, "-m", "lisor_flows.cli", "run", "quickstart", *changes]
        environment = os.environ | {"LISOR_HOME": home}
        subprocess.run(
            command,
            check=True,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        rows = read_results(Path(home) / "reports/benchmark/latest/results.parquet")
    return float(rows.loc[rows["test_set"] == "test", "accuracy"].mean())


def _count_epochs(data: Dataset, cell: str) -> int:
    """Of all trials together, as ours trains them."""
    models = ModelsSettings(cells=(cell,), hidden_size=HIDDEN)
    networks = training.train(
        data, cell=cell, models=models, settings=TrainingSettings(), trials=range(TRIALS)
    )
    return sum(len(network.history["train_loss"]) for network in networks)


def _transcription(data: Dataset, epochs: dict[str, int]) -> Scaled:
    """One network at a time, one sequence at a time; dense matrices; automata that step through
    symbols in Python."""
    seconds, accuracies = 0.0, []
    for cell in PAPER_CELLS:
        network = _Network(cell)
        seconds += _timed(_train_an_epoch, network, data.splits["train"])[0] * epochs[cell]
        own, points = _timed(_dump, network, data.splits["validation"])
        seconds += own * TRIALS
        for dense in (False, True):
            for k in SOME_K:
                own, accuracy = _timed(_make_automaton, network, data, points, k, dense)
                seconds += own / len(SOME_K) * (LAST_K - 1) * TRIALS
                accuracies.append(accuracy)
    return Scaled(seconds, float(np.mean(accuracies)))


def _timed(function: Callable[..., T], *arguments: Any) -> tuple[float, T]:
    started = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - started, result


class _Network(nn.Module):
    """torch's own cells, and the minimal gated unit step by step."""

    def __init__(self, cell: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        kinds = {"srn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
        self.cell = (
            kinds[cell](len(ALPHABET), HIDDEN, batch_first=True) if cell in kinds else _MGU()
        )
        self.read_out = nn.Linear(HIDDEN, 2)

    def forward(self, word: torch.Tensor) -> torch.Tensor:
        """The hidden states after each symbol of one word."""
        states: torch.Tensor = self.cell(one_hot(word, len(ALPHABET)).float()[None])[0]
        return states[0]


class _MGU(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.forget, self.candidate = (nn.Linear(len(ALPHABET) + HIDDEN, HIDDEN) for _ in range(2))

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, None]:
        state, states = inputs.new_zeros(len(inputs), HIDDEN), []
        for symbol in inputs.unbind(dim=1):
            forget = torch.sigmoid(self.forget(torch.cat([symbol, state], dim=1)))
            candidate = torch.tanh(self.candidate(torch.cat([symbol, forget * state], dim=1)))
            state = (1 - forget) * state + forget * candidate
            states.append(state)
        return torch.stack(states, dim=1), None


def _train_an_epoch(network: _Network, split: Split) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=TrainingSettings().learning_rate)
    for word, label in zip(each(split.sequences), split.labels, strict=True):
        if len(word):
            last = network(torch.tensor(word, dtype=torch.long))[-1]
            loss = cross_entropy(network.read_out(last)[None], torch.tensor([int(label)]))
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()


@dataclass(frozen=True)
class _Points:
    states: Float[np.ndarray, "P H"]
    places: list[tuple[int, int]]
    """Of each point: the word and the step."""
    words: list[Int[np.ndarray, " T"]]


def _dump(network: _Network, split: Split) -> _Points:
    found, places, read = [], [], [word for word in each(split.sequences) if len(word)]
    with torch.inference_mode():
        for number, word in enumerate(read):
            found.append(network(torch.tensor(word, dtype=torch.long)).numpy())
            places += [(number, step) for step in range(1, len(word) + 1)]
    return _Points(np.concatenate(found), places, read)


def _make_automaton(
    network: _Network, data: Dataset, points: _Points, k: int, dense: bool
) -> float:
    """Cluster, read the automaton off by majority, and run it on every other split; its accuracy on
    the test set."""
    matrix = points.states
    if dense:
        positions = np.zeros((len(matrix), len(points.words)))
        for row, (word, step) in enumerate(points.places):
            positions[row, word] = WEIGHT * step
        matrix = np.concatenate([matrix, positions], axis=1)
    clusters = KMeans(k, n_init=1, random_state=0).fit(matrix)
    counts: dict[tuple[int, int], Counter[int]] = {}
    for row, (word, step) in enumerate(points.places):
        before = int(clusters.labels_[row - 1]) if step > 1 else k
        pair = (before, int(points.words[word][step - 1]))
        counts.setdefault(pair, Counter())[int(clusters.labels_[row])] += 1
    table = {pair: count.most_common(1)[0][0] for pair, count in counts.items()}
    with torch.inference_mode():
        centers = torch.tensor(clusters.cluster_centers_[:, :HIDDEN], dtype=torch.float32)
        accepting = [*(network.read_out(centers).argmax(dim=1) == 1).tolist(), False]
    accuracies = {}
    for name in data.splits.keys() - {"train"}:
        right = 0
        for read, label in zip(
            each(data.splits[name].sequences), data.splits[name].labels, strict=True
        ):
            state: int | None = k
            for symbol in read.tolist():
                state = None if state is None else table.get((state, symbol))
            right += (state is not None and accepting[state]) == (label == 1)
        accuracies[name] = right / len(data.splits[name])
    return accuracies["test"]
