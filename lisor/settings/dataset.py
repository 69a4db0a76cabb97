"""The settings of a dataset: one kind of data, known by the setting that names it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, NoReturn, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from lisor.errors import ConfigError
from lisor.registry import Registry
from lisor.settings.base import LARGEST_SEED, Settings

MAX_ROWS = 1_000_000_000
"""Sequences of a split; how many words of a language the memory holds `lisor.settings.memory`
says."""

SPLITS = ("train", "validation", "selection", "test")
"""In the order in which a language's words are drawn."""

DATASETS = Registry(
    {
        "language": "lisor.settings.language:LanguageSettings",
        "text": "lisor.settings.text:TextSettings",
        "symbols": "lisor.settings.symbols:SymbolsSettings",
        "series": "lisor.settings.series:SeriesSettings",
        "translation": "lisor.settings.translation:TranslationSettings",
    }
)
"""The settings of each kind of data, by the name of the setting that only this kind has."""

Rows = Annotated[int, Field(ge=1, le=MAX_ROWS)]


class DatasetSettings(Settings, ABC):
    """What every dataset has. A kind adds the setting of its own name, which says what is read."""

    SECTION = "dataset"

    KIND: ClassVar[str]

    seed: int = Field(
        default=0, ge=0, le=LARGEST_SEED, description="seed of splits and of drawn words"
    )

    def __init__(self, /, **values: Any) -> None:
        for name in values:
            if not self.takes(name, values):
                self.refuse(name, values)
        super().__init__(**values)

    @classmethod
    def takes(cls, name: str, values: Mapping[str, Any]) -> bool:
        """Whether a dataset with these settings takes the one of that name."""
        return name in cls.model_fields

    @classmethod
    def refuse(cls, name: str, values: Mapping[str, Any]) -> NoReturn:
        """Raises ConfigError: the setting is of other kinds of data, or of none."""
        others = [kind for kind in DATASETS if name in DATASETS[kind].model_fields]
        if not others:
            cls.refuse_unknown(name, cls.model_fields)
        raise ConfigError(
            f"{cls.key(name)} is for {' and '.join(others)}, not for {cls.KIND}; take it out"
        )

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the dataset in file names."""

    @property
    def known_target(self) -> str:
        """The target that the settings name, or else the usual one, which a file may change."""
        return getattr(self, "target", None) or "class"

    @property
    def title(self) -> str:
        """The name of the dataset in the results."""
        return self.name

    @property
    def parts(self) -> tuple[Self, ...]:
        """The dataset itself, or the one of each fold."""
        return (self,)

    @property
    def trains_vectors(self) -> bool:
        """Whether word vectors are trained on the data before any network is."""
        return False


class SplitSettings(DatasetSettings):
    """What every dataset has that is read from a file: rows, which splits take."""

    train: Rows | None = Field(default=None, description="at most so many training sequences")
    validation: Rows | None = Field(
        default=None, description="at most so many sequences to stop training by and to cluster"
    )
    selection: Rows | None = Field(
        default=None, description="at most so many sequences to choose automata by"
    )
    test: Rows | None = Field(default=None, description="at most so many test sequences")

    @property
    def sizes(self) -> dict[str, int | None]:
        """The most rows of each split; None where there is no bound."""
        return {name: getattr(self, name) for name in SPLITS}


class NormalSettings(SplitSettings):
    """What a dataset has of which networks may learn what is normal."""

    normal: str | None = Field(
        default=None,
        description="the label of normal sequences, for dataset.target next: all others are left "
        "out but for testing, where they are the anomalies",
        examples=["normal"],
    )

    @model_validator(mode="after")
    def _check_normal(self) -> Self:
        if self.normal is not None and self.known_target != "next":
            raise ConfigError(
                "dataset.normal needs dataset.target next: what follows in normal sequences is "
                "learned"
            )
        return self


def read_dataset(values: Mapping[str, Any] | DatasetSettings) -> DatasetSettings:
    """The settings of a dataset, of the kind that they name.

    Raises:
        ConfigError: they name no kind or several, or are not of that kind."""
    if isinstance(values, DatasetSettings):
        return values
    given = {name: value for name, value in values.items() if value is not None}
    kind = kind_of(given)
    if kind is None:
        for name in given:
            if name not in known_settings():
                DatasetSettings.refuse_unknown(name, known_settings())
        first, *others = (repr(name) for name in DATASETS)
        raise ConfigError(
            f"each dataset needs either {first} or {', '.join(others[:-1])} or {others[-1]}, and "
            f"only one of them"
        )
    settings: DatasetSettings = DATASETS[kind](**given)
    return settings


def kind_of(values: Mapping[str, Any]) -> str | None:
    """The kind of data that settings name; None where they name none or several."""
    kinds = [kind for kind in DATASETS if values.get(kind) is not None]
    return kinds[0] if len(kinds) == 1 else None


def known_settings() -> tuple[str, ...]:
    """The names of the settings of all kinds of data."""
    return tuple(dict.fromkeys(name for kind in DATASETS for name in DATASETS[kind].model_fields))


Dataset = Annotated[SerializeAsAny[DatasetSettings], BeforeValidator(read_dataset)]
"""The settings of a dataset of any kind."""
