"""The whole method in a few calls, for a notebook or a script; no Prefect, no MLflow."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from numbers import Real
from pathlib import Path
from threading import TIMEOUT_MAX, Event, Timer

import numpy as np

from lisor.automata import drawing, pdfa
from lisor.automata.automaton import Automaton
from lisor.automata.pdfa import MAX_LENGTH
from lisor.data import symbols
from lisor.data import words as labelled_words
from lisor.data.dataset import Dataset
from lisor.errors import DataError, DataWarning, ModelError, show
from lisor.evaluation import choice
from lisor.extraction.limits import Watch
from lisor.extraction.probes import Probes
from lisor.files import writing
from lisor.networks import completion, training
from lisor.networks.external.adapt import adapt
from lisor.networks.external.adapter import check_guessed
from lisor.networks.external.class_order import check_classes
from lisor.networks.external.queried import Form, QueriedNetwork, is_queried
from lisor.networks.external.reading import Meaning
from lisor.networks.external.stepped import SteppedNetwork
from lisor.networks.network import Network
from lisor.networks.trained import TrainedModel
from lisor.registry import TARGETS
from lisor.search import Search
from lisor.sequences import Sequences
from lisor.settings.language import LanguageSettings
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings
from lisor.threads import one_torch_thread

MAX_STATES = 4096
"""States that may be asked for: more take hours."""

MAX_SINGLE = 128
"""Numbers of a network's state up to which its products are too small for several threads."""


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
    with one_torch_thread():
        return training.train(
            dataset, cell=cell, models=models, settings=TrainingSettings(seed=seed), trials=[0]
        )[0]


def extract(
    network: object,
    sequences: Dataset | Iterable[str | Sequence[str] | Sequence[int]],
    *,
    alphabet: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    target: str | None = None,
    begin: str | None = None,
    end: str | None = None,
    most_states: int = 64,
    seed: int = 0,
    time_limit: float | None = None,
    progress: Callable[[str], None] | None = None,
) -> Automaton:
    """The minimal automaton that stands in for a network best, of at most so many states.

    `network` is one of `train`, a torch module with a recurrent network inside, called with symbol
    numbers or one-hot vectors as its owner calls it, or an object with `initial_state()`,
    `step(state, symbol)` and `is_accepting(state)` or `scores(state)`. Or it is known by its
    answers alone: a function, called with a word in the form of those given (a text, a list of
    texts or a list of numbers), or a system with `pre()`, `step(symbol)` and `post()` as AALpy has
    them; its answers are True or False, classes, or scores. `sequences` is a dataset, or
    sequences such as the network has learned: texts, whose characters are symbols, lists of texts,
    or lists of symbol numbers. They need no labels, since the automaton is compared with what the
    network predicts. `alphabet` names the symbols in the order in which the network numbers them;
    by value where all are whole numbers, and else sorted, unless given. `classes` names its
    classes, "reject" and "accept" or numbers unless given.

    What an external network puts out is read as a class of the sequence, or as one after each
    symbol. With the `target` "next" it is read as scores of what comes next: one for each symbol
    and the last one for the end, or the symbol `end` of the alphabet stands for it; a symbol that
    it reads before each sequence is named by `begin`. With "number", after each symbol, or
    "regression", after the last one, it is read as numbers. A dataset says its target itself.

    A few clusters of the hidden states are refined until no word is found on which network and
    automaton differ. Words are no longer than the sequences given; for a language they are up to
    twice as long, unless no automaton of so many states is found that is right on those too. Where
    that does not end, or the automaton grows, another is learned from predictions alone, for which
    numbers of a state that do not matter do not count. Where neither ends, and for text, the
    network's own steps between clusters are tried for each number of clusters, on text between
    clusters of what matters to its prediction, and sequences that nothing was fitted to decide. A
    network whose states are finitely many distinct values is an automaton already.

    After `time_limit` seconds, looked at between some predictions and the next, that of the last
    complete round is returned; until then no clock changes anything. `progress`, for example
    `print`, is called with a line after each round.

    A DataWarning says where the search did not end: on how many unseen sequences network and
    automaton agree, and one on which they do not. Another says where the labels of a dataset mean
    that an external network has its classes in another order.

    Raises:
        ModelError: it is no such network, its predictions do not follow from its state, or it
            answers the same word in two ways.
        DataError: the network leaves fewer distinct hidden states than two, `most_states` is under
            three or more than fit into memory, or the sequences or the alphabet cannot be used."""
    if not 3 <= most_states <= MAX_STATES:
        raise DataError(
            f"expected most_states from 3, for the start and two clusters, to {MAX_STATES:,}, got "
            f"{most_states:,}"
        )
    is_text = isinstance(sequences, Dataset) and sequences.is_text
    meaning = Meaning(target=target, begin=begin, end=end)
    with _watching(time_limit, progress) as watch:
        if isinstance(sequences, Dataset):
            part = _of_dataset(network, sequences, classes, meaning, watch)
        else:
            part = _of_sequences(network, sequences, alphabet, classes, meaning, watch)
        adapted, fitted, kept, probes = part
        exact = adapted.automaton if isinstance(adapted, SteppedNetwork) else None
        if exact is not None and (smallest := exact.minimized()).n_states <= most_states:
            return smallest
        # A function has no states, and runs as its owner wants it to.
        sizes = () if isinstance(adapted, QueriedNetwork) else adapted.sizes
        with one_torch_thread() if 0 < sum(sizes) <= MAX_SINGLE else nullcontext():
            search = Search(
                network=adapted,
                fitted=fitted,
                kept=kept,
                probes=probes,
                most_states=most_states,
                seed=seed,
                is_text=is_text,
                watch=watch,
            )
            automaton = search.automaton()
        return adapted.finished(automaton) if isinstance(adapted, QueriedNetwork) else automaton


