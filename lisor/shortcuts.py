"""The whole method in a few calls, for a notebook or a script; no Prefect, no MLflow."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from lisor.config import DatasetConfig, ModelsConfig, TrainingConfig
from lisor.data import languages
from lisor.data.dataset import Dataset
from lisor.fsa import clustering, evaluation, extraction
from lisor.fsa.automaton import Automaton
from lisor.report import drawing
from lisor.rnn import hidden_states, training
from lisor.rnn.classifier import TrainedModel


def words(language: str, *, max_length: int = 20, seed: int = 0) -> Dataset:
    """Labelled words of a regular language, up to `max_length` symbols: 3,000 to train on and 500 for each other split.

    Raises:
        ConfigError: there is no language of that name."""
    return languages.from_config(DatasetConfig(language=language, max_length=max_length, seed=seed))


def train(dataset: Dataset, *, cell: str = "gru", hidden_size: int = 10, seed: int = 0) -> TrainedModel:
    """A network trained on a data set.

    Raises:
        ConfigError: there is no cell of that name."""
    models = ModelsConfig(cells=(cell,), hidden_size=hidden_size)
    return training.train(dataset, cell=cell, models=models, config=TrainingConfig(seed=seed), trials=[0])[0]


def extract(network: TrainedModel, dataset: Dataset, *, k: tuple[int, int] = (2, 32), seed: int = 0) -> Automaton:
    """The automaton that stands in for a network best, picked over every k from the first to the second number.

    Hidden states are those of the validation split; the choice looks at the selection split alone."""
    with TemporaryDirectory() as folder:
        hidden_states.dump(network, dataset, Path(folder))
        states = hidden_states.HiddenStates(folder=Path(folder))
        points, answers = states.read(), states.answers()
    clusterings = clustering.cluster(points.state, range(k[0], k[1] + 1), method="kmeans", seed=seed)
    unseen = extraction.default_unseen(is_text=dataset.is_text)
    found = [extraction.extract(network, points, block, unseen=unseen) for block in clusterings]
    splits = {name: dataset.splits[name] for name in ("validation", evaluation.SELECTION)}
    rows = pd.DataFrame([asdict(row) for row in evaluation.evaluate(found, splits, answers)])
    chosen = evaluation.choose(rows, tolerance=evaluation.default_tolerance(is_text=dataset.is_text))
    best = int(chosen[chosen["selected"]]["k"].iloc[0])
    return next(candidate.automaton for candidate in found if candidate.k == best)


def draw(automaton: Automaton, path: str | Path) -> None:
    """Draw an automaton as an SVG file."""
    Path(path).write_text(drawing.to_svg(automaton), encoding="utf-8")
