"""The settings of a whole run: datasets, and what is done with each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    Field,
    GetJsonSchemaHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, to_jsonable_python

from lisor.errors import ConfigError, show
from lisor.registry import (
    BASELINES,
    DISTRIBUTION_BASELINES,
    METHODS,
    PAPER_RULE,
    RECURRENT,
    RULES,
    SCORES,
    TARGETS,
    rules_of,
)
from lisor.settings.anomalies import AnomaliesSettings
from lisor.settings.base import Settings, UnknownSettingError, refused
from lisor.settings.clustering import ClusteringSettings
from lisor.settings.dataset import DATASETS, Dataset
from lisor.settings.explain import ExplainSettings
from lisor.settings.extraction import REFINED_STATES, ExtractionSettings
from lisor.settings.file_names import MAX_NAME
from lisor.settings.models import ModelsSettings
from lisor.settings.places import explained
from lisor.settings.series import SeriesSettings
from lisor.settings.symbols import SymbolsSettings
from lisor.settings.training import TrainingSettings
from lisor.targets.target import Target

MAX_DATASETS = 1000
MAX_THREADS = 256

ADDRESSES = {"dask": "tcp://10.0.0.5:8786", "ray": "ray://10.0.0.5:10001"}
"""Runners that are clusters, and what the address of one looks like."""

Runner = Literal["threads", "processes", "dask", "ray"]
RUNNERS: tuple[str, ...] = get_args(Runner)
"""Where the tasks of a run go; none of them changes a result."""


class Sections(Settings):
    """What is done with a dataset."""

    models: ModelsSettings = Field(
        default=ModelsSettings(), description="which networks, and how large"
    )
    training: TrainingSettings = Field(
        default=TrainingSettings(), description="how they are trained"
    )
    clustering: ClusteringSettings = Field(
        default=ClusteringSettings(), description="how hidden states are grouped"
    )
    extraction: ExtractionSettings = Field(
        default=ExtractionSettings(), description="how automata are read off"
    )
    explain: ExplainSettings = Field(
        default=ExplainSettings(), description="how networks are explained"
    )
    anomalies: AnomaliesSettings = Field(
        default=AnomaliesSettings(), description="how anomalies are detected"
    )


SECTIONS = tuple(Sections.model_fields)


class Study(Sections):
    """One dataset and what is done with it: the common sections with the dataset's own settings on
    top."""

    dataset: Dataset

    @model_validator(mode="after")
    def _check(self) -> Self:
        models, dataset = self.models, self.dataset
        if models.weights is not None and models.build is None:
            raise ConfigError(
                "models.weights needs models.build, which makes the network: "
                "package.module:callable"
            )
        if models.build is not None:
            self._check_external()
        elif isinstance(dataset, SymbolsSettings) and (dataset.begin, dataset.end) != (None, None):
            raise ConfigError(
                "dataset.begin and dataset.end are what an external network reads and says: set "
                "models.build, or take them out"
            )
        kind = TARGETS[dataset.known_target]
        self._check_rules(kind)
        if self.detects_anomalies:
            self._check_scores()
        learners: tuple[str, ...] = BASELINES if kind.names_classes else ()
        if kind.is_distribution:
            learners = DISTRIBUTION_BASELINES
        if not set(self.extraction.baselines) <= set(learners):
            wanted = f"some of {', '.join(learners)}" if learners else "empty"
            raise ConfigError(
                f"extraction.baselines must be {wanted} for dataset.target {dataset.known_target}"
            )
        for cell in models.names:
            methods, rules = self.variants(cell)
            if not methods or not rules:
                plain = [name for name, method in METHODS.items() if not method.needs_network]
                raise ConfigError(
                    f"{cell} answers from more than its last hidden state: beside it, "
                    f"extraction.rules must list "
                    f"{PAPER_RULE} and clustering.methods one of {', '.join(plain)}"
                )
            self._check_sizes(rules)
        return self

    @property
    def detects_anomalies(self) -> bool:
        """Whether networks learn what is normal, so that anomalies can be detected."""
        return getattr(self.dataset, "normal", None) is not None

    def _check_rules(self, kind: Target) -> None:
        """Raises ConfigError where a rule does not fit what networks read and predict."""
        target, data = self.dataset.known_target, self.dataset
        reads_numbers = isinstance(data, SeriesSettings) and data.window == 1
        fitting = rules_of(target, reads_numbers=reads_numbers)
        if not set(self.extraction.rules) <= set(fitting):
            others = sorted(set(self.extraction.rules) - set(fitting))
            needed = "series with dataset.window=1" if kind.names_classes else "classes"
            raise ConfigError(
                f"extraction.rules must be some of {', '.join(fitting)} for dataset.target "
                f"{target}, not {', '.join(others)}: the others are for {needed}"
            )
        if not kind.names_classes and self.extraction.unseen == "reject":
            raise ConfigError(
                f"extraction.unseen must be stay for dataset.target {target}: a rejecting sink has "
                f"no {kind.predicted}"
            )

    def _check_scores(self) -> None:
        """Raises ConfigError where a score compares what the networks do not predict."""
        target = self.dataset.known_target
        fitting = [name for name, score in SCORES.items() if score.target == target]
        if not set(self.anomalies.scores) <= set(fitting):
            raise ConfigError(
                f"anomalies.scores must be some of {', '.join(fitting)} for dataset.target {target}"
            )

    def _check_external(self) -> None:
        if not isinstance(self.dataset, SymbolsSettings):
            raise ConfigError(
                "models.build needs dataset.symbols: the sequences that the network reads"
            )
        if self.dataset.target not in (None, "next"):
            raise ConfigError(
                "dataset.target is next, or what the outputs of models.build show: take it out"
            )
        for name in ("held_out", "vectors", "min_count"):
            if getattr(self.dataset, name) != SymbolsSettings.model_fields[name].default:
                raise ConfigError(
                    f"dataset.{name} is for networks that are trained here, not for models.build; "
                    f"take it out"
                )
        of_gradients = [name for name, method in METHODS.items() if method.needs_gradients]
        if {*of_gradients} & {*self.clustering.methods}:
            raise ConfigError(
                f"the method {', '.join(of_gradients)} follows the gradients of networks trained "
                "here: leave it out for an external network"
            )

    def _check_sizes(self, rules: tuple[str, ...]) -> None:
        """Refuse `most_states` that no automaton of the grid can keep to."""
        first, smallest = self.clustering.k[0], self.clustering.searched[0]
        selected = [RULES[rule] for rule in rules if RULES[rule].deterministic]
        sizes = [rule.min_states(smallest if rule.searches else first) for rule in selected]
        least = min(sizes, default=first)
        most = self.extraction.most_states
        if most is None and all(rule.grows for rule in selected):
            most = REFINED_STATES
        if most is not None and most < least:
            raise ConfigError(
                f"extraction.most_states must be at least {least}, the states of the smallest "
                f"automaton by the rules "
                f"{', '.join(rules)} from k = {first} on, got {most}; raise it, or lower "
                f"clustering.k"
            )

    def variants(self, cell: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The methods and rules that are possible with a network.

        Of one whose attention feeds back a hidden state alone does not say what comes next, so that
        hidden states are clustered as they are and followed as sequences followed them."""
        methods, rules = self.clustering.methods, self.extraction.rules
        if cell != RECURRENT:
            return methods, rules
        return (
            tuple(method for method in methods if not METHODS[method].needs_network),
            tuple(rule for rule in rules if not RULES[rule].follows_states),
        )

    @model_serializer(mode="wrap")
    def _write(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = write(self)
        dataset, kind = values.pop("dataset"), self.dataset.KIND
        return {kind: dataset[kind], **dataset, **values}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """As it stands in a file: the settings of a dataset, and beside them sections."""
        reference = handler(schema)
        whole = handler.resolve_ref_schema(reference)
        sections = {name: whole["properties"][name] for name in SECTIONS}
        kinds = [DATASETS[kind].model_json_schema() for kind in DATASETS]
        for kind in kinds:
            kind["properties"] |= sections
        whole.clear()
        whole |= {"title": "Dataset", "description": cls.__doc__, "anyOf": kinds}
        return reference


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[\w.-]+", name) or name.startswith(".") or len(name) > MAX_NAME:
        raise refused(
            f"must be made of at most {MAX_NAME} letters, digits, '-', '_' and '.', got "
            f"{show(name)}"
        )
    return name


class Experiment(Sections):
    """Everything that one run does. Each dataset may override any section for itself."""

    name: Annotated[str, AfterValidator(_check_name)] = Field(
        description="the name of the run, which reports and MLflow show", examples=["quickstart"]
    )
    datasets: tuple[Study, ...] = Field(default=(), description="what is learned")
    threads: int = Field(
        default=1,
        ge=1,
        le=MAX_THREADS,
        description="threads of each numerical task; changes no key",
    )
    runner: Runner = Field(
        default="threads",
        description="where tasks go: threads or processes of this machine, or a cluster of Dask "
        "or Ray",
    )
    runner_address: str | None = Field(
        default=None,
        description="that of a cluster; without it one is started on this machine for the run",
        examples=[*ADDRESSES.values()],
    )

    _given: dict[str, Any] = PrivateAttr(default_factory=dict)

    def __init__(self, /, **values: Any) -> None:
        try:
            self._make(values)
        except UnknownSettingError as error:
            raise explained(error, Experiment) from None

    def _make(self, values: dict[str, Any]) -> None:
        common = {name: as_mapping(name, values.get(name)) for name in SECTIONS}
        studies = [
            entry if isinstance(entry, Study) else _merge(common, entry)
            for entry in entries_of(values)
        ]
        if len(studies) > MAX_DATASETS:
            raise ConfigError(
                f"datasets must list at most {MAX_DATASETS:,} datasets, got {len(studies):,}"
            )
        unset = [name for name in SECTIONS if values.get(name) is None]
        given = {name: value for name, value in values.items() if name not in unset}
        super().__init__(**{**given, "datasets": studies})
        self._given = values

    def __str__(self) -> str:
        return self.name

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.runner_address is not None and self.runner not in ADDRESSES:
            raise ConfigError(
                f"runner_address is that of a cluster, for runner {' or '.join(ADDRESSES)}, but "
                f"runner is {self.runner}"
            )
        if self.runner_address is not None and not re.fullmatch(
            r"([a-z]+://)?\S+:\d+", self.runner_address
        ):
            raise ConfigError(
                f"runner_address must be host and port such as {ADDRESSES[self.runner]}, got "
                f"{show(self.runner_address)}"
            )
        if not self.datasets:
            raise ConfigError('datasets must list at least one dataset: - {language: "000"}')
        names = [study.dataset.name for study in self.studies]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(
                f"two datasets are called {twice[0]!r}: their results would share it; rename one"
            )
        return self

    @cached_property
    def studies(self) -> tuple[Study, ...]:
        """A study for each dataset, and for each of its folds."""
        return tuple(
            study if part is study.dataset else study.replace(dataset=part)
            for study in self.datasets
            for part in study.dataset.parts
        )

    def plain(self) -> dict[str, Any]:
        """The settings as plain values, as they were given."""
        values: dict[str, Any] = to_jsonable_python(self._given)
        return values


def _merge(common: Mapping[str, Mapping[str, Any]], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a study: a dataset's own sections over the common ones."""
    sections = {name: {**common[name], **as_mapping(name, entry.get(name))} for name in SECTIONS}
    return {
        "dataset": {name: value for name, value in entry.items() if name not in SECTIONS},
        **sections,
    }


def entries_of(values: Mapping[str, Any]) -> list[Any]:
    """The datasets of plain settings."""
    entries = values.get("datasets", [])
    if not isinstance(entries, list | tuple) or not all(
        isinstance(entry, dict | Study) for entry in entries
    ):
        raise ConfigError(
            f'datasets must be a list of mappings such as - {{language: "000"}}, got '
            f"{show(entries)}"
        )
    return list(entries)


def as_mapping(name: str, value: object) -> dict[str, Any]:
    """The settings of a section that is given, as a mapping."""
    if isinstance(value, Settings):
        return {key: getattr(value, key) for key in value.model_fields_set}
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{name} must be a mapping of settings, got {show(value)}")
    return value
