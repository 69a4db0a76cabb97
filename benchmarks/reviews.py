"""Hidden states of a network trained on movie reviews, in any number."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from lisor.data import movie_reviews, text
from lisor.data.dataset import Dataset, Split
from lisor.extraction.probes import Probes
from lisor.networks import training
from lisor.networks.trained import TrainedModel
from lisor.sequences import Sequences
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings

LENGTH = 200
"""Words of a sequence. They are drawn by their frequency, since the reviews are too short and too
few."""


def train(hidden_size: int) -> tuple[TrainedModel, Dataset]:
    """A gru and the reviews that it was trained on."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "reviews.parquet"
        movie_reviews.fetch(path)
        table, _ = text.prepare(pd.read_parquet(path), sizes={}, seed=0)
    reviews = text.build(table, max_length=60, min_count=2)
    models = ModelsSettings(cells=("gru",), hidden_size=hidden_size)
    config = TrainingSettings(learning_rate=0.003, dropout=0.3, max_epochs=5)
    return training.train(reviews, cell="gru", models=models, settings=config, trials=[0])[
        0
    ], reviews


def draw(reviews: Dataset, count: int, length: int = LENGTH) -> Sequences:
    """So many sequences of so many random words."""
    probes = Probes(
        words=reviews.splits["train"].sequences,
        symbols=len(reviews.alphabet),
        shortest=length,
        longest=length,
    )
    return probes.random(count, np.random.default_rng(0))


def as_validation(reviews: Dataset, sequences: Sequences) -> Dataset:
    """The reviews with these sequences as their only split, the one that is dumped."""
    split = Split(sequences=sequences, labels=np.zeros(len(sequences), np.int32))
    return Dataset(alphabet=reviews.alphabet, classes=reviews.classes, splits={"validation": split})
