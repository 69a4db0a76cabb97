"""The pipeline, stage by stage: dataset → networks → hidden states → clusters → automata →
results → explanations → report.

The flow and the library share it. Its caller supplies the stages: for the flow they are cached
tasks that run side by side, for the library plain calls. The values that stages pass on are theirs
too (`Any` here): a reference to an artifact, or the value itself."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product
from typing import Any, Protocol, TypeVar

from lisor.errors import AutomatonError, DataError, ModelError
from lisor.registry import RECURRENT, RULES, TARGETS
from lisor.settings.experiment import Experiment, Study
from lisor.settings.language import LanguageSettings

T = TypeVar("T")
S = TypeVar("S", contravariant=True)

NETWORK_ERRORS = (AutomatonError, DataError, ModelError)
"""Errors that say something of one network, which fails alone; others concern the run."""

MAX_REASON = 200
"""Characters of a failure's reason that are shown."""

FIRST_BLOCKS = (1, 3, 5, 10)
"""Where the first blocks of trials end; the later ones are ten trials each."""

FIRST_BLOCKS_OF_WORDS = (1, 5, 10)
"""The same for a language: of its small networks four side by side take less than two and two."""


@dataclass(frozen=True, kw_only=True)
class Variants:
    """Automata of one method for a block of k: by each of the `rules`, those that search from the
    `starts` alone."""

    method: str
    ks: tuple[int, ...]
    rules: tuple[str, ...]
    starts: tuple[int, ...] = ()

    def __str__(self) -> str:
        span = str(self.ks[0]) if len(self.ks) == 1 else f"{self.ks[0]}–{self.ks[-1]}"
        return f"{self.method} k {span}"

    @property
    def searches(self) -> bool:
        """Whether there is a rule that searches."""
        return any(RULES[rule].searches for rule in self.rules)

    @property
    def groups(self) -> list[Variants]:
        """Those by rules that read off, and those by rules that search, from all starts or from
        one."""
        kinds: dict[tuple[bool, tuple[int, ...]], list[str]] = {}
        for name in self.rules:
            rule = RULES[name]
            starts = self.starts if rule.from_clusters else self.starts[:1]
            kinds.setdefault((rule.searches, starts if rule.searches else self.ks), []).append(name)
        return [
            Variants(method=self.method, ks=ks, rules=tuple(rules))
            for (_, ks), rules in sorted(kinds.items(), key=lambda kind: kind[0][0])
            if ks
        ]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Clusterings of one method, and for each group of the variants of them the automata and their
    evaluations."""

    clusterings: Any
    groups: list[tuple[Variants, Any, Any]]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A network of which nothing can be reported, and why.

    `dataset` is the dataset's name in the results, `name` that in file names."""

    dataset: str
    name: str
    cell: str
    trial: int
    reason: str

    @property
    def label(self) -> str:
        """The network's name in messages and MLflow."""
        return f"{self.name}-{self.cell}-{self.trial}"

    def __str__(self) -> str:
        more = "…" if len(self.reason) > MAX_REASON else ""
        return f"{self.label}: {self.reason[:MAX_REASON]}{more}"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One network of a study on its way through the stages, with the dataset that it was trained
    on, and its hidden states once they are there."""

    study: Study
    cell: str
    trial: int
    data: Any
    network: Any
    states: Any = None

    @property
    def label(self) -> str:
        """The network's name in file names, messages and MLflow."""
        return f"{self.study.dataset.name}-{self.cell}-{self.trial}"

    @property
    def variants(self) -> list[Variants]:
        """The automata that are wanted, in blocks of k."""
        methods, rules = self.study.variants(self.cell)
        grid = self.study.clustering
        return [
            Variants(
                method=method, ks=ks, rules=rules, starts=tuple(k for k in grid.searched if k in ks)
            )
            for method, ks in product(methods, k_blocks(*grid.k))
        ]

    @property
    def learners(self) -> tuple[str, ...]:
        """The other learners that are given the network, or what it was trained on: of a language
        or a language model, the first trial of a cell that can be stepped."""
        dataset = self.study.dataset
        kind = TARGETS[dataset.known_target]
        is_asked = isinstance(dataset, LanguageSettings) or kind.is_distribution
        given = self.trial == 0 and is_asked and self.cell != RECURRENT
        return self.study.extraction.baselines if given else ()

    def failure(self, reason: str) -> Failure:
        """The failure of this network."""
        return Failure(
            dataset=self.study.dataset.title,
            name=self.study.dataset.name,
            cell=self.cell,
            trial=self.trial,
            reason=reason,
        )


