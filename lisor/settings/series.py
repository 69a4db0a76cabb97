"""The settings of a dataset of series of numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lisor.errors import ConfigError, show
from lisor.settings.base import Choice, Keyed, not_among, refused
from lisor.settings.dataset import NormalSettings
from lisor.settings.file_names import MAX_NAME, safe_name
from lisor.settings.symbols import HeldOut

AEON = "aeon:"
AEON_CLASSES = ("GunPoint", "ItalyPowerDemand", "JapaneseVowels")
AEON_NUMBERS = ("CardanoSentiment", "Covid3Month")
AEON_LONG = ("ElectricDevices", "KDD-TSAD_135")
"""Series that lie inside aeon's wheel: with a class or a number each, and long ones without."""

FOLD = "-fold-"
"""In the name of a dataset, before the number of its part."""

COLUMNS = ("series", "label", "split")
"""Of a file."""

MAX_FOLDS = 100
MAX_WINDOW = 1_000_000
SEQUENCE_LENGTH = 128
MAX_SYMBOLS = 4096
"""That are made of series."""


def is_packaged(series: str) -> bool:
    """Whether series lie inside aeon's wheel."""
    return series.startswith(AEON)


def _check_packaged(series: str) -> str:
    names = [f"{AEON}{name}" for name in (*AEON_CLASSES, *AEON_NUMBERS, *AEON_LONG)]
    if is_packaged(series) and series not in names:
        raise refused(not_among(series, names))
    return series


class SeriesSettings(NormalSettings):
    """Series of numbers, of which symbols are made."""

    KIND = "series"

    series: Annotated[str, AfterValidator(_check_packaged), Keyed(in_key=is_packaged)] = Field(
        description="a .csv, .tsv or .parquet file with the columns series and label (and split), "
        f"or `{AEON}` with one of {', '.join(AEON_CLASSES)} (which have classes), "
        f"{', '.join(AEON_NUMBERS)} (numbers) and {', '.join(AEON_LONG)} (a long series each); for "
        "a forecast also a file whose rows are steps and whose columns channels",
        examples=["heartbeats.parquet"],
    )
    target: Annotated[str, Choice(lambda: ("class", "next", "number"))] | None = Field(
        default=None,
        description="what is learned: the class of a series, with next the next of its symbols or "
        "the end, which needs no labels, or with number a number, which the column label has or "
        "that comes horizon steps later; unless given, the class",
    )
    horizon: int | None = Field(
        default=None,
        ge=1,
        le=MAX_WINDOW,
        description="with target number: so many steps ahead the series itself is forecast, which "
        "needs no labels; splits are cut by time, unless a column split names them",
        examples=[5],
    )
    sequence_length: int | None = Field(
        default=None,
        ge=2,
        le=MAX_WINDOW,
        description="for a forecast longer series are cut into pieces of so many steps; unless "
        f"given, {SEQUENCE_LENGTH}",
        examples=[256],
    )
    quantizer: Literal["kmeans", "sax"] = Field(
        default="kmeans", description="symbols are made by vector quantisation or by SAX"
    )
    symbol_count: int = Field(
        default=8, ge=2, le=MAX_SYMBOLS, description="how many symbols are made"
    )
    window: int = Field(default=1, ge=1, le=MAX_WINDOW, description="steps that become one symbol")
    held_out: HeldOut = Field(
        default=0.15,
        description="without a column split: the share for testing, and of the rest that for "
        "validation and selection",
    )
    folds: int | None = Field(
        default=None,
        ge=2,
        le=MAX_FOLDS,
        description="make so many datasets, in each of which another part is for testing",
        examples=[5],
    )
    fold: int | None = Field(
        default=None, description="only the dataset of this fold, from 0", examples=[0]
    )
    groups: str | None = Field(
        default=None,
        description="a column of the file whose rows of one value are in the same fold, such as "
        "all that one speaker said",
        examples=["speaker"],
    )

    @property
    def known_target(self) -> str:
        """The target that the settings name: numbers at each step, or one for a series."""
        if self.target == "number":
            return "regression" if self.horizon is None else "number"
        return self.target or "class"

    @property
    def pieces(self) -> int:
        """The steps of a piece of a longer series, for a forecast."""
        return self.sequence_length or SEQUENCE_LENGTH

    @model_validator(mode="after")
    def _check_horizon(self) -> Self:
        if self.horizon is not None and self.target != "number":
            raise ConfigError("dataset.horizon is for dataset.target=number: set it, too")
        if self.horizon is not None and self.folds is not None:
            raise ConfigError(
                "dataset.folds is for series with labels: a forecast is tested on later time"
            )
        if self.horizon is None and self.sequence_length is not None:
            raise ConfigError("dataset.sequence_length is for a forecast: set dataset.horizon, too")
        if self.horizon is not None and self.pieces < self.window:
            raise ConfigError("dataset.sequence_length must be at least dataset.window")
        return self

    @model_validator(mode="after")
    def _check_fold(self) -> Self:
        if self.fold is not None and not 0 <= self.fold < (self.folds or 0):
            raise ConfigError(
                f"dataset.fold must be from 0 to one less than dataset.folds, got {show(self.fold)}"
            )
        if self.groups is not None and (self.folds is None or is_packaged(self.series)):
            raise ConfigError(
                "dataset.groups is for dataset.folds of a file: each fold has whole groups"
            )
        if self.groups in COLUMNS:
            raise ConfigError(
                f"dataset.groups must be a column beside {', '.join(COLUMNS)}, got "
                f"{show(self.groups)}"
            )
        return self

    @property
    def name(self) -> str:
        """The name of the dataset in file names: the stem of its file, its groups and its fold."""
        stem = safe_name(Path(self.series.removeprefix(AEON)).stem)
        if self.groups is not None:
            stem = f"{stem[: MAX_NAME // 2]}-by-{safe_name(self.groups)[: MAX_NAME // 4]}"
        return stem if self.fold is None else f"{stem[: MAX_NAME - 10]}{FOLD}{self.fold + 1}"

    @property
    def parts(self) -> tuple[Self, ...]:
        """The dataset itself, or the one of each fold."""
        if self.folds is None or self.fold is not None:
            return (self,)
        return tuple(self.replace(fold=fold) for fold in range(self.folds))