def _of_dataset(
    network: object,
    dataset: Dataset,
    classes: Sequence[str] | None,
    meaning: Meaning,
    watch: Watch,
) -> tuple[Network | QueriedNetwork, Sequences, Sequences, Probes]:
    """The network as extraction needs it, the sequences that are clustered, those that decide, and
    probes, of a dataset."""
    adapted: Network | QueriedNetwork
    if is_queried(network):
        _check_named(meaning)
        dataset = dataset.symbols_alone()
        words, known = dataset.splits["validation"].sequences, dataset.alphabet
        form: Form = "text" if all(len(symbol) == 1 for symbol in known) else "symbols"
        adapted = QueriedNetwork(
            network, known, classes, words=words, form=form, is_over=watch.is_over
        )
    else:
        if meaning.target is None and not TARGETS[dataset.target].names_classes:
            meaning = replace(meaning, target=dataset.target)
        adapted = adapt(network, dataset.alphabet, classes or dataset.classes, meaning=meaning)
        if not isinstance(adapted, TrainedModel):  # it reads symbols, whatever they came from
            dataset = dataset.symbols_alone()
            if TARGETS[adapted.target].names_classes:
                check_classes(adapted, dataset)
    if adapted.target != dataset.target:
        raise DataError(
            f"expected a dataset of the target {adapted.target!r}, which the network has, got "
            f"{dataset.target!r}"
        )
    fitted, kept = (dataset.splits[name].sequences for name in ("validation", choice.SELECTION))
    return adapted, fitted, kept, Probes.of(dataset)


