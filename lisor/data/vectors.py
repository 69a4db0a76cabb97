"""Word vectors: read from a file, or trained on the texts themselves.

Shapes: S words of the vocabulary, D numbers of a word vector."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

import numpy as np
from jaxtyping import Float

from lisor.errors import DataError
from lisor.randomness import stream_seed

MAX_LINE = 1_000_000
"""Characters of a word and its numbers."""


@dataclass(frozen=True, kw_only=True)
class Word2Vec:
    """How word vectors are trained: skip-grams with negative sampling (Mikolov et al., 2013), by gensim.

    On one thread, so that the same seed gives the same vectors."""

    size: int
    seed: int
    window: int = 5
    epochs: int = 5

    def train(self, texts: Sequence[Sequence[str]], vocabulary: tuple[str, ...]) -> Float[np.ndarray, "S D"]:
        """A vector for each word of the vocabulary, scaled to unit variance over all; `<pad>` gets zeros.

        The second word of the vocabulary stands for every word that it lacks.

        Raises:
            DataError: there is no word to train on."""
        from gensim.models import Word2Vec as Model  # takes a second to load

        if not any(texts):
            raise DataError("word vectors cannot be trained: none of the training texts has a word")
        place = {word: i for i, word in enumerate(vocabulary)}
        numbered = [[str(place.get(word, 1)) for word in text] for text in texts]
        model = Model(
            numbered,
            vector_size=self.size,
            window=self.window,
            sg=1,
            min_count=1,
            epochs=self.epochs,
            seed=stream_seed(self.seed, "word2vec"),
            workers=1,
        )
        vectors = np.zeros((len(vocabulary), self.size), np.float32)
        rows = [int(word) for word in model.wv.index_to_key]
        vectors[rows] = model.wv.vectors / (model.wv.vectors.std() or 1)
        vectors[0] = 0
        return vectors


def read_vectors(path: Path, vocabulary: tuple[str, ...]) -> Float[np.ndarray, "S D"]:
    """A vector for each word of the vocabulary from a text file in word2vec's or GloVe's format (also .gz).

    A word that the file lacks gets the mean of those it has, `<pad>` zeros.

    Raises:
        DataError: the file is missing, empty, ragged, or has none of the words."""
    if not path.is_file():
        raise DataError(f"expected a file of word vectors, but {path} does not exist")
    wanted = {word: i for i, word in enumerate(vocabulary)}
    found: dict[int, Float[np.ndarray, " D"]] = {}
    size = 0
    try:
        with _open_text(path) as file:
            for number, line in enumerate(iter(partial(file.readline, MAX_LINE + 1), ""), 1):
                if len(line) > MAX_LINE:
                    raise DataError(f"line {number} of {path.name} has more than {MAX_LINE:,} characters")
                if not line.strip():
                    continue
                word, *numbers = line.rstrip().split(" ")
                if number == 1 and len(numbers) == 1:  # word2vec begins with the counts of words and numbers
                    continue
                size = size or len(numbers)
                if not numbers or len(numbers) != size:
                    expected = f"{size} numbers" if size else "a word and its numbers, as in files of word vectors"
                    raise DataError(f"line {number} of {path.name}: expected {expected}, got {len(numbers)}")
                if word in wanted:
                    found[wanted[word]] = np.array(numbers, np.float32)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} is not a text file of word vectors: {error}") from None
    if not np.isfinite([*found.values()]).all():
        raise DataError(f"{path.name} has word vectors that are not finite numbers")
    if not found:
        raise DataError(f"{path.name} has a vector for none of the {len(vocabulary)} words of the vocabulary")
    vectors = np.tile(np.mean(list(found.values()), axis=0), (len(vocabulary), 1)).astype(np.float32)
    vectors[list(found)] = list(found.values())
    vectors[0] = 0
    return vectors


def _open_text(path: Path) -> TextIO:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
