"""Hidden states of a network trained on movie reviews, in any number."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from lisor.config import ModelsConfig, TrainingConfig
from lisor.data import movie_reviews, text
from lisor.data.dataset import Dataset, Split
from lisor.data.sequences import Sequences
from lisor.fsa.probes import Probes
from lisor.rnn import training
from lisor.rnn.classifier import TrainedModel

LENGTH = 200
"""Words of a sequence. They are drawn by their frequency, since the reviews are too short and too few."""


def train(hidden_size: int) -> tuple[TrainedModel, Dataset]:
    """A gru and the reviews that it was trained on."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "reviews.parquet"
        movie_reviews.fetch(path)
        table, _ = text.prepare(pd.read_parquet(path), sizes={}, seed=0)
    reviews = text.build(table, max_length=60, min_count=2)
    models = ModelsConfig(cells=("gru",), hidden_size=hidden_size)
    config = TrainingConfig(learning_rate=0.003, dropout=0.3, max_epochs=5)
    return training.train(reviews, cell="gru", models=models, config=config, trials=[0])[0], reviews


def draw(reviews: Dataset, count: int, length: int = LENGTH) -> Sequences:
    """So many sequences of so many random words."""
    probes = Probes(
        words=reviews.splits["train"].sequences, symbols=len(reviews.vocabulary), shortest=length, longest=length
    )
    return probes.random(count, np.random.default_rng(0))


def as_validation(reviews: Dataset, sequences: Sequences) -> Dataset:
    """The reviews with these sequences as their only split, the one that is dumped."""
    split = Split(sequences=sequences, labels=np.zeros(len(sequences), np.int32))
    return Dataset(vocabulary=reviews.vocabulary, classes=reviews.classes, splits={"validation": split})
