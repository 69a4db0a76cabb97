"""The settings of a dataset of series of numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lisor.errors import ConfigError, show
from lisor.settings.base import Keyed, not_among, refused
from lisor.settings.dataset import SplitSettings
from lisor.settings.file_names import MAX_NAME, safe_name
from lisor.settings.symbols import HeldOut

AEON = "aeon:"
AEON_SETS = ("GunPoint", "ItalyPowerDemand", "JapaneseVowels")
"""Series that lie inside aeon's wheel."""

FOLD = "-fold-"
"""In the name of a dataset, before the number of its part."""

MAX_FOLDS = 100
MAX_WINDOW = 1_000_000
MAX_SYMBOLS = 4096
"""That are made of series."""


def is_packaged(series: str) -> bool:
    """Whether series lie inside aeon's wheel."""
    return series.startswith(AEON)


def _check_packaged(series: str) -> str:
    names = [f"{AEON}{name}" for name in AEON_SETS]
    if is_packaged(series) and series not in names:
        raise refused(not_among(series, names))
    return series


class SeriesSettings(SplitSettings):
    """Series of numbers, of which symbols are made."""

    KIND = "series"

    series: Annotated[str, AfterValidator(_check_packaged), Keyed(in_key=is_packaged)] = Field(
        description="a .csv, .tsv or .parquet file with the columns series and label (and split), "
        f"or `{AEON}` with one of {', '.join(AEON_SETS)}",
        examples=["heartbeats.parquet"],
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

    @model_validator(mode="after")
    def _check_fold(self) -> Self:
        if self.fold is not None and not 0 <= self.fold < (self.folds or 0):
            raise ConfigError(
                f"dataset.fold must be from 0 to one less than dataset.folds, got {show(self.fold)}"
            )
        return self

    @property
    def name(self) -> str:
        """The name of the dataset in file names: the stem of its file, and its fold."""
        stem = safe_name(Path(self.series.removeprefix(AEON)).stem)
        return stem if self.fold is None else f"{stem[: MAX_NAME - 10]}{FOLD}{self.fold + 1}"

    @property
    def parts(self) -> tuple[Self, ...]:
        """The dataset itself, or the one of each fold."""
        if self.folds is None or self.fold is not None:
            return (self,)
        return tuple(self.replace(fold=fold) for fold in range(self.folds))
