"""The settings of a dataset of words of a regular language."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import AfterValidator, Field

from lisor.errors import ConfigError, show
from lisor.registry import TARGETS
from lisor.settings.base import Choice, refused
from lisor.settings.dataset import SPLITS, DatasetSettings, Rows
from lisor.settings.file_names import safe_name

LANGUAGES = ("000", "0110", *(f"tomita-{number}" for number in range(1, 8)))

EXPRESSION, FILE = "regex:", "automaton:"
"""How the names of languages begin that are given as an expression or in a file."""

MAX_WORD = 1000
"""Symbols of a word; words of twice as many are drawn to test with."""

MAX_ALPHABET = 1000


def _check_alphabet(alphabet: str) -> str:
    if not 1 <= len(alphabet) <= MAX_ALPHABET or len(set(alphabet)) < len(alphabet):
        raise refused(
            f"must be one or more different characters, at most {MAX_ALPHABET:,}, got "
            f"{show(alphabet)}"
        )
    return alphabet


class LanguageSettings(DatasetSettings):
    """Words of a regular language, drawn at random and labelled by whether they are in it."""

    KIND = "language"

    language: Annotated[str, Choice(lambda: LANGUAGES, prefixes=(EXPRESSION, FILE))] = Field(
        description="a name, `regex:` with an expression over the characters of `alphabet`, or "
        "`automaton:` with a file (JSON, .dot or .jff)",
        examples=['"000"'],
    )
    alphabet: Annotated[str, AfterValidator(_check_alphabet)] = Field(
        default="01", description="the characters that an expression is over"
    )
    train: Rows = Field(default=3000, description="training words")
    validation: Rows = Field(default=500, description="words to stop training by and to cluster")
    selection: Rows = Field(default=500, description="words to choose automata by")
    test: Rows = Field(
        default=500, description="test words, and as many of each of the four test sets"
    )
    max_length: int = Field(
        default=20, ge=1, le=MAX_WORD, description="symbols of the longest word"
    )
    target: Annotated[str, Choice(TARGETS.keys)] = Field(
        default="class",
        description="what is learned: the class of a word, with step whether each of its prefixes "
        "is in the language, or with next the next symbol or the end of words of the language",
    )
    balanced: bool = Field(default=True, description="as many members of the language as others")

    @classmethod
    def takes(cls, name: str, values: Mapping[str, Any]) -> bool:
        """Whether a dataset with these settings takes the one of that name: another alphabet only
        beside an expression."""
        if name == "alphabet" and values.get(name) != cls.model_fields[name].default:
            return str(values.get("language")).startswith(EXPRESSION)
        return super().takes(name, values)

    @classmethod
    def refuse(cls, name: str, values: Mapping[str, Any]) -> NoReturn:
        """Raises ConfigError: the setting is of other kinds of data, or of none."""
        if name == "alphabet":
            raise ConfigError(
                f"{cls.key(name)} is for {EXPRESSION}, not for language "
                f"{show(values.get('language'))}; take it out"
            )
        super().refuse(name, values)

    @property
    def name(self) -> str:
        """The name of the dataset in file names: the language, or the stem of its file."""
        if self.language.startswith(EXPRESSION):
            return f"regex-{hashlib.sha256(self.language.encode()).hexdigest()[:8]}"
        if self.language.startswith(FILE):
            return safe_name(Path(self.language.removeprefix(FILE)).stem)
        return self.language

    @property
    def title(self) -> str:
        """The name of the dataset in the results: an expression stands as it was given."""
        return self.language if self.language.startswith(EXPRESSION) else self.name

    @property
    def sizes(self) -> dict[str, int]:
        """The number of words of each split, in the order in which they are drawn."""
        return {name: getattr(self, name) for name in SPLITS}
