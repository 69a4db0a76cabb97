"""The whole method in a few calls, for a notebook or a script; no Prefect, no MLflow."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from lisor.config import DatasetConfig, ModelsConfig, TrainingConfig
from lisor.data import words as labelled_words
from lisor.data.dataset import Dataset
from lisor.errors import DataError
from lisor.fsa import clustering, evaluation, extraction
from lisor.fsa.automaton import Automaton
from lisor.fsa.probes import Probes
from lisor.fsa.refinement import refine
from lisor.fsa.sensitivity import sensitivity
from lisor.report import drawing
from lisor.rnn import hidden_states, training
from lisor.rnn.classifier import TrainedModel

FEW = 8
"""Clusters from which a language's automaton is refined: enough for most to be right at once."""


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


def extract(network: TrainedModel, dataset: Dataset, *, most_states: int = 64, seed: int = 0) -> Automaton:
    """The automaton that stands in for a network best, of at most so many states.

    For a language: a few clusters of the hidden states of the validation split, refined until no word is found on which
    network and automaton differ, and minimised. For text: the network's own steps between clusters of what matters to
    its answer, for each number of clusters; the selection split alone decides between them.

    Raises:
        DataError: the network leaves fewer distinct hidden states than two, or `most_states` is under three."""
    if most_states < 3:
        raise DataError(f"expected at least 3 states, the start and two clusters, got most_states={most_states}")
    sequences = dataset.splits["validation"].sequences
    points = hidden_states.collect(network, sequences)
    most = clustering.count_distinct(points.state, most_states - 1)
    if most < 2:
        raise DataError("the network leaves a single hidden state: there is nothing to tell apart")
    if dataset.language is not None:
        (block,) = clustering.cluster(points.state, [min(FEW, most)], method="kmeans", seed=seed)
        found = refine(network, points, block, Probes.of(dataset), most_states=most_states, seed=seed)
        return found.extraction.automaton
    metric = sensitivity(network, sequences, points.state, points.cell_state)
    each = {
        block.k: extraction.extract(network, points, block, rule="dynamics")
        for block in clustering.cluster(
            points.state,
            range(2, most + 1),
            method="sensitivity",
            seed=seed,
            threads=os.cpu_count() or 1,
            metric=metric,
        )
    }
    splits = {name: dataset.splits[name] for name in ("validation", evaluation.SELECTION)}
    answers = {name: hidden_states.answer(network, split) for name, split in splits.items()}
    table = pd.DataFrame([asdict(row) for row in evaluation.evaluate(each.values(), splits, answers)])
    chosen = evaluation.choose(table, tolerance=evaluation.default_tolerance(is_text=True))
    return each[int(chosen[chosen["selected"]]["k"].iloc[0])].automaton


def draw(automaton: Automaton, path: str | Path) -> None:
    """Draw an automaton as an SVG file."""
    Path(path).write_text(drawing.to_svg(automaton), encoding="utf-8")
