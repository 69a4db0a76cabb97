"""The settings of training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lisor.settings.base import LARGEST_SEED, NOT_IN_KEY, Settings

MAX_TRIALS = 1000
MAX_EPOCHS = 100_000
MAX_BATCH = 65_536
MAX_RESTARTS = 100


class TrainingSettings(Settings):
    """How networks are trained."""

    SECTION = "training"

    trials: Annotated[int, NOT_IN_KEY] = Field(
        default=3, ge=1, le=MAX_TRIALS, description="networks of each cell"
    )
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="all trials are drawn from it")
    max_epochs: int = Field(
        default=100, ge=1, le=MAX_EPOCHS, description="training ends after so many"
    )
    batch_size: int = Field(default=64, ge=1, le=MAX_BATCH, description="sequences of a batch")
    learning_rate: float = Field(default=0.01, gt=0, allow_inf_nan=False, description="of Adam")
    patience: int = Field(
        default=10,
        ge=1,
        le=MAX_EPOCHS,
        description="training ends after so many epochs without a lower validation loss",
    )
    clip: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="largest norm of a gradient"
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        allow_inf_nan=False,
        description="the share of word vectors' numbers and of hidden units left out at random",
    )
    restarts: int = Field(
        default=3,
        ge=0,
        le=MAX_RESTARTS,
        description="how often a network is trained anew that does not learn its language",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        default="auto", description="where; auto is CUDA, else MPS, else the CPU"
    )
