"""The settings of a dataset of translations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from lisor.errors import show
from lisor.settings.base import Keyed, refused
from lisor.settings.dataset import SplitSettings
from lisor.settings.file_names import safe_name
from lisor.settings.symbols import HeldOut

NUMBERS, DATES = "numbers:", "dates:"
"""How translations begin that need no file."""

MAX_SIZES = {NUMBERS: 999_999, DATES: 12}
"""The largest number that is written, and the months of a year."""


def is_written(translation: str) -> bool:
    """Whether translations are written by lisor itself."""
    return translation.startswith((NUMBERS, DATES))


def size_of(translation: str) -> tuple[str, int]:
    """What is written, `NUMBERS` or `DATES`, and up to which."""
    kind, size = translation.split(":")
    return f"{kind}:", int(size)


def _check(translation: str) -> str:
    if not is_written(translation):
        return translation
    kind, _, size = translation.partition(":")
    largest = MAX_SIZES[f"{kind}:"]
    if not re.fullmatch(r"[1-9]\d{0,8}", size) or int(size) > largest:
        raise refused(
            f"must be {kind}: and a whole number from 1 to {largest:,}, got {show(translation)}"
        )
    return translation


def _check_separator(separator: str) -> str:
    if not separator or re.search(r"\s", separator):
        raise refused(f"must be a symbol without blanks, got {show(separator)}")
    return separator


class TranslationSettings(SplitSettings):
    """Translations, each a source and its target."""

    KIND = "translation"

    translation: Annotated[str, AfterValidator(_check), Keyed(in_key=is_written)] = Field(
        description="a .csv, .tsv or .parquet file with the columns source and target (and split), "
        f"or `{NUMBERS}` with the largest of the numbers that are written in words and in digits, "
        f"or `{DATES}` with the last month of dates in words and in numbers",
        examples=["numbers:999"],
    )
    separator: Annotated[str, AfterValidator(_check_separator)] = Field(
        default="⇒", description="the symbol between source and target"
    )
    reverse: bool = Field(default=False, description="from targets to sources")
    held_out: HeldOut = Field(
        default=0.15,
        description="without a column split: the share for testing, and of the rest that for "
        "validation and selection",
    )

    @property
    def known_target(self) -> str:
        """The next symbol of source, separator and target."""
        return "next"

    @property
    def name(self) -> str:
        """The name of the dataset in file names: the stem of its file, or what is written."""
        written = is_written(self.translation)
        stem = self.translation.replace(":", "-") if written else Path(self.translation).stem
        return safe_name(f"{stem}-reverse" if self.reverse else stem)
