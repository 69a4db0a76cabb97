"""A data set: labelled symbol sequences in named splits.

Shapes: N sequences, S symbols of the vocabulary, D numbers of a word vector."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Int

from lisor.data.languages import Language
from lisor.data.quantizer import Quantizer
from lisor.data.sequences import Sequences
from lisor.errors import DataError, SchemaError
from lisor.fsa.automaton import Automaton

SCHEMA = 3
"""Version of the file written by `Dataset.write`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """N sequences and the class of each, an index into the data set's `classes`."""

    sequences: Sequences
    labels: Int[np.ndarray, " N"]

    def __post_init__(self) -> None:
        labels = np.array(self.labels, dtype=np.int32)
        if labels.shape != (len(self.sequences),):
            raise DataError(f"{len(self.sequences)} sequences need as many labels, got {labels.shape}")
        labels.setflags(write=False)
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.sequences)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Splits over one vocabulary and one set of classes.

    `unknown` is the index of the symbol that stands for words the vocabulary does not hold, `tokenizer` the name of the
    way text was cut into symbols, `vectors` the word vectors read from a file, `language` the regular language that
    says what is true, `quantizer` what made symbols of numbers, whose prototypes are the `vectors`; each None where
    there is none. `notes` say in plain words what was left out of the source.

    Raises:
        DataError: a symbol or a label lies outside the vocabulary or the classes."""

    vocabulary: tuple[str, ...]
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    unknown: int | None = None
    tokenizer: str | None = None
    vectors: Float[np.ndarray, "S D"] | None = None
    notes: tuple[str, ...] = ()
    language: Language | None = None
    quantizer: Quantizer | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "splits", MappingProxyType(dict(self.splits)))
        for name, split in self.splits.items():
            if split.sequences.symbols.max(initial=-1) >= len(self.vocabulary):
                raise DataError(f"split '{name}' holds symbols outside the vocabulary of {len(self.vocabulary)}")
            if len(split) and not 0 <= split.labels.min() <= split.labels.max() < len(self.classes):
                raise DataError(f"split '{name}' holds labels outside the {len(self.classes)} classes")
        if self.vectors is not None and len(self.vectors) != len(self.vocabulary):
            raise DataError(f"{len(self.vocabulary)} words need as many vectors, got {len(self.vectors)}")

    @property
    def is_text(self) -> bool:
        """Whether the symbols are words of a text rather than letters of a formal language."""
        return self.tokenizer is not None

    def symbols_alone(self) -> Dataset:
        """The same sequences without the numbers that their symbols were made from."""
        splits = {
            name: replace(split, sequences=replace(split.sequences, numbers=None))
            for name, split in self.splits.items()
        }
        return replace(self, splits=splits, vectors=None)

    def write(self, folder: Path) -> None:
        """Write `dataset.parquet` (split, symbols, label; for series numbers) and, where there are vectors,
        `vectors.npy`."""
        tables = []
        for name, split in self.splits.items():
            symbols = pa.ListArray.from_arrays(
                pa.array(split.sequences.offsets.astype(np.int32)), pa.array(split.sequences.symbols)
            )
            columns = {
                "split": pa.array([name] * len(split), pa.string()),
                "symbols": symbols,
                "label": pa.array(split.labels),
            }
            if split.sequences.numbers is not None:
                columns["numbers"] = _number_lists(split.sequences)
            tables.append(pa.table(columns))
        about = {
            "schema": SCHEMA,
            "vocabulary": self.vocabulary,
            "classes": self.classes,
            "splits": list(self.splits),
            "unknown": self.unknown,
            "tokenizer": self.tokenizer,
            "notes": self.notes,
            "language": None if self.language is None else self.language.automaton.to_json(),
            "fixed_length": None if self.language is None else self.language.fixed_length,
            "quantizer": None if self.quantizer is None else self.quantizer.to_json(),
        }
        table = pa.concat_tables(tables).replace_schema_metadata({"lisor": json.dumps(about)})
        pq.write_table(table, folder / "dataset.parquet", compression="zstd")
        if self.vectors is not None:
            np.save(folder / "vectors.npy", self.vectors, allow_pickle=False)

    @classmethod
    def read(cls, folder: Path) -> Dataset:
        """The data set that `write` left in `folder`."""
        table = pq.read_table(folder / "dataset.parquet")
        about = json.loads(table.schema.metadata[b"lisor"])
        if about["schema"] != SCHEMA:
            raise SchemaError(f"expected a data set of schema {SCHEMA}, got {about['schema']}; run the step again")
        names = table["split"].combine_chunks().to_numpy(zero_copy_only=False)
        splits = {}
        for name in about["splits"]:
            rows = table.filter(pa.array(names == name))
            symbols = rows["symbols"].combine_chunks()
            if isinstance(symbols, pa.ChunkedArray):  # an empty table combines to no chunk at all
                symbols = pa.array([], pa.list_(pa.int32()))
            numbers = None
            if "numbers" in rows.column_names:
                lists = rows["numbers"].combine_chunks().flatten()
                numbers = lists.flatten().to_numpy().reshape(len(lists), -1)
            sequences = Sequences(symbols=symbols.flatten().to_numpy(), offsets=_offsets(symbols), numbers=numbers)
            splits[name] = Split(sequences=sequences, labels=rows["label"].to_numpy())
        language = None
        if about["language"] is not None:
            language = Language(automaton=Automaton.from_json(about["language"]), fixed_length=about["fixed_length"])
        vectors = folder / "vectors.npy"
        return cls(
            vocabulary=tuple(about["vocabulary"]),
            classes=tuple(about["classes"]),
            splits=splits,
            unknown=about["unknown"],
            tokenizer=about["tokenizer"],
            vectors=np.load(vectors, allow_pickle=False) if vectors.exists() else None,
            notes=tuple(about["notes"]),
            language=language,
            quantizer=None if about["quantizer"] is None else Quantizer.from_json(about["quantizer"]),
        )


def _number_lists(sequences: Sequences) -> pa.ListArray:
    """The numbers of each step of each sequence."""
    numbers = np.asarray(sequences.numbers)
    steps = pa.FixedSizeListArray.from_arrays(pa.array(numbers.reshape(-1)), numbers.shape[1])
    return pa.ListArray.from_arrays(pa.array(sequences.offsets.astype(np.int32)), steps)


def _offsets(lists: pa.ListArray) -> Int[np.ndarray, " N+1"]:
    """Offsets that begin at 0, also for a slice of a longer list array."""
    offsets = lists.offsets.to_numpy().astype(np.int64)
    return offsets - offsets[0] if len(offsets) else np.zeros(1, np.int64)
