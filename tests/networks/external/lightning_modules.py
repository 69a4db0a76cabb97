"""Modules of Lightning, written and trained as its guides do it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from tests.networks.external import catalogue
from tests.networks.external.catalogue import contains_000, random_words


class RandomWords(IterableDataset[tuple[Tensor, Tensor]]):
    """Batches of words, and whether each prefix contains 000."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            words = random_words()
            yield words, contains_000(words).long()


class Classifier(lightning.LightningModule):
    def __init__(self, vector: int = 8, hidden: int = 16, rate: float = 0.01) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embedding = nn.Embedding(2, vector)
        self.lstm = nn.LSTM(vector, hidden, num_layers=2, dropout=0.1, batch_first=True)
        self.head = nn.Linear(hidden, 2)
        self.loss = nn.CrossEntropyLoss()

    def forward(self, words: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(self.embedding(words))
        return self.head(hidden[-1])

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        words, labels = batch
        loss = self.loss(self(words), labels[:, -1])
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams.rate)


class Tagger(lightning.LightningModule):
    """Answers after each symbol; its network is another module, handed over."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["network"])
        self.network = network

    def forward(self, words: Tensor) -> Tensor:
        return self.network(words)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        words, labels = batch
        return nn.functional.cross_entropy(self(words).flatten(0, 1), labels.flatten())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=0.01)


def train(build: Callable[[], lightning.LightningModule]) -> nn.Module:
    """A module after a trainer has fitted it, ready to answer."""
    torch.manual_seed(0)
    module = build()
    trainer = lightning.Trainer(
        max_steps=500,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(RandomWords(), batch_size=None))
    return module.eval()


TRAINED: dict[str, Callable[[], nn.Module]] = {
    "classifier": partial(train, Classifier),
    "tagger": partial(train, lambda: Tagger(catalogue.Tagger())),
}
"""Modules by what they answer."""
