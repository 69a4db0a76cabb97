"""Translations as a dataset: of each the source, a separator and the target are one sequence, of
which the next symbol is learned (Sutskever et al., 2014, "Sequence to sequence learning with neural
networks", where a second network reads on; here the same one does).

Shapes: N translations."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pandas as pd

from lisor.alphabet import Alphabet
from lisor.data import tables, written
from lisor.data.dataset import Dataset
from lisor.data.kind import Kind
from lisor.data.labels import class_names
from lisor.data.splits import split_stratified
from lisor.data.symbols import as_lists
from lisor.errors import DataError, DataWarning, show
from lisor.settings.translation import NUMBERS, TranslationSettings, is_written, size_of

SOURCE, TARGET = "source", "target"


class TranslationData(Kind[TranslationSettings]):
    """Translations from a file, or that are written here."""

    def files(self, settings: TranslationSettings) -> dict[str, str]:
        """The file of the translations, unless they are written here."""
        name = settings.translation
        return {} if is_written(name) else {"translation": name}

    def build(
        self,
        settings: TranslationSettings,
        files: Mapping[str, Path],
        *,
        vector_size: int | None = None,
    ) -> Dataset:
        """Translations, split by their sources."""
        name = settings.translation
        table = write(name) if is_written(name) else read_table(files["translation"])
        if settings.reverse:
            table = table.rename(columns={SOURCE: TARGET, TARGET: SOURCE})
        return build(
            table,
            separator=settings.separator,
            sizes=settings.sizes,
            held_out=settings.held_out,
            seed=settings.seed,
        )


def write(name: str) -> pd.DataFrame:
    """The sources and targets of numbers or dates."""
    kind, size = size_of(name)
    pairs = written.numbers(size) if kind == NUMBERS else written.dates(size)
    return pd.DataFrame(pairs, columns=[SOURCE, TARGET])


def read_table(path: Path) -> pd.DataFrame:
    """The columns source and target, and split if there, of a CSV, TSV or Parquet file.

    A cell is a list of texts or a text: of symbols set apart by blanks if any text of the column
    has blanks inside, else of characters.

    Raises:
        DataError: the file cannot be read, or lacks a column."""
    table, names = tables.read_columns(path, (SOURCE, TARGET, "split"))
    if not len(table) or not {SOURCE, TARGET} <= set(table):
        raise DataError(
            f"expected rows with the columns '{SOURCE}' and '{TARGET}' in {path.name}, found "
            f"{len(table)} with {tables.name_columns(names)}"
        )
    for name in (SOURCE, TARGET):
        table[name] = pd.Series(as_lists(table[name]), index=table.index, dtype=object)
    return table


def build(
    table: pd.DataFrame,
    *,
    separator: str,
    sizes: Mapping[str, int | None],
    held_out: float,
    seed: int,
) -> Dataset:
    """A dataset of translations of different sources, so that no split has a source of another.

    Raises:
        DataError: the separator occurs in a translation, or a split has no rows."""
    keys = table[SOURCE].map(tuple)
    repeated = keys.duplicated()
    notes = []
    if repeated.any():
        notes.append(
            f"{int(repeated.sum()):,} of {len(table):,} translations are not read: their source "
            "came before"
        )
    table = table[~repeated].reset_index(drop=True)
    used = set(map(str, chain.from_iterable([*table[SOURCE], *table[TARGET]])))
    if separator in used:
        raise DataError(
            f"expected translations without the separator {show(separator)}; set "
            "dataset.separator to another symbol"
        )
    symbols = class_names(pd.Series(sorted(used), dtype=object))
    alphabet = Alphabet.of((*symbols, separator))
    rows = split_stratified(
        table, None, sizes=sizes, held_out=held_out, folds=None, fold=0, seed=seed
    )
    words = alphabet.encode(
        [
            [*map(str, source), separator, *map(str, target)]
            for source, target in zip(table[SOURCE], table[TARGET], strict=True)
        ]
    )
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=2)
    dataset = Dataset.of_next(
        alphabet, {name: words.select(numbers) for name, numbers in rows.items()}
    )
    return replace(dataset, separator=alphabet.numbers[separator], notes=tuple(notes))