def _of_sequences(
    network: object,
    sequences: Iterable[str | Sequence[str] | Sequence[int]],
    alphabet: Sequence[str] | None,
    classes: Sequence[str] | None,
    meaning: Meaning,
    watch: Watch,
) -> tuple[Network | QueriedNetwork, Sequences, Sequences, Probes]:
    """The same of sequences alone."""
    adapted: Network | QueriedNetwork
    if alphabet is None and isinstance(network, TrainedModel):
        alphabet = network.alphabet
    try:
        raw = list(sequences)
    except TypeError:
        raise DataError(
            f"expected a dataset, or sequences, after the network, got {type(sequences).__name__}"
        ) from None
    words, known = symbols.number(raw, alphabet)
    if is_queried(network):
        _check_named(meaning)
        adapted = QueriedNetwork(
            network, known, classes, words=words, form=_form_of(raw), is_over=watch.is_over
        )
    else:
        adapted = adapt(network, known, classes, meaning=meaning)
        if alphabet is None:
            check_guessed(adapted)
    if not adapted.reads_empty:
        words = words.select(np.flatnonzero(words.lengths))
    # Every other sequence decides; a single one has to do for both.
    fitted, kept = (words.select(np.arange(at % len(words), len(words), 2)) for at in (0, 1))
    # Nobody says that the network is to be trusted on words longer than those it is shown with.
    shortest, longest = int(words.lengths.min()), int(words.lengths.max())
    probes = Probes(words=words, symbols=len(known), shortest=shortest, longest=longest)
    return adapted, fitted, kept, probes


def _check_named(meaning: Meaning) -> None:
    """Raises ModelError where a function's answers are to be read as anything but classes."""
    if meaning.target not in (None, "class"):
        raise ModelError(
            "a function is learned by the class that it names for a word, not for the target "
            f"{show(meaning.target)}"
        )


@contextmanager
def _watching(time_limit: float | None, progress: Callable[[str], None] | None) -> Iterator[Watch]:
    """A watch over what runs inside, which is over after so many seconds.

    Raises:
        DataError: the limit is no time, or the lines of progress cannot be passed on."""
    if not (progress is None or callable(progress)):
        raise DataError(
            "expected progress that is called with a line, such as print, or None, got "
            f"{show(progress)}"
        )
    if not (time_limit is None or (isinstance(time_limit, Real) and 0 < time_limit < TIMEOUT_MAX)):
        raise DataError(f"expected a time_limit above 0 seconds, or None, got {show(time_limit)}")
    over = Event()
    timer = Timer(0 if time_limit is None else time_limit, over.set)
    timer.daemon = True
    if time_limit is not None:
        timer.start()
    try:
        yield Watch(report=progress or (lambda line: None), is_over=over.is_set)
    finally:
        timer.cancel()


def _form_of(words: Sequence[Sequence[str] | Sequence[int]]) -> Form:
    """The form in which words were given, in which a function gets others."""
    if all(isinstance(word, str) for word in words):
        return "text"
    symbol = next(symbol for word in words for symbol in word)
    return "symbols" if isinstance(symbol, str) else "numbers"


def complete(
    predictor: Automaton | TrainedModel, prefix: str, *, max_length: int = MAX_LENGTH
) -> str:
    """What an automaton or a network that predicts the next symbol holds most likely after a
    prefix, symbol by symbol until the end: of a translation, what stands after the separator.

    A DataWarning says where there is no end within `max_length` symbols.

    Raises:
        DataError: it is neither, or the prefix has a symbol that the alphabet has not.
        AutomatonError, ModelError: it does not predict the next symbol."""
    if not isinstance(predictor, Automaton | TrainedModel):
        raise DataError(
            "expected an automaton or a network, such as lisor.extract and lisor.train make, got "
            f"{type(predictor).__name__}"
        )
    read = predictor.alphabet.read([prefix])
    if isinstance(predictor, Automaton):
        words, ended = pdfa.complete(predictor, read, max_length=max_length)
    else:
        words, ended = completion.complete(predictor, read, max_length=max_length)
    if not ended[0]:
        warnings.warn(
            f"the sequence has not ended after {max_length:,} symbols, and is cut there",
            DataWarning,
            stacklevel=2,
        )
    return predictor.alphabet.join(predictor.alphabet[symbol] for symbol in words[0])


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
