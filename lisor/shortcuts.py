"""The whole method in a few calls, for a notebook or a script; no Prefect, no MLflow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from lisor.automata import drawing
from lisor.automata.automaton import Automaton
from lisor.data import symbols
from lisor.data import words as labelled_words
from lisor.data.dataset import Dataset
from lisor.errors import DataError, show
from lisor.evaluation import choice
from lisor.extraction.probes import Probes
from lisor.files import writing
from lisor.networks import training
from lisor.networks.external.adapt import adapt
from lisor.networks.external.adapter import check_guessed
from lisor.networks.external.class_order import check_classes
from lisor.networks.external.stepped import SteppedNetwork
from lisor.networks.trained import TrainedModel
from lisor.search import Search
from lisor.settings.language import LanguageSettings
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings

MAX_STATES = 4096
"""States that may be asked for: more take hours."""


def words(
    language: str,
    *,
    alphabet: str = "01",
    max_length: int = 20,
    target: str = "class",
    seed: int = 0,
) -> Dataset:
    """Labelled words of a regular language, up to `max_length` symbols: 3,000 to train on and 500
    for each other split. A word is labelled as a whole, or with the `target` "step" after each
    symbol. `alphabet` has the symbols of a regular expression, one character each.

    Raises:
        ConfigError: there is no language or target of that name.
        LanguageError: an expression is malformed, or has a symbol that the alphabet has not."""
    return labelled_words.from_settings(
        LanguageSettings(
            language=language, alphabet=alphabet, max_length=max_length, target=target, seed=seed
        )
    )


def train(
    dataset: Dataset, *, cell: str = "gru", hidden_size: int = 10, seed: int = 0
) -> TrainedModel:
    """A network trained on a dataset.

    Raises:
        ConfigError: there is no cell of that name.
        DataError: it is no dataset."""
    if not isinstance(dataset, Dataset):
        raise DataError(f"expected a dataset, such as lisor.words makes, got {show(dataset)}")
    models = ModelsSettings(cells=(cell,), hidden_size=hidden_size)
    # The products of one network are too small to share: on a busy machine threads only wait.
    with threadpool_limits(1):
        return training.train(
            dataset, cell=cell, models=models, settings=TrainingSettings(seed=seed), trials=[0]
        )[0]


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

    `network` is one of `train`, a torch module with a recurrent network inside, called with symbol
    numbers or one-hot vectors as its owner calls it, or an object with `initial_state()`,
    `step(state, symbol)` and `is_accepting(state)` or `scores(state)`. `sequences` is a dataset, or
    sequences such as the network has learned: texts, whose characters are symbols, lists of texts,
    or lists of symbol numbers. They need no labels, since the automaton is compared with what the
    network predicts. `alphabet` names the symbols in the order in which the network numbers them;
    by value where all are whole numbers, and else sorted, unless given. `classes` names its
    classes, "reject" and "accept" or numbers unless given.

    A few clusters of the hidden states are refined until no word is found on which network and
    automaton differ. Words are no longer than the sequences given; for a language they are up to
    twice as long, unless no automaton of so many states is found that is right on those too. Where
    that does not end, and for text, the network's own steps between clusters are tried for each
    number of clusters, on text between clusters of what matters to its prediction, and sequences
    that nothing was fitted to decide. A network whose states are finitely many distinct values is
    an automaton already.

    A DataWarning says where the search did not end: on how many unseen sequences network and
    automaton agree, and one on which they do not. Another says where the labels of a dataset mean
    that an external network has its classes in another order.

    Raises:
        ModelError: it is no such network, or its predictions do not follow from its state.
        DataError: the network leaves fewer distinct hidden states than two, `most_states` is under
            three or more than fit into memory, or the sequences or the alphabet cannot be used."""
    if not 3 <= most_states <= MAX_STATES:
        raise DataError(
            f"expected most_states from 3, for the start and two clusters, to {MAX_STATES:,}, got "
            f"{most_states:,}"
        )
    if isinstance(sequences, Dataset):
        adapted = adapt(network, sequences.alphabet, classes or sequences.classes)
        if not isinstance(adapted, TrainedModel):  # it reads symbols, whatever these were made from
            sequences = sequences.symbols_alone()
            check_classes(adapted, sequences)
        if adapted.target != sequences.target:
            raise DataError(
                f"expected a dataset of the target {adapted.target!r}, which the network has, got "
                f"{sequences.target!r}"
            )
        parts = (sequences.splits[name] for name in ("validation", choice.SELECTION))
        fitted, kept = (part.sequences for part in parts)
        probes = Probes.of(sequences)
    else:
        if alphabet is None and isinstance(network, TrainedModel):
            alphabet = network.alphabet
        try:
            one_by_one = iter(sequences)
        except TypeError:
            raise DataError(
                "expected a dataset, or sequences, after the network, got "
                f"{type(sequences).__name__}"
            ) from None
        words, known = symbols.number(one_by_one, alphabet)
        adapted = adapt(network, known, classes)
        if alphabet is None:
            check_guessed(adapted)
        if not adapted.reads_empty:
            words = words.select(np.flatnonzero(words.lengths))
        # Every other sequence decides; a single one has to do for both.
        fitted, kept = (words.select(np.arange(at % len(words), len(words), 2)) for at in (0, 1))
        # Nobody says that the network is to be trusted on words longer than those it is shown with.
        shortest, longest = int(words.lengths.min()), int(words.lengths.max())
        probes = Probes(words=words, symbols=len(known), shortest=shortest, longest=longest)
    exact = adapted.automaton if isinstance(adapted, SteppedNetwork) else None
    if exact is not None and (smallest := exact.minimized()).n_states <= most_states:
        return smallest
    search = Search(
        network=adapted,
        fitted=fitted,
        kept=kept,
        probes=probes,
        most_states=most_states,
        seed=seed,
        is_text=isinstance(sequences, Dataset) and sequences.is_text,
    )
    return search.automaton()


def draw(automaton: Automaton, path: str | Path) -> None:
    """Draw an automaton as an SVG file, which is there whole or not at all.

    Raises:
        DataError: it is no automaton, cannot be written there, or the name does not end in .svg."""
    if Path(path).suffix.lower() != ".svg":
        raise DataError(f"automata are drawn as .svg files, got {Path(path).name}")
    if not isinstance(automaton, Automaton):
        raise DataError(
            f"expected an automaton, such as lisor.extract makes, got {type(automaton).__name__}"
        )
    svg = drawing.to_svg(automaton)
    with writing(Path(path)) as file:
        file.write(svg.encode())
