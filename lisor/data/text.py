"""Labelled text as symbol sequences: reading, cutting into words, numbering the words.

Shapes: N texts."""

from __future__ import annotations

import html
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped

from lisor.data.dataset import Dataset, Split
from lisor.data.sequences import Sequences
from lisor.data.tables import SPLIT_NAMES, name_columns, read_columns, split_names
from lisor.data.vectors import Word2Vec, read_vectors
from lisor.errors import DataError, DataWarning
from lisor.files import ENDINGS, MAX_BYTES
from lisor.randomness import stream

PAD, UNKNOWN = "<pad>", "<unk>"
TOKENIZER = "words"
"""The name of `tokenize`, as automata and data sets carry it."""

_TOKEN = re.compile(r"\w+(?=n't\b)|n't\b|'(?:s|m|d|re|ve|ll)\b|\w+|[^\w\s]")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,39}>")
MOST_REPEATED = 0.02
"""Share of test sequences that may occur in training before the others are also scored apart."""

MAX_FILES = 200_000
"""Texts of a folder."""

MAX_INTEGER_DIGITS = 18
"""Of the numbers by whose value classes are ordered."""

_REFERENCE = re.compile(r"&#[0-9]{20,};?")
"""A numeric character reference far beyond Unicode, which Python may refuse to read as a number."""


def tokenize(text: str) -> list[str]:
    """The words and punctuation marks of a text, in lower case.

    Clitics stand apart as in the Penn Treebank: "It isn't bad!" -> it is n't bad !"""
    plain = _TAG.sub(" ", html.unescape(_REFERENCE.sub("\ufffd", text))).lower().replace("\u2019", "'")
    return _TOKEN.findall(plain)


def read_table(path: Path) -> pd.DataFrame:
    """The columns text, label and, if there, split of a CSV, TSV or Parquet file or of a folder laid out as aclImdb.

    Raises:
        DataError: the path does not exist, is of no known kind, cannot be read, is empty or lacks a column."""
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise DataError(f"expected a file or folder of labelled texts, but {path} does not exist")
    if path.suffix.lower() not in ENDINGS:
        raise DataError(f"expected a .csv, .tsv or .parquet file or a folder of labelled texts, got {path.name}")
    table, names = read_columns(path, ("text", "label", "split"))
    if not {"text", "label"} <= set(table):
        raise DataError(f"expected the columns 'text' and 'label' in {path.name}, found {name_columns(names)}")
    if not len(table):
        raise DataError(f"expected labelled texts, but {path.name} has no rows")
    return table.assign(label=[None if pd.isna(label) else class_name(label) for label in table["label"]])


def prepare(table: pd.DataFrame, *, sizes: dict[str, int | None], seed: int) -> tuple[pd.DataFrame, list[str]]:
    """The usable rows, each in one of the splits train, validation, selection, test; and notes of what was dropped.

    Without a split column rows are dealt 70 : 15 : 15; with one that names no validation rows, 15 % of the training
    rows are taken for it, and with no test rows likewise. Half of validation becomes the selection split. `sizes` caps
    a split at a number of rows.

    Raises:
        DataError: nothing is left, or fewer than two classes are."""
    texts = table["text"].where(table["text"].notna(), "").astype(str)
    empty = texts.str.strip() == ""
    unlabelled = table["label"].isna() & ~empty
    notes = [
        f"{count:,} of {len(table):,} rows dropped: {reason}"
        for count, reason in ((int(empty.sum()), "no text"), (int(unlabelled.sum()), "no label"))
        if count
    ]
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=2)
    kept = table.assign(text=texts)[~(empty | unlabelled)]
    if kept["label"].nunique() < 2:
        found = ", ".join(map(repr, kept["label"].unique())) or "none"
        raise DataError(f"expected at least two classes in the column 'label', found {found}")
    rng = stream(seed, "splits of texts")
    splits = assign_splits(kept, rng)
    chosen = []
    for name in ("train", "validation", "selection", "test"):
        rows = rng.permutation(np.flatnonzero(splits == name))[: sizes.get(name)]
        if not len(rows):
            raise DataError(f"no rows are left for the split '{name}': {len(kept)} rows are too few")
        chosen.append(kept.iloc[np.sort(rows)].assign(split=name))
    return pd.concat(chosen, ignore_index=True), notes


