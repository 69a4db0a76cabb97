"""A dataset: labelled symbol sequences in named splits.

Shapes: N sequences, S symbols of the alphabet, D numbers of a word vector."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Float, Int

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.automata.languages import Language
from lisor.errors import DataError, SchemaError
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from lisor.targets.positions import Positions

SCHEMA = 5
"""Version of the file written by `Dataset.write`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """N sequences, and the label at each of their M positions, an index into the dataset's
    `classes`; the kind of `target` says where the positions are.

    Raises:
        DataError: there is not a label for each position."""

    sequences: Sequences
    labels: Int[np.ndarray, " M"]
    target: str = "class"

    def __post_init__(self) -> None:
        labels = np.array(self.labels, dtype=np.int32)
        if labels.shape != (self.positions.count,):
            kind = TARGETS[self.target]
            raise DataError(
                f"{self.positions.count} {kind.position}s need as many labels, got {labels.shape}"
            )
        labels.setflags(write=False)
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.sequences)

    @cached_property
    def positions(self) -> Positions:
        """Where the labels are."""
        return Positions.of(self.sequences, self.target)

    def select(self, rows: Int[np.ndarray, " K"]) -> Split:
        """The sequences at `rows`, in that order, with their labels."""
        labels = self.labels[self.positions.of_sequences(rows)]
        return Split(sequences=self.sequences.select(rows), labels=labels, target=self.target)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Splits over one alphabet and one set of classes.

    `vectors` are what a network reads for the symbols, from a file or as a quantizer made them;
    without them symbols are one-hot, or `learns_vectors` with the network. `language` is the
    regular language that gives the labels, if one does. `notes` say what was left out of the
    source.

    Raises:
        DataError: a symbol or a label lies outside the alphabet or the classes."""

    alphabet: Alphabet
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    vectors: Float[np.ndarray, "S D"] | None = None
    notes: tuple[str, ...] = ()
    language: Language | None = None
    learns_vectors: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "alphabet", Alphabet.of(self.alphabet))
        object.__setattr__(self, "splits", MappingProxyType(dict(self.splits)))
        for name, split in self.splits.items():
            if split.sequences.symbols.max(initial=-1) >= len(self.alphabet):
                raise DataError(
                    f"split '{name}' holds symbols outside the alphabet of {len(self.alphabet)}"
                )
            if len(split.labels) and not 0 <= split.labels.min() <= split.labels.max() < len(
                self.classes
            ):
                raise DataError(
                    f"split '{name}' holds labels outside the {len(self.classes)} classes"
                )
        if self.vectors is not None and len(self.vectors) != len(self.alphabet):
            raise DataError(
                f"{len(self.alphabet)} words need as many vectors, got {len(self.vectors)}"
            )

    @property
    def target(self) -> str:
        """The kind of the labels."""
        return next((split.target for split in self.splits.values()), "class")

    @property
    def is_text(self) -> bool:
        """Whether the symbols are words of a text rather than letters of a formal language."""
        return self.alphabet.tokenizer is not None

    def symbols_alone(self) -> Dataset:
        """The same sequences without the numbers that their symbols were made from."""
        splits = {
            name: replace(split, sequences=replace(split.sequences, numbers=None))
            for name, split in self.splits.items()
        }
        return replace(self, splits=splits, vectors=None)

    def write(self, folder: Path) -> None:
        """Write `dataset.parquet` (split, symbols, label; for series numbers) and, where there are
        vectors, `vectors.npy`."""
        tables = []
        for name, split in self.splits.items():
            sequences = split.sequences
            columns = {
                "split": pa.array([name] * len(split), pa.string()),
                "symbols": _lists(sequences.offsets, pa.array(sequences.symbols)),
                "labels": _lists(split.positions.offsets, pa.array(split.labels)),
            }
            if sequences.numbers is not None:
                steps = pa.FixedSizeListArray.from_arrays(
                    pa.array(sequences.numbers.reshape(-1)), sequences.numbers.shape[1]
                )
                columns["numbers"] = _lists(sequences.offsets, steps)
            tables.append(pa.table(columns))
        about = {
            "schema": SCHEMA,
            "alphabet": self.alphabet.to_json(),
            "classes": self.classes,
            "target": self.target,
            "splits": list(self.splits),
            "notes": self.notes,
            "learns_vectors": self.learns_vectors,
            "language": None if self.language is None else self.language.automaton.to_json(),
            "fixed_length": None if self.language is None else self.language.fixed_length,
        }
        table = pa.concat_tables(tables).replace_schema_metadata({"lisor": json.dumps(about)})
        pq.write_table(table, folder / "dataset.parquet", compression="zstd")
        if self.vectors is not None:
            np.save(folder / "vectors.npy", self.vectors, allow_pickle=False)

    @classmethod
    def read(cls, folder: Path) -> Dataset:
        """The dataset that `write` left in `folder`."""
        table = pq.read_table(folder / "dataset.parquet")
        about = json.loads(table.schema.metadata[b"lisor"])
        if about["schema"] != SCHEMA:
            raise SchemaError(
                f"expected a dataset of schema {SCHEMA}, got {about['schema']}; run the step again"
            )
        names = table["split"].combine_chunks().to_numpy(zero_copy_only=False)
        splits = {}
        for name in about["splits"]:
            rows = table.filter(pa.array(names == name))
            lengths = pc.list_value_length(rows["symbols"]).to_numpy()
            numbers = None
            if "numbers" in rows.column_names:
                lists = rows["numbers"].combine_chunks().flatten()
                numbers = lists.flatten().to_numpy().reshape(len(lists), -1)
            sequences = Sequences(
                symbols=pc.list_flatten(rows["symbols"]).to_numpy(),
                offsets=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
                numbers=numbers,
            )
            labels = pc.list_flatten(rows["labels"]).to_numpy()
            splits[name] = Split(sequences=sequences, labels=labels, target=about["target"])
        language = None
        if about["language"] is not None:
            language = Language(
                automaton=Automaton.from_json(about["language"]), fixed_length=about["fixed_length"]
            )
        vectors = folder / "vectors.npy"
        return cls(
            alphabet=Alphabet.from_json(about["alphabet"]),
            classes=tuple(about["classes"]),
            splits=splits,
            vectors=np.load(vectors, allow_pickle=False) if vectors.exists() else None,
            notes=tuple(about["notes"]),
            learns_vectors=about["learns_vectors"],
            language=language,
        )


def _lists(offsets: Int[np.ndarray, " N+1"], values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values)
