"""Training of R networks at once: one stacked model, each trial with its own seed, early stopping and best weights.

Shapes: R trials still in training, B sequences of a batch, T steps, N sequences, C classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.linalg import vector_norm
from torch.nn.functional import cross_entropy

from lisor.data.dataset import Dataset, Split
from lisor.devices import pick_device
from lisor.errors import ModelError
from lisor.randomness import stream, stream_seed
from lisor.rnn.adam import StackedAdam
from lisor.rnn.classifier import Architecture, Classifier, Dropout, Inputs, TrainedModel, length_batches

if TYPE_CHECKING:
    from lisor.config import ModelsConfig, TrainingConfig

SOLVED = 0.01
"""Mean loss below which a network that makes no mistake on validation is trained no further."""

LEARNED = 0.99
"""Validation accuracy from which a network counts as having learned its language."""

CHUNK = 16
"""Batches among which sequences are sorted by length, so that a batch has little padding."""

CURVES = ("train_loss", "validation_loss", "validation_accuracy", "validation_balanced_accuracy")


class DivergedError(ModelError):
    """The loss of some trials was never a number; `trained` are the networks of the others, by trial."""

    def __init__(self, message: str, trained: Mapping[int, TrainedModel]) -> None:
        super().__init__(message)
        self.trained = trained


@dataclass(kw_only=True)
class _Trial:
    """What training remembers of one trial."""

    seed: int
    restarts: int = 0
    history: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in CURVES})
    best_loss: float = float("inf")
    best_epoch: int = -1
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def record(self, train_loss: float, scores: dict[str, float]) -> bool:
        """Append an epoch; True if it is the best so far."""
        for name, value in ({"train_loss": train_loss} | scores).items():
            self.history[name].append(value)
        better = scores["validation_loss"] < self.best_loss
        if better:
            self.best_loss, self.best_epoch = scores["validation_loss"], len(self.history["train_loss"]) - 1
        return better

    @property
    def accuracy(self) -> float:
        """The validation accuracy of the best epoch; 0 where there is none."""
        return self.history["validation_accuracy"][self.best_epoch] if self.best_weights else 0.0

    def is_finished(self, config: TrainingConfig) -> bool:
        epochs = len(self.history["train_loss"])
        solved = self.history["validation_accuracy"][-1] == 1 and self.history["validation_loss"][-1] < SOLVED
        return solved or epochs >= config.max_epochs or epochs - 1 - self.best_epoch >= config.patience


def trial_seed(seed: int, trial: int, restart: int = 0) -> int:
    """The seed of one trial, a function of the run's seed, the trial's number and how often it was begun anew alone."""
    return stream_seed(seed, "trial", trial, restart)


def train(
    dataset: Dataset,
    *,
    cell: str,
    models: ModelsConfig,
    config: TrainingConfig,
    trials: Sequence[int],
    on_epoch: Callable[[int, int, float], None] | None = None,
) -> list[TrainedModel]:
    """A network for each trial, with the weights of the epoch whose validation loss was lowest.

    Adam (Kingma & Ba, 2015) on the cross-entropy, the gradient of each trial clipped to norm `config.clip` (Pascanu et
    al., 2013). A trial ends when its validation loss has not fallen for `config.patience` epochs, or when it makes no
    mistake on validation at a mean loss under 0.01, and leaves the stack. `on_epoch(epoch, trials still training, best
    validation accuracy among them)` is called after each epoch.

    A trial that has not learned its language, with a validation accuracy under `LEARNED`, is begun anew with another
    seed, up to `config.restarts` times, and the best of them by validation loss is kept. All other
    sequences are trained on once.

    Raises:
        DivergedError: the loss of a trial was never a number."""
    device = pick_device(config.device)
    architecture, vectors = design(dataset, cell, models)
    best: dict[int, _Trial] = {}
    restarts = 0 if dataset.language is None else config.restarts
    for restart in range(restarts + 1):
        left = [trial for trial in trials if trial not in best or best[trial].accuracy < LEARNED]
        if not left:
            break
        records = [_Trial(seed=trial_seed(config.seed, trial, restart), restarts=restart) for trial in left]
        network = Classifier(architecture, [record.seed for record in records], vectors=vectors).to(device)
        _train_stack(network, dataset, records, config, on_epoch)
        for trial, record in zip(left, records, strict=True):
            if trial not in best or record.best_loss < best[trial].best_loss:
                best[trial] = record
    trained = {
        trial: TrainedModel(
            architecture=architecture,
            weights=best[trial].best_weights,
            vocabulary=dataset.vocabulary,
            classes=dataset.classes,
            seed=best[trial].seed,
            restarts=best[trial].restarts,
            history=best[trial].history,
            best_epoch=best[trial].best_epoch,
            unknown=dataset.unknown,
            tokenizer=dataset.tokenizer,
            quantizer=dataset.quantizer,
        )
        for trial in trials
        if best[trial].best_weights
    }
    lost = [trial for trial in trials if trial not in trained]
    if lost:
        reason = f"trial {lost[0]} of {cell} diverged (its loss is not a number): lower training.learning_rate"
        raise DivergedError(reason, trained)
    return list(trained.values())


def _train_stack(
    network: Classifier,
    dataset: Dataset,
    records: Sequence[_Trial],
    config: TrainingConfig,
    on_epoch: Callable[[int, int, float], None] | None,
) -> None:
    """Train stacked networks side by side until each has finished; the records remember how it went."""
    optimizer = StackedAdam(network.parameters(), learning_rate=config.learning_rate)
    active = list(records)
    for epoch in range(config.max_epochs):
        losses = _train_epoch(network, optimizer, dataset.splits["train"], active, epoch, config)
        scores = evaluate(network, dataset.splits["validation"])
        for place, trial in enumerate(active):
            if trial.record(losses[place], {name: curve[place] for name, curve in scores.items()}):
                trial.best_weights = network.trial_weights(place)
        if on_epoch is not None:
            on_epoch(epoch + 1, len(active), max(scores["validation_accuracy"]))
        keep = np.array([not trial.is_finished(config) for trial in active])
        if not keep.any():
            break
        if not keep.all():
            optimizer.keep(torch.from_numpy(np.flatnonzero(keep)).to(network.output_bias.device))
            active = [trial for trial, stays in zip(active, keep, strict=True) if stays]


def design(dataset: Dataset, cell: str, models: ModelsConfig) -> tuple[Architecture, Tensor | None]:
    """The sizes of a network for a data set, and its word vectors where they are given.

    Letters of a language are read as one-hot vectors; words by learned vectors or by those of the data set, which stay
    as they are unless `models.tune_vectors`."""
    if dataset.vectors is not None:
        vectors: Tensor | None = torch.from_numpy(dataset.vectors)
    else:
        vectors = None if dataset.is_text else torch.eye(len(dataset.vocabulary))
    architecture = Architecture(
        cell=cell,
        symbols=len(dataset.vocabulary),
        classes=len(dataset.classes),
        hidden_size=models.hidden_size,
        vector_size=models.vector_size if vectors is None else vectors.shape[1],
        learned_vectors=vectors is None or (dataset.is_text and models.tune_vectors),
    )
    return architecture, vectors


def evaluate(network: Classifier, split: Split) -> dict[str, list[float]]:
    """Mean loss, accuracy and class-balanced accuracy of each stacked network on a split."""
    trials = network.output_bias.shape[0]
    device = network.output_bias.device
    labels = torch.from_numpy(split.labels.astype(np.int64)).to(device)
    loss = torch.zeros(trials, device=device)
    right = torch.zeros(trials, len(split), dtype=torch.bool, device=device)
    for rows, read, lengths in length_batches(split.sequences, device):
        with torch.inference_mode():
            logits = network(read.expand(trials, *read.shape[1:]), lengths.expand(trials, -1))
            truth = labels[rows].expand(trials, -1)
            loss += cross_entropy(logits.transpose(1, 2), truth, reduction="none").sum(dim=1)
            right[:, rows] = logits.argmax(dim=-1) == truth
    correct = right.cpu().numpy()
    return {
        "validation_loss": (loss / len(split)).tolist(),
        "validation_accuracy": correct.mean(axis=1).tolist(),
        "validation_balanced_accuracy": balanced_accuracy(correct, split.labels).tolist(),
    }


def balanced_accuracy(correct: Bool[np.ndarray, "R N"], labels: Int[np.ndarray, " N"]) -> Float[np.ndarray, " R"]:
    """The mean over classes of the share of each class that is answered right (classes that occur in `labels`)."""
    shares: Float[np.ndarray, " R"] = np.mean([correct[:, labels == c].mean(axis=1) for c in np.unique(labels)], axis=0)
    return shares


def _train_epoch(
    network: Classifier,
    optimizer: StackedAdam,
    split: Split,
    trials: Sequence[_Trial],
    epoch: int,
    config: TrainingConfig,
) -> list[float]:
    """One pass over the training split; the mean loss of each trial."""
    total = torch.zeros(len(trials), device=network.output_bias.device)
    orders = [_order(split.sequences.lengths, trial.seed, epoch, config.batch_size) for trial in trials]
    generators = [torch.Generator().manual_seed(stream_seed(trial.seed, "dropout", epoch)) for trial in trials]
    for read, lengths, labels in _stacked_batches(split, orders, config, epoch, total.device):
        dropout = None
        if config.dropout > 0:
            dropout = Dropout.draw(network.architecture, labels.shape[1], config.dropout, generators)
            dropout = Dropout(*(factors.to(total.device) for factors in dropout))
        logits = network(read, lengths, dropout)
        losses = cross_entropy(logits.transpose(1, 2), labels, reduction="none").mean(dim=1)
        optimizer.zero_grad()
        torch.autograd.backward(losses.sum())
        _clip_gradients(network, config.clip)
        optimizer.step()
        total += losses.detach() * labels.shape[1]
    return (total / len(split)).tolist()


def _order(lengths: Int[np.ndarray, " N"], seed: int, epoch: int, batch_size: int) -> Int[np.ndarray, " N"]:
    """A random order of the sequences, sorted by length within chunks of `CHUNK` batches."""
    order = stream(seed, "order", epoch).permutation(len(lengths))
    chunks = np.array_split(order, np.arange(CHUNK * batch_size, len(order), CHUNK * batch_size))
    return np.concatenate([chunk[np.argsort(lengths[chunk], kind="stable")] for chunk in chunks])


def _stacked_batches(
    split: Split, orders: Sequence[Int[np.ndarray, " N"]], config: TrainingConfig, epoch: int, device: torch.device
) -> Iterator[tuple[Inputs, Int[Tensor, "R B"], Int[Tensor, "R B"]]]:
    """The batches of every trial side by side, in a random order of batches that all trials share.

    Sharing it puts batches of like length together, and no trial's order depends on which others there are."""
    size = config.batch_size
    starts = np.arange(0, len(split), size)
    lengths, labels = split.sequences.lengths, split.labels.astype(np.int64)
    for start in stream(config.seed, "batches", epoch).permutation(starts):
        rows = np.stack([order[start : start + size] for order in orders])
        width = max(1, int(lengths[rows].max()))
        read = split.sequences.select(rows.reshape(-1)).padded(width)
        yield (
            torch.from_numpy(read.reshape(*rows.shape, *read.shape[1:])).to(device),
            torch.from_numpy(lengths[rows]).to(device),
            torch.from_numpy(labels[rows]).to(device),
        )


def _clip_gradients(network: Classifier, limit: float) -> None:
    """Scale the gradient of each trial down to norm `limit` where it is longer."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    norms = vector_norm(torch.stack([vector_norm(g, dim=(1, 2)) for g in gradients]), dim=0)
    scale = (limit / (norms + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale[:, None, None])