def build(
    table: pd.DataFrame,
    *,
    max_length: int,
    min_count: int,
    keep: Literal["first", "last"] = "first",
    notes: Iterable[str] = (),
    vectors: Path | Word2Vec | None = None,
) -> Dataset:
    """A data set of the first or the last `max_length` words of each text of a table made by `prepare`.

    The vocabulary holds `<pad>`, `<unk>` and the words that occur at least `min_count` times in training, the most
    frequent first; every other word is read as `<unk>`. `vectors` is a word2vec or GloVe text file, or says how to
    train vectors on the whole texts of the training split. Where over `MOST_REPEATED` of the test sequences occur in
    training, those that do not also make a split of their own, "unseen".

    Raises:
        DataError: training has one class only, or the vector file is not in that format."""
    whole = [tokenize(text) for text in table["text"]]
    words = [row[:max_length] if keep == "first" else row[-max_length:] for row in whole]
    training = (table["split"] == "train").to_numpy()
    counts = Counter(word for row in np.flatnonzero(training) for word in words[row])
    known = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: (-counts[word], word))
    vocabulary = (PAD, UNKNOWN, *known)
    index = {word: i for i, word in enumerate(vocabulary)}
    sequences = Sequences.from_lists([[index.get(word, 1) for word in row] for row in words])
    classes = class_names(table["label"])
    if table["label"][training].nunique() < 2:
        raise DataError("expected at least two classes among the training rows, found one; check the column 'split'")
    place = {label: i for i, label in enumerate(classes)}
    labels = np.array([place[class_name(label)] for label in table["label"]])
    splits = {}
    for name in ("train", "validation", "selection", "test"):
        rows = np.flatnonzero(table["split"] == name)
        splits[name] = Split(sequences=sequences.select(rows), labels=labels[rows])
    splits |= unseen(splits)
    if isinstance(vectors, Path):
        matrix: Float[np.ndarray, "S D"] | None = read_vectors(vectors, vocabulary)
    else:
        matrix = (
            None if vectors is None else vectors.train([whole[row] for row in np.flatnonzero(training)], vocabulary)
        )
    return Dataset(
        vocabulary=vocabulary,
        classes=classes,
        splits=splits,
        unknown=1,
        tokenizer=TOKENIZER,
        vectors=matrix,
        notes=tuple(notes),
    )


def unseen(splits: Mapping[str, Split]) -> dict[str, Split]:
    """The test sequences that training did not have, as the split "unseen", where `MOST_REPEATED` are exceeded."""
    trained, test = set(splits["train"].sequences.keys()), splits["test"]
    keys = test.sequences.keys()
    rows = np.flatnonzero([key not in trained for key in keys])
    if not 0 < len(rows) < (1 - MOST_REPEATED) * len(test):
        return {}
    return {"unseen": Split(sequences=test.sequences.select(rows), labels=test.labels[rows])}


def layout(path: Path) -> list[tuple[Path, str, str]]:
    """The texts of a folder laid out as aclImdb, each with its label and split: train/pos/*.txt, test/neg/*.txt, …

    The names of the class folders are the labels. Nothing else in the folder is looked at.

    Raises:
        DataError: there are no such texts, or too many.
        OSError: a folder cannot be read."""
    files: list[tuple[Path, str, str]] = []
    for split in sorted(SPLIT_NAMES):
        within = path / split
        classes = _entries(within) if within.is_dir() else []
        for folder in (entry for entry in classes if entry.is_dir() and entry.name != "unsup"):
            texts = (file for file in _entries(folder) if file.suffix == ".txt" and file.is_file())
            files.extend((file, folder.name, split) for file in texts)
            if len(files) > MAX_FILES:
                raise DataError(f"{path} has more than {MAX_FILES:,} texts; put them into one .parquet file")
    if not files:
        found = name_columns(entry.name for entry in islice(path.iterdir(), MAX_FILES))
        raise DataError(f"expected folders such as train/pos and test/neg with .txt files in {path}, found {found}")
    return files


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, in order, and a little of what is too much."""
    return sorted(islice(folder.iterdir(), MAX_FILES + 1))


def _read_folder(path: Path) -> pd.DataFrame:
    try:
        files = layout(path)
        size = sum(file.stat().st_size for file, _, _ in files)
        if size > MAX_BYTES:
            raise DataError(f"the texts in {path} have {size:,} bytes, and at most {MAX_BYTES:,} are read")
        texts = [file.read_text(encoding="utf-8", errors="replace") for file, _, _ in files]
    except OSError as error:
        raise DataError(f"the texts in {path} cannot be read: {error}") from None
    return pd.DataFrame({"text": texts, "label": [row[1] for row in files], "split": [row[2] for row in files]})


def assign_splits(table: pd.DataFrame, rng: np.random.Generator) -> Shaped[np.ndarray, " N"]:
    """The name of the split of each row.

    Raises:
        DataError: the column 'split' has a row without a split, or with an unknown one."""
    splits = split_names(table["split"]) if "split" in table else np.full(len(table), "train", object)
    given = set(splits)
    for name in ("test", "validation"):
        if name not in given:
            whole = len(table) if "split" not in table else int((splits == "train").sum())
            train = rng.permutation(np.flatnonzero(splits == "train"))
            splits[train[: round(0.15 * whole)]] = name
    validation = rng.permutation(np.flatnonzero(splits == "validation"))
    splits[validation[: len(validation) // 2]] = "selection"
    return splits


def class_names(labels: pd.Series) -> tuple[str, ...]:
    """The classes in order: by value where all are whole numbers of up to 18 digits, else by name."""
    names = {class_name(label) for label in labels}
    numeric = all(re.fullmatch(rf"-?[0-9]{{1,{MAX_INTEGER_DIGITS}}}", name) for name in names)
    return tuple(sorted(names, key=(lambda name: (int(name), name)) if numeric else (lambda name: (0, name))))


def class_name(label: object) -> str:
    """The name of a label's class; a number that a column of numbers has read as 1.0 is 1."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)
