"""Word vectors: read from a file, or trained on the texts themselves.

Shapes: S words of the alphabet, D numbers of a word vector."""

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

from lisor.alphabet import PAD, UNKNOWN
from lisor.errors import DataError
from lisor.randomness import stream_seed

MAX_LINE = 1_000_000
"""Characters of a word and its numbers."""


@dataclass(frozen=True, kw_only=True)
class Word2Vec:
    """How word vectors are trained: skip-grams with negative sampling (Mikolov et al., 2013), by
    gensim.

    On one thread, so that the same seed gives the same vectors."""

    size: int
    seed: int
    window: int = 5
    epochs: int = 5

    def train(
        self, texts: Sequence[Sequence[str]], alphabet: Sequence[str]
    ) -> Float[np.ndarray, "S D"]:
        """A vector for each word of the alphabet, scaled to unit variance over all; `<pad>` gets
        zeros, and `<unk>` that of every word that the alphabet lacks.

        Raises:
            DataError: there is no word to train on."""
        from gensim.models import Word2Vec as Model  # takes a second to load

        if not any(texts):
            raise DataError("word vectors cannot be trained: none of the training texts has a word")
        numbers = {word: number for number, word in enumerate(alphabet)}
        unknown = numbers[UNKNOWN]
        numbered = [[str(numbers.get(word, unknown)) for word in text] for text in texts]
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
        vectors = np.zeros((len(alphabet), self.size), np.float32)
        rows = [int(word) for word in model.wv.index_to_key]
        vectors[rows] = model.wv.vectors / (model.wv.vectors.std() or 1)
        vectors[numbers[PAD]] = 0
        return vectors


def read_vectors(path: Path, alphabet: Sequence[str]) -> tuple[Float[np.ndarray, "S D"], list[str]]:
    """A vector for each word of the alphabet from a text file in word2vec's or GloVe's format
    (also .gz), and notes of the words that it lacks.

    A word that the file lacks gets the vector of the word in small letters, if that is there, else
    the mean of those found; `<pad>` gets zeros.

    Raises:
        DataError: the file is missing, empty, ragged, or has none of the words."""
    if not path.is_file():
        raise DataError(f"expected a file of word vectors, but {path} does not exist")
    words = [word for word in alphabet if word not in (PAD, UNKNOWN)]
    wanted = {*words, *(word.lower() for word in words)}
    known: dict[str, Float[np.ndarray, " D"]] = {}
    size = 0
    try:
        with _open_text(path) as file:
            for number, line in enumerate(iter(partial(file.readline, MAX_LINE + 1), ""), 1):
                if len(line) > MAX_LINE:
                    raise DataError(
                        f"line {number} of {path.name} has more than {MAX_LINE:,} characters"
                    )
                if not line.strip():
                    continue
                word, *numbers = line.rstrip().split(" ")
                # word2vec begins with the counts of words and numbers
                if number == 1 and len(numbers) == 1:
                    continue
                size = size or len(numbers)
                if not numbers or len(numbers) != size:
                    expected = (
                        f"{size} numbers"
                        if size
                        else "a word and its numbers, as in files of word vectors"
                    )
                    raise DataError(
                        f"line {number} of {path.name}: expected {expected}, got {len(numbers)}"
                    )
                if word in wanted:
                    known[word] = np.array(numbers, np.float32)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} is not a text file of word vectors: {error}") from None
    if not np.isfinite([*known.values()]).all():
        raise DataError(f"{path.name} has word vectors that are not finite numbers")
    if not known:
        raise DataError(
            f"{path.name} has a vector for none of the {len(alphabet)} words of the alphabet"
        )
    spelled = {word: word if word in known else word.lower() for word in words}
    used = {*spelled.values()}
    mean = np.mean([vector for word, vector in known.items() if word in used], axis=0)
    rows = [known.get(spelled.get(word, ""), mean) for word in alphabet]
    vectors = np.array(rows, np.float32)
    vectors[[word == PAD for word in alphabet]] = 0
    small = sum(word not in known for word in words)
    lacking = sum(word not in known for word in spelled.values())
    note = (
        f"{path.name} lacks {small:,} of {len(words):,} words: {small - lacking:,} have the vector "
        f"of the word in small letters, the others the mean of all"
    )
    return vectors, [note] if small else []


def _open_text(path: Path) -> TextIO:
    return (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8")
    )
