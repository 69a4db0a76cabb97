"""The settings of networks: which, how large, or one that was trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from lisor.errors import ConfigError
from lisor.registry import CELLS, network_names, split_name
from lisor.settings.base import LARGEST, NOT_IN_KEY, Choice, Settings, different
from lisor.settings.file_names import safe_name

MAX_VECTOR = 65_536

PAPER_CELLS = ("srn", "mgu", "gru", "lstm")
"""Those of Hou & Zhou (2020), the default of a run."""

NetworkName = Annotated[str, Choice(network_names)]


class ModelsSettings(Settings):
    """Which networks are trained, and how large."""

    SECTION = "models"

    cells: Annotated[tuple[NetworkName, ...], AfterValidator(different), NOT_IN_KEY] = Field(
        default=PAPER_CELLS, description="the cells, each of which makes networks of its own"
    )
    hidden_size: int = Field(default=10, ge=1, le=LARGEST, description="hidden units")
    vector_size: int = Field(
        default=50, ge=1, le=MAX_VECTOR, description="numbers of a word vector, learned or word2vec"
    )
    tune_vectors: bool = Field(
        default=False, description="train word vectors on that come from word2vec or a file"
    )
    build: str | None = Field(
        default=None,
        description="package.module:callable, which makes an external network",
        examples=["networks:build"],
    )
    weights: Annotated[str | None, NOT_IN_KEY] = Field(
        default=None,
        description="the file of its weights; without one, those that build gives it",
        examples=["network.safetensors"],
    )

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        if self.hidden_size > 1:  # else the cells are asked, which loads torch
            return self
        for cell in self.cells:
            least = getattr(CELLS.get(split_name(cell)[1]), "layer_count", 1)
            if self.hidden_size < least:
                raise ConfigError(
                    f"models.hidden_size must be at least {least} for {cell}, one unit for each "
                    f"layer, got {self.hidden_size}"
                )
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """What the networks are called in results: by their cells, or an external one by its
        weights."""
        if self.build is None:
            return self.cells
        stem = self.build.replace(":", ".") if self.weights is None else Path(self.weights).stem
        return (safe_name(stem),)
