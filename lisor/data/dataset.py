"""A dataset: labelled symbol sequences in named splits.

Shapes: N sequences, M positions, S symbols of the alphabet, D numbers of a word vector or of a
label."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int, Shaped

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.automata.languages import Language
from lisor.errors import MAX_REPR, DataError, SchemaError, one_line
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from lisor.targets.next import END, following
from lisor.targets.positions import Positions

MAX_PROBABILITIES = 1 << 29
"""Of what comes next, which are predicted and kept for every position of a dataset."""

SCHEMA = 6
"""Version of the file written by `Dataset.write`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """N sequences, and the label at each of their M positions, an index into the dataset's
    `classes`, or a row of D numbers, one for each of these; the kind of `target` says which and
    where the positions are. `anomalous` says which sequences are no normal ones, where that is
    known.

    Raises:
        DataError: there is not a label for each position."""

    sequences: Sequences
    labels: Int[np.ndarray, " M"] | Float[np.ndarray, "M D"]
    target: str = "class"
    anomalous: Bool[np.ndarray, " N"] | None = None

    def __post_init__(self) -> None:
        kind = TARGETS[self.target]
        labels = np.array(self.labels, dtype=np.float64 if kind.is_numeric else np.int32)
        if len(labels) != self.positions.count or labels.ndim != 1 + kind.is_numeric:
            raise DataError(
                f"{self.positions.count} {kind.position}s need as many labels, got {labels.shape}"
            )
        labels.setflags(write=False)
        object.__setattr__(self, "labels", labels)

    def __repr__(self) -> str:
        return (
            f"Split({len(self):,} sequences, {len(self.labels):,} labels, target={self.target!r})"
        )

    def __len__(self) -> int:
        return len(self.sequences)

    @cached_property
    def positions(self) -> Positions:
        """Where the labels are."""
        return Positions.of(self.sequences, self.target)

    def select(self, rows: Int[np.ndarray, " K"]) -> Split:
        """The sequences at `rows`, in that order, with their labels."""
        labels = self.labels[self.positions.of_sequences(rows)]
        return Split(
            sequences=self.sequences.select(rows),
            labels=labels,
            target=self.target,
            anomalous=None if self.anomalous is None else self.anomalous[rows],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Splits over one alphabet and one set of classes.

    `vectors` are what a network reads for the symbols, from a file or as a quantizer made them;
    without them symbols are one-hot, or `learns_vectors` with the network. `language` is the
    regular language that gives the labels, if one does. In translations the `separator` is the
    number of the symbol between source and target. `notes` say what was left out of the source. Of
    numbers that are predicted `classes` are the names.

    Raises:
        DataError: a symbol or a label lies outside the alphabet or the classes, or a number is NaN
            or infinite."""

    alphabet: Alphabet
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    vectors: Float[np.ndarray, "S D"] | None = None
    notes: tuple[str, ...] = ()
    language: Language | None = None
    learns_vectors: bool = False
    separator: int | None = None

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(split):,} {name}" for name, split in self.splits.items())
        return one_line(
            f"Dataset(target={self.target!r}, {len(self.alphabet):,} symbols, "
            f"{len(self.classes):,} classes: {sizes})",
            MAX_REPR,
        )

    def __post_init__(self) -> None:
        object.__setattr__(self, "alphabet", Alphabet.of(self.alphabet))
        object.__setattr__(self, "splits", MappingProxyType(dict(self.splits)))
        for name, split in self.splits.items():
            if split.sequences.symbols.max(initial=-1) >= len(self.alphabet):
                raise DataError(
                    f"split '{name}' holds symbols outside the alphabet of {len(self.alphabet)}"
                )
            self._check_labels(name, split)
        if self.vectors is not None and len(self.vectors) != len(self.alphabet):
            raise DataError(
                f"{len(self.alphabet)} words need as many vectors, got {len(self.vectors)}"
            )

    def _check_labels(self, name: str, split: Split) -> None:
        labels, count = split.labels, len(self.classes)
        if TARGETS[split.target].is_numeric:
            if labels.shape[1] != count or not np.isfinite(labels).all():
                raise DataError(
                    f"split '{name}' needs {count} finite number(s) at each "
                    f"{TARGETS[split.target].position}, as there are names"
                )
        elif len(labels) and not 0 <= labels.min() <= labels.max() < count:
            raise DataError(f"split '{name}' holds labels outside the {count} classes")

    @classmethod
    def of_next(
        cls,
        alphabet: Iterable[str],
        sequences: Mapping[str, Sequences],
        anomalous: Mapping[str, Bool[np.ndarray, " N"]] | None = None,
    ) -> Dataset:
        """What follows each prefix of the sequences of each split: the classes are the symbols and
        the end. `anomalous` says which sequences of each split are no normal ones.

        Raises:
            DataError: a symbol has the name of the end, or the probabilities of all symbols at all
                positions do not fit into memory."""
        symbols = Alphabet.of(alphabet)
        if END in symbols:
            raise DataError(f"expected symbols other than {END}, which stands for the end")
        positions = sum(len(words.symbols) + len(words) for words in sequences.values())
        if positions * (len(symbols) + 1) > MAX_PROBABILITIES:
            raise DataError(
                f"expected at most {MAX_PROBABILITIES:,} probabilities of the next symbol, got "
                f"{positions:,} positions of {len(symbols) + 1:,} each; raise dataset.min_count, "
                "or lower dataset.train"
            )
        splits = {
            name: Split(
                sequences=words,
                labels=following(words, len(symbols)),
                target="next",
                anomalous=None if anomalous is None else anomalous[name],
            )
            for name, words in sequences.items()
        }
        return cls(alphabet=symbols, classes=(*symbols, END), splits=splits)

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
                "labels": _lists(split.positions.offsets, _rows(split.labels)),
            }
            if split.anomalous is not None:
                columns["anomalous"] = pa.array(split.anomalous)
            if sequences.numbers is not None:
                columns["numbers"] = _lists(sequences.offsets, _rows(sequences.numbers))
            tables.append(pa.table(columns))
        about = {
            "schema": SCHEMA,
            "alphabet": self.alphabet.to_json(),
            "classes": self.classes,
            "target": self.target,
            "splits": list(self.splits),
            "notes": self.notes,
            "learns_vectors": self.learns_vectors,
            "separator": self.separator,
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
            labels = pc.list_flatten(rows["labels"])
            if TARGETS[about["target"]].is_numeric:
                labels = labels.combine_chunks()
                labels = labels.flatten().to_numpy().reshape(len(labels), labels.type.list_size)
            anomalous = None
            if "anomalous" in rows.column_names:
                anomalous = rows["anomalous"].to_numpy()
            splits[name] = Split(
                sequences=sequences, labels=labels, target=about["target"], anomalous=anomalous
            )
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
            separator=about["separator"],
            language=language,
        )


def _rows(values: Shaped[np.ndarray, "M *D"]) -> pa.Array:
    """The values, those of several numbers as lists."""
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def _lists(offsets: Int[np.ndarray, " N+1"], values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values)
