"""The whole method in a few calls, for a notebook or a script; no Prefect, no MLflow."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from lisor.config import DatasetConfig, ModelsConfig, TrainingConfig
from lisor.data import symbols
from lisor.data import words as labelled_words
from lisor.data.dataset import Dataset, Split
from lisor.data.sequences import Sequences
from lisor.errors import DataError
from lisor.files import writing
from lisor.fsa import clustering, evaluation, extraction
from lisor.fsa.automaton import Automaton
from lisor.fsa.probes import Probes
from lisor.fsa.refinement import refine
from lisor.fsa.sensitivity import sensitivity
from lisor.report import drawing
from lisor.rnn import hidden_states, training
from lisor.rnn.adapters import adapt
from lisor.rnn.classifier import TrainedModel
from lisor.rnn.network import Network

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
    # The products of one network are too small to share: on a busy machine threads only wait.
    with threadpool_limits(1):
        return training.train(dataset, cell=cell, models=models, config=TrainingConfig(seed=seed), trials=[0])[0]


def extract(
    network: object,
    sequences: Dataset | Iterable[str | Sequence[str] | Sequence[int]],
    *,
    alphabet: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    most_states: int = 64,
    seed: int = 0,
) -> Automaton:
    """The automaton that stands in for a network best, of at most so many states.

    `network` is one of `train`, a torch module with one torch.nn.RNN, GRU or LSTM inside that is called with symbol
    numbers or one-hot vectors alone, or an object with `initial_state()`, `step(state, symbol)` and
    `is_accepting(state)` or `scores(state)`. `sequences` is a data set, or sequences such as the network has learned:
    texts, whose signs are symbols, lists of texts, or lists of symbol numbers. They need no labels, since what counts
    is what the network answers. `alphabet` names the symbols in the order in which the network numbers them, sorted
    unless given; `classes` its classes, "reject" and "accept" or numbers unless given.

    A few clusters of the hidden states are refined until no word is found on which network and automaton differ, and
    minimised. Words are no longer than the sequences given; for a language, up to twice as long. Where that does not
    end at so many states, and for text, the network's own steps between clusters are tried for each number of clusters,
    on text between clusters of what matters to its answer; sequences that nothing was fitted to decide.

    Raises:
        ModelError: it is no such network, or its answers do not follow from its state.
        DataError: the network leaves fewer distinct hidden states than two, or `most_states` is under three; the
            sequences or the alphabet cannot be used."""
    if most_states < 3:
        raise DataError(f"expected at least 3 states, the start and two clusters, got most_states={most_states}")
    if isinstance(sequences, Dataset):
        adapted = adapt(network, sequences.vocabulary, classes or sequences.classes)
        fitted, kept = (sequences.splits[name].sequences for name in ("validation", evaluation.SELECTION))
        probes, is_text = Probes.of(sequences), sequences.is_text
    else:
        if alphabet is None and isinstance(network, TrainedModel):
            alphabet = network.vocabulary
        words, known = symbols.number(sequences, alphabet)
        adapted = adapt(network, known, classes)
        if not adapted.reads_empty:
            words = words.select(np.flatnonzero(words.lengths))
        # Every other sequence decides; a single one has to do for both.
        fitted, kept = (words.select(np.arange(first % len(words), len(words), 2)) for first in (0, 1))
        # Nobody says that the network is to be trusted on words longer than those it is shown with.
        shortest, longest = int(words.lengths.min()), int(words.lengths.max())
        probes, is_text = Probes(words=words, symbols=len(known), shortest=shortest, longest=longest), False
    points = hidden_states.collect(adapted, fitted)
    most = clustering.count_distinct(points.state, most_states - 1)
    if most < 2:
        raise DataError("the network leaves a single hidden state: there is nothing to tell apart")
    found = list[extraction.Extraction]()
    if not is_text:
        (block,) = clustering.cluster(points.state, [min(FEW, most)], method="kmeans", seed=seed)
        refined = refine(adapted, points, block, probes, most_states=most_states, seed=seed)
        if refined.complete or (isinstance(sequences, Dataset) and sequences.language is not None):
            return refined.extraction.automaton
        found.append(refined.extraction)
    compared = is_text and isinstance(adapted, TrainedModel)
    metric = sensitivity(adapted, fitted, points.state, points.cell_state) if compared else None
    blocks = clustering.cluster(
        points.state,
        range(2, most + 1),
        method="sensitivity" if compared else "kmeans",
        seed=seed,
        threads=os.cpu_count() or 1,
        metric=metric,
    )
    found += [extraction.extract(adapted, points, block, rule="dynamics") for block in blocks]
    return _most_faithful(adapted, found, {"validation": fitted, evaluation.SELECTION: kept})


def _most_faithful(network: Network, found: list[extraction.Extraction], parts: dict[str, Sequences]) -> Automaton:
    """The automaton that answers most of the selection split as the network does, a smaller one where it is close."""
    splits, answers = dict[str, Split](), dict[str, hidden_states.Answers]()
    for name, words in parts.items():
        probabilities = network.predict(words)
        splits[name] = Split(sequences=words, labels=probabilities.argmax(axis=1))  # the choice looks at fidelity alone
        answers[name] = hidden_states.answer(network, splits[name])
    table = pd.DataFrame([asdict(row) for row in evaluation.evaluate(found, splits, answers)])
    chosen = evaluation.choose(table, tolerance=evaluation.TOLERANCE)
    way = chosen[chosen["selected"]].iloc[0]
    return next(one.automaton for one in found if (one.rule, one.k) == (way["rule"], way["k"]))


def draw(automaton: Automaton, path: str | Path) -> None:
    """Draw an automaton as an SVG file, which is there whole or not at all.

    Raises:
        DataError: it cannot be written there."""
    svg = drawing.to_svg(automaton)
    with writing(Path(path)) as file:
        file.write(svg.encode())
