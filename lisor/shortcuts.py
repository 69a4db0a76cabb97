"""The whole method in a few calls, for a notebook or a script; no Prefect, no MLflow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from lisor.config import DatasetConfig, ModelsConfig, TrainingConfig
from lisor.data import symbols
from lisor.data import words as labelled_words
from lisor.data.dataset import Dataset
from lisor.errors import DataError
from lisor.files import writing
from lisor.fsa import evaluation
from lisor.fsa.automaton import Automaton
from lisor.fsa.probes import Probes
from lisor.fsa.search import Search
from lisor.report import drawing
from lisor.rnn import training
from lisor.rnn.adapters import adapt, check_guessed
from lisor.rnn.class_order import check_classes
from lisor.rnn.classifier import TrainedModel
from lisor.rnn.stepped import SteppedNetwork

MAX_STATES = 4096
"""States that may be asked for: more take hours."""


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
    """The minimal automaton that stands in for a network best, of at most so many states.

    `network` is one of `train`, a torch module with one torch.nn.RNN, GRU or LSTM inside that is
    called with symbol numbers or one-hot vectors alone, or an object with `initial_state()`,
    `step(state, symbol)` and `is_accepting(state)` or `scores(state)`. `sequences` is a dataset, or
    sequences such as the network has learned: texts, whose characters are symbols, lists of texts,
    or lists of symbol numbers. They need no labels, since the automaton is compared with what the
    network answers. `alphabet` names the symbols in the order in which the network numbers them; by
    value where all are whole numbers, and else sorted, unless given. `classes` names its classes,
    "reject" and "accept" or numbers unless given.

    A few clusters of the hidden states are refined until no word is found on which network and
    automaton differ. Words are no longer than the sequences given; for a language they are up to
    twice as long, unless no automaton of so many states is found that is right on those too. Where
    that does not end, and for text, the network's own steps between clusters are tried for each
    number of clusters, on text between clusters of what matters to its answer, and sequences that
    nothing was fitted to decide. A network whose states are finitely many distinct things is an
    automaton already.

    A DataWarning says where the search did not end: on how many unseen sequences network and
    automaton agree, and one on which they do not. Another says where the labels of a dataset mean
    that an external network has its classes in another order.

    Raises:
        ModelError: it is no such network, or its answers do not follow from its state.
        DataError: the network leaves fewer distinct hidden states than two, `most_states` is under
            three or more than fit into memory, or the sequences or the alphabet cannot be used."""
    if not 3 <= most_states <= MAX_STATES:
        raise DataError(
            f"expected most_states from 3, for the start and two clusters, to {MAX_STATES:,}, got {most_states:,}"
        )
    if isinstance(sequences, Dataset):
        adapted = adapt(network, sequences.vocabulary, classes or sequences.classes)
        if not isinstance(adapted, TrainedModel):  # it reads symbols, whatever these were made from
            sequences = sequences.symbols_alone()
            check_classes(adapted, sequences)
        parts = (sequences.splits[name] for name in ("validation", evaluation.SELECTION))
        fitted, kept = (part.sequences for part in parts)
        probes, quantizer = Probes.of(sequences), sequences.quantizer
    else:
        if alphabet is None and isinstance(network, TrainedModel):
            alphabet = network.vocabulary
        words, known = symbols.number(sequences, alphabet)
        adapted = adapt(network, known, classes)
        if alphabet is None:
            check_guessed(adapted)
        quantizer = adapted.quantizer
        if not adapted.reads_empty:
            words = words.select(np.flatnonzero(words.lengths))
        # Every other sequence decides; a single one has to do for both.
        fitted, kept = (words.select(np.arange(at % len(words), len(words), 2)) for at in (0, 1))
        # Nobody says that the network is to be trusted on words longer than those it is shown with.
        shortest, longest = int(words.lengths.min()), int(words.lengths.max())
        probes = Probes(words=words, symbols=len(known), shortest=shortest, longest=longest)
    own = adapted.automaton if isinstance(adapted, SteppedNetwork) else None
    if own is not None and (smallest := own.minimized()).n_states <= most_states:
        return replace(smallest, quantizer=quantizer)
    search = Search(
        network=adapted,
        fitted=fitted,
        kept=kept,
        probes=probes,
        most_states=most_states,
        seed=seed,
    )
    is_text = isinstance(sequences, Dataset) and sequences.is_text
    automaton = search.followed() if is_text else search.refined()
    return replace(automaton, quantizer=quantizer)


def draw(automaton: Automaton, path: str | Path) -> None:
    """Draw an automaton as an SVG file, which is there whole or not at all.

    Raises:
        DataError: it cannot be written there."""
    svg = drawing.to_svg(automaton)
    with writing(Path(path)) as file:
        file.write(svg.encode())
