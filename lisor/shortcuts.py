"""The whole method in a few calls, for a notebook or a script; no Prefect, no MLflow."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from lisor.config import DatasetConfig, ModelsConfig, TrainingConfig
from lisor.data import words as labelled_words
from lisor.data.dataset import Dataset
from lisor.errors import DataError
from lisor.fsa import clustering, evaluation, extraction
from lisor.fsa.automaton import Automaton
from lisor.fsa.sensitivity import sensitivity
from lisor.report import drawing
from lisor.rnn import hidden_states, training
from lisor.rnn.classifier import TrainedModel


def words(language: str, *, max_length: int = 20, seed: int = 0) -> Dataset:
    """Labelled words of a regular language, up to `max_length` symbols: 3,000 to train on and 500 for each other split.

    Raises:
        ConfigError: there is no language of that name."""
    return labelled_words.from_config(DatasetConfig(language=language, max_length=max_length, seed=seed))


def train(dataset: Dataset, *, cell: str = "gru", hidden_size: int = 10, seed: int = 0) -> TrainedModel:
    """A network trained on a data set.

    Raises:
        ConfigError: there is no cell of that name."""
    models = ModelsConfig(cells=(cell,), hidden_size=hidden_size)
    return training.train(dataset, cell=cell, models=models, config=TrainingConfig(seed=seed), trials=[0])[0]


def extract(network: TrainedModel, dataset: Dataset, *, k: tuple[int, int] = (2, 32), seed: int = 0) -> Automaton:
    """The automaton that stands in for a network best, picked over every k from the first to the second number.

    For languages by LISOR-k with majority transitions, for text by the network's own steps between clusters of what
    matters to its answer. Hidden states are those of the validation split; the choice looks at the selection split
    alone. k rises until an automaton of a language answers all of it as the network does: none could be chosen over it.

    Raises:
        DataError: the hidden states are fewer than the smallest k."""
    splits = {name: dataset.splits[name] for name in ("validation", evaluation.SELECTION)}
    with TemporaryDirectory() as folder:
        hidden_states.dump(network, replace(dataset, splits=splits), Path(folder))
        states = hidden_states.HiddenStates(folder=Path(folder))
        points, answers, sequences = states.read(), states.answers(), states.sequences()
    metric = None
    if dataset.is_text:
        metric = clustering.Metric(matrix=sensitivity(network, sequences), cell_state=points.cell_state)
    method, rule = ("sensitivity", "dynamics") if dataset.is_text else ("kmeans", "majority")
    unseen = extraction.default_unseen(is_text=dataset.is_text)
    found: dict[int, extraction.Extraction] = {}
    rows: list[evaluation.Evaluation] = []
    most = clustering.count_distinct(points.state, k[1])
    for number in range(k[0], most + 1):
        (block,) = clustering.cluster(points.state, [number], method=method, seed=seed, metric=metric)
        found[number] = extraction.extract(network, points, block, rule=rule, unseen=unseen)
        rows += evaluation.evaluate([found[number]], splits, answers)
        if not dataset.is_text and rows[-1].fidelity == 1.0:
            break
    if not found:
        raise DataError(f"the network leaves {most} distinct hidden states, fewer than the smallest k, {k[0]}")
    table = pd.DataFrame([asdict(row) for row in rows])
    chosen = evaluation.choose(table, tolerance=evaluation.default_tolerance(is_text=dataset.is_text))
    return found[int(chosen[chosen["selected"]]["k"].iloc[0])].automaton


def draw(automaton: Automaton, path: str | Path) -> None:
    """Draw an automaton as an SVG file."""
    Path(path).write_text(drawing.to_svg(automaton), encoding="utf-8")
