"""A kind of data that is added to lisor from outside: its settings, and what makes a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from pydantic import Field

from lisor.data.dataset import Dataset, Split
from lisor.data.kind import Kind
from lisor.registry import KINDS
from lisor.sequences import Sequences
from lisor.settings.dataset import DATASETS, DatasetSettings


class ToySettings(DatasetSettings):
    """Sequences over two symbols, labelled by the symbol at one place."""

    KIND = "toy"

    toy: int = Field(ge=0, le=5, description="the place of the symbol that is the label")

    @property
    def name(self) -> str:
        """The name of the dataset in file names."""
        return f"toy-{self.toy}"


class ToyData(Kind[ToySettings]):
    """Random sequences of six symbols."""

    def build(
        self, settings: ToySettings, files: Mapping[str, Path], *, vector_size: int | None = None
    ) -> Dataset:
        """Splits of 60 sequences."""
        rng, splits = np.random.default_rng(settings.seed), {}
        for name in ("train", "validation", "selection", "test"):
            symbols = rng.integers(0, 2, (60, 6))
            sequences = Sequences.from_lists(symbols.tolist())
            splits[name] = Split(sequences=sequences, labels=symbols[:, settings.toy])
        return Dataset(alphabet=("a", "b"), classes=("no", "yes"), splits=splits)


@pytest.fixture
def toy_kind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The kind of data `toy`, as long as a test runs."""
    for table, name in ((KINDS, "ToyData"), (DATASETS, "ToySettings")):
        monkeypatch.setattr(table, "_entries", dict(table._entries))
        table.add("toy", f"{__name__}:{name}")
    yield
