"""The user's files that a study reads, known by the digests of their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lisor.errors import ConfigError
from lisor.registry import KINDS
from lisor.settings.experiment import Study
from lisor_tasks.artifacts import Source, describe_source
from lisor_tasks.user_code import describe_build, describe_built


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The files of the dataset by the names that its kind gives them, the annotations, and the code
    and the weights of an external network, or else the digest of what its code makes."""

    dataset: Mapping[str, Source]
    annotations: Source | None
    build: Source | None
    weights: Source | None
    built: str | None


def find_sources(study: Study) -> Sources:
    """The user's files that a study reads, with the digests of their content.

    Raises:
        StoreError: one is missing or cannot be read.
        LanguageError: the study's language is malformed, empty or full.
        ConfigError: no network can have as many hidden states as the smallest k.
        DataError: the annotations cannot be used.
        ModelError: an external network cannot be built."""
    dataset, models = study.dataset, study.models
    kind: Any = KINDS[dataset.KIND]()
    _check_grid(study, kind.most_states(dataset))
    annotations = (
        None if study.explain.annotations is None else describe_source(study.explain.annotations)
    )
    if annotations is not None:
        from lisor.explain.annotations import read  # loads SciPy, which most runs do not need

        read(Path(annotations.path))
    files = {
        name: describe_source(path, folder=name in kind.folders)
        for name, path in kind.files(dataset).items()
    }
    builds_all = models.build is not None and models.weights is None
    return Sources(
        dataset=files,
        annotations=annotations,
        build=None if models.build is None else describe_build(models.build),
        weights=None if models.weights is None else describe_source(models.weights),
        built=describe_built(str(models.build)) if builds_all else None,
    )


def _check_grid(study: Study, most: int | None) -> None:
    """Raise a ConfigError if the smallest k is above the largest number of hidden states."""
    first = study.clustering.k[0]
    if most is not None and most < first:
        raise ConfigError(
            f"clustering.k must begin at no more than {most:,} for {study.dataset.title[:80]}, "
            f"got {first:,}: its validation split leaves no more hidden states than that"
        )