class AutomataStages(Protocol[S]):
    """The stages from hidden states to automata of a subject."""

    async def gather(self, *work: Awaitable[T], finish: bool = False) -> list[T]:
        """What all of them come to. Where some fail, the first failure, with `finish` once none of
        the others is at work any more."""

    async def cluster(self, subject: S, variants: Variants) -> Any:
        """A clustering of the hidden states for each k."""

    async def extract(self, subject: S, clusterings: Any, variants: Variants) -> Any:
        """An automaton for each rule and k, some of those of the clusterings."""

    async def evaluate(self, subject: S, automata: Any, title: str) -> Any:
        """How accurate, faithful and exact automata are, which people know by a title."""


class Stages(AutomataStages[Subject], Protocol):
    """All stages of the pipeline."""

    async def dataset(self, study: Study) -> Any:
        """The labelled sequences of a study, in splits."""

    async def train(self, study: Study, data: Any, cell: str, trials: tuple[int, ...]) -> Any:
        """A network for each trial of a block, which is always trained whole."""

    async def adapt(self, study: Study, data: Any) -> Any:
        """The external network of a study."""

    async def dump(self, subject: Subject) -> Any:
        """The hidden states of a network, and its predictions."""

    async def embed(self, subject: Subject) -> Any:
        """The hidden states in two dimensions, of the first trial of each cell."""

    async def learn(self, subject: Subject, learner: str) -> Any:
        """The automaton that another learner makes of a network."""

    async def detect(self, subject: Subject, automata: list[Any]) -> Any:
        """How well a network and its automata detect anomalies."""

    def record(
        self,
        subject: Subject,
        blocks: list[Block],
        learned: list[tuple[Any, Any]],
        embedding: Any,
        detections: Any,
    ) -> Any:
        """All that was made of a network."""

    async def choose(self, networks: list[Any], failures: list[Failure]) -> Any:
        """The table of all evaluations, with the automata that are chosen and selected."""

    async def explain(self, experiment: Experiment, networks: list[Any], results: Any) -> list[Any]:
        """The networks, those that are to be explained with their explanations."""

    async def report(self, experiment: Experiment, networks: list[Any], results: Any) -> Any:
        """The report."""


async def pipeline(stages: Stages, experiment: Experiment) -> tuple[list[Any], Any, Any]:
    """The networks of an experiment that did not fail, their results, and the report."""
    made = await stages.gather(*(make_networks(stages, study) for study in experiment.studies))
    subjects = list(chain.from_iterable(made))
    networks = [network for network in subjects if not isinstance(network, Failure)]
    failures = [network for network in subjects if isinstance(network, Failure)]
    results = await stages.choose(networks, failures)
    networks = await stages.explain(experiment, networks, results)
    return networks, results, await stages.report(experiment, networks, results)


async def make_networks(stages: Stages, study: Study) -> list[Any | Failure]:
    """The networks of one study; a block of trials goes on as soon as it is trained."""
    data = await stages.dataset(study)
    if study.models.build is not None:
        network = await stages.adapt(study, data)
        (cell,) = study.models.names
        subject = Subject(study=study, cell=cell, trial=0, data=data, network=network)
        return [await try_network(stages, subject)]
    of_words = isinstance(study.dataset, LanguageSettings)
    blocks = product(study.models.cells, trial_blocks(study.training.trials, of_words=of_words))
    made = await stages.gather(*(make_trials(stages, study, data, *block) for block in blocks))
    return list(chain.from_iterable(made))


