"""What a kind of data is: how a dataset is made of settings and files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from lisor.data.dataset import Dataset
from lisor.settings.dataset import DatasetSettings

S = TypeVar("S", bound=DatasetSettings)


class Kind(ABC, Generic[S]):
    """An entry of `lisor.registry.KINDS`."""

    folders: ClassVar[tuple[str, ...]] = ()
    """Which of the `files` may be folders."""

    def files(self, settings: S) -> dict[str, str]:
        """The user's files that are read, each by a name of its own."""
        return {}

    def most_states(self, settings: S) -> int | None:
        """The most hidden states that the validation split can leave in a network; None where that
        takes a look into files.

        Raises:
            LisorError: the settings name something that is not there, or cannot be used."""
        return None

    @abstractmethod
    def build(
        self, settings: S, files: Mapping[str, Path], *, vector_size: int | None = None
    ) -> Dataset:
        """The dataset that the settings describe, made of what lies at the paths of the `files`.

        `vector_size` is that of word vectors that are trained here, if any are.

        Raises:
            DataError: the files cannot be used as they are."""
