"""Small networks, the hidden states that every word of a length leaves in them, and clusters of
those."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from lisor.clustering.clustering import Clustering, cluster
from lisor.networks.hidden_states import Points
from lisor.networks.trained import TrainedModel
from lisor.registry import CELLS
from tests.conftest import random_network
from tests.strategies import WITH_CELL_STATE

State = tuple[np.ndarray, ...]

H, K = 4, 3

LIVED = list(product((0, 1), repeat=5))

kinds = pytest.mark.parametrize(
    ("cell", "classes", "metric"),
    [(cell, classes, metric) for cell in CELLS for classes, metric in [(2, False), (3, True)]],
)


def step_plainly(model: TrainedModel, state: State, symbol: int) -> State:
    after = model.step(tuple(torch.from_numpy(part)[None, None] for part in state), symbol)
    return tuple(part[0, 0].numpy() for part in after)


@cache
def lived(
    cell: str, classes: int, seed: int, *, metric: bool
) -> tuple[TrainedModel, Points, Clustering]:
    """A network of random weights that answers in all ways, the states it is in while reading, and
    clusters of them."""
    model, steps, rows = random_network(cell, classes=classes, seed=seed), [], []
    for sequence, word in enumerate(LIVED):
        state = tuple(part[0, 0].numpy() for part in model.initial_state())
        for step, symbol in enumerate(word, 1):
            state = step_plainly(model, state, symbol)
            steps.append((sequence, step, symbol))
            rows.append(np.concatenate(state))
    whole, (sequences, places, symbols) = np.array(rows), np.array(steps).T
    logits = model.network.read_out(torch.from_numpy(whole[None, :, :H]))
    model.network.output_bias.sub_(logits.mean(dim=1, keepdim=True))
    points = Points(
        sequence=sequences,
        step=places,
        symbol=symbols,
        state=whole[:, :H],
        cell_state=whole[:, H:] if cell in WITH_CELL_STATE else None,
    )
    (clustering,) = cluster(points, [K], method="kmeans", seed=seed)
    matrix = np.random.default_rng(seed).normal(size=(whole.shape[1], 3)).astype(np.float32)
    return model, points, replace(clustering, metric=matrix if metric else None)


@contextmanager
def counted_steps() -> Iterator[list[int]]:
    """How many symbols each call has networks read, as they go on."""
    read: list[int] = []
    counts: dict[str, Callable[..., int]] = {
        "predict": lambda model, words: len(words.symbols),
        "predict_from": lambda model, states, words: len(words.symbols),
        "advance": lambda model, states, symbols: len(symbols),
        "successors": lambda model, states: len(states[0]) * len(model.alphabet),
    }

    def counting(method: Callable[..., Any], count: Callable[..., int]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            read.append(count(*arguments))
            return method(*arguments)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name, count in counts.items():
            patch.setattr(TrainedModel, name, counting(getattr(TrainedModel, name), count))
        yield read