async def make_trials(
    stages: Stages, study: Study, data: Any, cell: str, trials: tuple[int, ...]
) -> list[Any | Failure]:
    """The networks of those trials of a block that are wanted."""
    trained = await stages.train(study, data, cell, trials)
    subjects = [
        Subject(study=study, cell=cell, trial=trial, data=data, network=network)
        for trial, network in zip(trials, trained, strict=True)
        if trial < study.training.trials
    ]
    return await stages.gather(*(try_network(stages, subject) for subject in subjects))


async def try_network(stages: Stages, subject: Subject) -> Any | Failure:
    """All that is made of one network, or why it failed, which no other network notices."""
    try:
        return await examine(stages, subject)
    except NETWORK_ERRORS as error:
        return subject.failure(str(error))


async def examine(stages: Stages, subject: Subject) -> Any:
    """All that is made of one network."""
    subject = replace(subject, states=await stages.dump(subject))
    learners = (learn(stages, subject, learner) for learner in subject.learners)
    work: list[Awaitable[Any]] = [
        read_automata(stages, subject, subject.variants),
        stages.embed(subject),
        stages.gather(*learners, finish=True),
    ]
    blocks, embedding, learned = await stages.gather(*work, finish=True)
    detections = None
    if subject.study.detects_anomalies:
        automata = [automata for block in blocks for _, automata, _ in block.groups]
        detections = await stages.detect(subject, automata)
    return stages.record(subject, blocks, learned, embedding, detections)


async def read_automata(
    stages: AutomataStages[S], subject: S, variants: Sequence[Variants]
) -> list[Block]:
    """The automata of a network by each method and rule and for each k, evaluated."""
    return await stages.gather(*(read_block(stages, subject, one) for one in variants), finish=True)


async def read_block(stages: AutomataStages[S], subject: S, variants: Variants) -> Block:
    """The automata of one method for a block of k, evaluated."""
    clusterings = await stages.cluster(subject, variants)

    async def read_group(group: Variants) -> tuple[Variants, Any, Any]:
        automata = await stages.extract(subject, clusterings, group)
        return group, automata, await stages.evaluate(subject, automata, str(variants))

    groups = await stages.gather(*map(read_group, variants.groups), finish=True)
    return Block(clusterings=clusterings, groups=groups)


async def learn(stages: Stages, subject: Subject, learner: str) -> tuple[Any, Any]:
    """What another learner makes of a network, and its evaluations."""
    automata = await stages.learn(subject, learner)
    return automata, await stages.evaluate(subject, automata, learner)


def call(work: Coroutine[Any, Any, T]) -> T:
    """What comes of stages that are plain calls and never wait.

    It needs no event loop, so that it can be called in a notebook, which has one running."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise RuntimeError("expected stages that never wait, got one that does")


def trial_blocks(trials: int, *, of_words: bool) -> list[tuple[int, ...]]:
    """The trials cut into blocks whose edges never move, so that no trial depends on how many are
    asked for.

    Trials of a block are trained side by side and round off together, so a block is always trained
    whole. The edges fit the usual numbers (1, 3, 5, 10, 20, … and `of_words` of a language 1, 5,
    10, …); between them up to the rest of a block is trained beyond what was asked."""
    first, blocks, start = FIRST_BLOCKS_OF_WORDS if of_words else FIRST_BLOCKS, [], 0
    while start < trials:
        end = next((edge for edge in first if edge > start), start + 10)
        blocks.append(tuple(range(start, end)))
        start = end
    return blocks


def k_blocks(first: int, last: int) -> list[tuple[int, ...]]:
    """The numbers of clusters in blocks that end at 32, 64, 128, …, so that a wider grid adds
    blocks at its end."""
    blocks, edge = [], 32
    while first <= last:
        if first <= edge:
            blocks.append(tuple(range(first, min(edge, last) + 1)))
            first = edge + 1
        edge *= 2
    return blocks
