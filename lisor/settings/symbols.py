"""The settings of a dataset of sequences of symbols."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from lisor.errors import ConfigError, show
from lisor.registry import TARGETS
from lisor.settings.base import LARGEST, NOT_IN_KEY, Choice, refused
from lisor.settings.dataset import NormalSettings
from lisor.settings.file_names import safe_name


def _two_or_more(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) < 2 or len(set(names)) < len(names):
        raise refused(f"must list two or more different names, got {show(list(names))}")
    return names


Names = Annotated[tuple[str, ...], AfterValidator(_two_or_more)]

ONE_HOT, LEARNED = "one-hot", "learned"
"""Vectors of symbols that need no file."""

HeldOut = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


class SymbolsSettings(NormalSettings):
    """Sequences of symbols from a file, to train on or for an external network to read."""

    KIND = "symbols"

    symbols: Annotated[str, NOT_IN_KEY] = Field(
        description="a .csv, .tsv or .parquet file with the column symbols (and label or labels, "
        "split)",
        examples=["events.csv"],
    )
    order: Names | None = Field(
        default=None,
        description="all symbols in the order of their numbers; by value or sorted unless given",
        examples=[["a", "b"]],
    )
    classes: Names | None = Field(
        default=None,
        description="all classes in the order of their numbers; by value or sorted unless given",
        examples=[["normal", "anomaly"]],
    )
    target: Annotated[str, Choice(TARGETS.keys)] | None = Field(
        default=None,
        description="what is learned: the class of a sequence, by the column label, with step one "
        "after each symbol, by the column labels; with regression or number, the number in these; "
        "or with next the next symbol or the end, which needs no labels; unless given, a class, by "
        "whichever column there is",
    )
    begin: str | None = Field(
        default=None,
        description="the symbol that an external network reads before each sequence, where it says "
        "what comes next",
        examples=["<s>"],
    )
    end: str | None = Field(
        default=None,
        description="the symbol by which it says that a sequence ends; the last of its scores, of "
        "which there is one more than symbols, unless given",
        examples=["</s>"],
    )
    vectors: Annotated[str, NOT_IN_KEY] = Field(
        default=ONE_HOT,
        description=f"what a network reads for a symbol: `{ONE_HOT}`, a vector that is "
        f"`{LEARNED}` with the network, or a word2vec or GloVe text file",
    )
    min_count: int = Field(
        default=1,
        ge=1,
        le=LARGEST,
        description="symbols seen less often in training are unknown ones",
    )
    held_out: HeldOut = Field(
        default=0.15,
        description="without a column split: the share for testing, and of the rest that for "
        "validation and selection",
    )

    @model_validator(mode="after")
    def _check_symbols(self) -> Self:
        if self.target in ("regression", "number") and self.classes is not None:
            raise ConfigError(
                f"dataset.classes are for classes, not for numbers (dataset.target "
                f"{self.target}): take them out"
            )
        if self.target == "next" and self.classes is not None:
            raise ConfigError(
                "dataset.classes are the symbols and the end for dataset.target next: take them out"
            )
        if self.target != "next" and (self.begin, self.end) != (None, None):
            raise ConfigError(
                "dataset.begin and dataset.end are for networks that say what comes next: set "
                "dataset.target=next, or take them out"
            )
        if self.order is not None and self.min_count > 1:
            raise ConfigError(
                "dataset.order names all symbols, so that none is unknown: take it out, or "
                "dataset.min_count"
            )
        return self

    @property
    def name(self) -> str:
        """The name of the dataset in file names: the stem of its file."""
        return safe_name(Path(self.symbols).stem)
