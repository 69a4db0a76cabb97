"""Training of R networks at once: one stacked model, each trial with its own seed, early stopping
and best weights.

Shapes: R trials still in training, B sequences of a batch, T steps, N sequences, M positions, C
classes or predicted numbers, L positions of a sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import unwrap
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.linalg import vector_norm

from lisor.data.dataset import Dataset, Split
from lisor.devices import pick_device
from lisor.errors import ModelError
from lisor.networks.batches import Inputs, length_batches
from lisor.networks.classifier import Architecture, Classifier, Dropout
from lisor.networks.trained import TrainedModel
from lisor.randomness import stream, stream_seed
from lisor.registry import TARGETS

if TYPE_CHECKING:
    from lisor.settings.models import ModelsSettings
    from lisor.settings.training import TrainingSettings

SOLVED = 0.01
"""Mean loss below which a network that makes no mistake on validation is trained no further."""

LEARNED = 0.99
"""Validation accuracy from which a network counts as having learned its language."""

CHUNK = 16
"""Batches among which sequences are sorted by length, so that a batch has little padding."""

ACCURACY, BALANCED_ACCURACY = "validation_accuracy", "validation_balanced_accuracy"
R2 = "validation_r2"
"""The curves that say how well classes or numbers are predicted."""


OnEpoch = Callable[[int, int, str, float], None]


class DivergedError(ModelError):
    """The loss of some trials was never a number; `trained` are the networks of the others, by
    trial."""

    def __init__(self, message: str, trained: Mapping[int, TrainedModel]) -> None:
        super().__init__(message)
        self.trained = trained


class _Adam(torch.optim.Adam):
    """Adam (Kingma & Ba, 2015) without the decorators of these methods, which load torch's
    compiler: that takes longer than many a training."""

    add_param_group = unwrap(torch.optim.Adam.add_param_group)
    step = torch.no_grad()(unwrap(torch.optim.Adam.step))


@dataclass(kw_only=True)
class _Trial:
    """What training remembers of one trial."""

    seed: int
    restarts: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)
    best_loss: float = float("inf")
    best_epoch: int = -1
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def record(self, train_loss: float, scores: dict[str, float]) -> bool:
        """Append an epoch; True if it is the best so far."""
        for name, value in ({"train_loss": train_loss} | scores).items():
            self.history.setdefault(name, []).append(value)
        better = scores["validation_loss"] < self.best_loss
        if better:
            self.best_loss = scores["validation_loss"]
            self.best_epoch = len(self.history["train_loss"]) - 1
        return better

    @property
    def accuracy(self) -> float:
        """The validation accuracy of the best epoch; 0 where there is none."""
        return self.history[ACCURACY][self.best_epoch] if self.best_weights else 0.0

    def is_finished(self, settings: TrainingSettings) -> bool:
        epochs = len(self.history["train_loss"])
        solved = (
            self.history.get(ACCURACY, [0.0])[-1] == 1
            and self.history["validation_loss"][-1] < SOLVED
        )
        return (
            solved
            or epochs >= settings.max_epochs
            or epochs - 1 - self.best_epoch >= settings.patience
        )


def trial_seed(seed: int, trial: int, restart: int = 0) -> int:
    """The seed of one trial, a function of the run's seed, the trial's number and how often it was
    begun anew alone."""
    return stream_seed(seed, "trial", trial, restart)


def train(
    dataset: Dataset,
    *,
    cell: str,
    models: ModelsSettings,
    settings: TrainingSettings,
    trials: Sequence[int],
    on_epoch: OnEpoch | None = None,
) -> list[TrainedModel]:
    """A network for each trial, with the weights of the epoch whose validation loss was lowest.

    Adam (Kingma & Ba, 2015) on the cross-entropy, or of numbers the squared error, the gradient of
    each trial clipped to norm `settings.clip` (Pascanu et al., 2013). A trial ends when its
    validation loss has not fallen for `settings.patience` epochs, or when it makes no mistake on
    validation at a mean loss under 0.01, and leaves the stack. `on_epoch(epoch, trials still
    training, the name of their score, the best score among them)` is called after each epoch.

    A trial that has not learned its language, with a validation accuracy under `LEARNED`, is begun
    anew with another seed, up to `settings.restarts` times, and the best of them by validation loss
    is kept. All other sequences are trained on once.

    Raises:
        DivergedError: the loss of a trial was never a number."""
    device = pick_device(settings.device)
    architecture, vectors = design(dataset, cell, models)
    best: dict[int, _Trial] = {}
    restarts = 0 if dataset.language is None else settings.restarts
    for restart in range(restarts + 1):
        left = [trial for trial in trials if trial not in best or best[trial].accuracy < LEARNED]
        if not left:
            break
        records = [
            _Trial(seed=trial_seed(settings.seed, trial, restart), restarts=restart)
            for trial in left
        ]
        seeds = [record.seed for record in records]
        network = Classifier(architecture, seeds, vectors=vectors, units=units(dataset)).to(device)
        _train_stack(network, dataset, records, settings, on_epoch)
        for trial, record in zip(left, records, strict=True):
            if trial not in best or record.best_loss < best[trial].best_loss:
                best[trial] = record
    trained = {
        trial: TrainedModel(
            architecture=architecture,
            weights=best[trial].best_weights,
            alphabet=dataset.alphabet,
            classes=dataset.classes,
            seed=best[trial].seed,
            restarts=best[trial].restarts,
            history=best[trial].history,
            best_epoch=best[trial].best_epoch,
        )
        for trial in trials
        if best[trial].best_weights
    }
    lost = [trial for trial in trials if trial not in trained]
    if lost:
        reason = (
            f"trial {lost[0]} of {cell} diverged (its loss is not a number): lower "
            "training.learning_rate"
        )
        raise DivergedError(reason, trained)
    return list(trained.values())


def _train_stack(
    network: Classifier,
    dataset: Dataset,
    records: Sequence[_Trial],
    settings: TrainingSettings,
    on_epoch: OnEpoch | None,
) -> None:
    """Train stacked networks side by side until each has finished; the records remember how it
    went."""
    optimizer = _Adam(
        network.parameters(),
        lr=settings.learning_rate,
        fused=network.output_bias.device.type != "mps",
    )
    active = list(records)
    for epoch in range(settings.max_epochs):
        losses = _train_epoch(network, optimizer, dataset.splits["train"], active, epoch, settings)
        scores = evaluate(network, dataset.splits["validation"])
        for row, trial in enumerate(active):
            if trial.record(losses[row], {name: curve[row] for name, curve in scores.items()}):
                trial.best_weights = network.trial_weights(row)
        if on_epoch is not None:
            score = R2 if network.is_numeric else ACCURACY
            named = score.replace("_", " ").replace("r2", "R²")
            on_epoch(epoch + 1, len(active), named, max(scores[score]))
        keep = np.array([not trial.is_finished(settings) for trial in active])
        if not keep.any():
            break
        if not keep.all():
            _keep_networks(
                optimizer, torch.from_numpy(np.flatnonzero(keep)).to(network.output_bias.device)
            )
            active = [trial for trial, stays in zip(active, keep, strict=True) if stays]


def design(
    dataset: Dataset, cell: str, models: ModelsSettings
) -> tuple[Architecture, Tensor | None]:
    """The sizes of a network for a dataset, and its word vectors where they are given.

    Symbols are read as one-hot vectors, by vectors learned with the network, or by those of the
    dataset, which stay as they are unless `models.tune_vectors`; those of series always do."""
    if dataset.vectors is not None:
        vectors: Tensor | None = torch.from_numpy(dataset.vectors)
    else:
        vectors = None if dataset.learns_vectors else torch.eye(len(dataset.alphabet))
    tunable = dataset.vectors is not None and dataset.alphabet.quantizer is None
    architecture = Architecture(
        cell=cell,
        symbols=len(dataset.alphabet),
        classes=len(dataset.classes),
        hidden_size=models.hidden_size,
        vector_size=models.vector_size if vectors is None else vectors.shape[1],
        learned_vectors=vectors is None or (tunable and models.tune_vectors),
        target=dataset.target,
    )
    return architecture, vectors


def units(dataset: Dataset) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]] | None:
    """Mean and deviation of each number in training, where numbers are predicted."""
    labels = dataset.splits["train"].labels
    if labels.dtype.kind != "f":
        return None
    deviations = labels.std(axis=0)
    means, deviations = labels.mean(axis=0), np.where(deviations > 0, deviations, 1.0)
    return torch.tensor(means, dtype=torch.float32), torch.tensor(deviations, dtype=torch.float32)


def evaluate(network: Classifier, split: Split) -> dict[str, list[float]]:
    """Mean loss, accuracy and class-balanced accuracy of each stacked network on a split; of
    numbers mean loss and R², mean over the numbers."""
    trials = network.output_bias.shape[0]
    device = network.output_bias.device
    positions, labels = split.positions, known_labels(split)
    loss = torch.zeros(trials, device=device)
    correct = np.zeros((positions.count, trials), bool)
    squares = torch.zeros(trials, network.architecture.classes, device=device)
    for rows, read, lengths in length_batches(split.sequences, device):
        with torch.inference_mode():
            outputs = network(read.expand(trials, *read.shape[1:]), lengths.expand(trials, -1))
            known = torch.from_numpy(positions.pad(labels, rows)).to(device)
            known = known.expand(trials, *known.shape)
            real = torch.from_numpy(positions.mask(rows)).to(device)
            loss += (network.losses(outputs, known) * real.flatten()).sum(dim=1)
            outputs = outputs[:, :, : known.shape[2]]
            if network.is_numeric:
                squares += ((outputs - known).square() * real[..., None]).sum(dim=(1, 2))
                continue
            right = outputs.argmax(dim=-1) == known
        positions.fill(correct, rows, right.permute(1, 2, 0).cpu().numpy())
    if network.is_numeric:
        spread = np.maximum(labels.var(axis=0) * len(labels), np.finfo(float).tiny)
        r2 = 1 - squares.cpu().numpy() / spread
        return {
            "validation_loss": (loss / positions.count).tolist(),
            R2: r2.mean(axis=1).tolist(),
        }
    return {
        "validation_loss": (loss / positions.count).tolist(),
        ACCURACY: correct.mean(axis=0).tolist(),
        BALANCED_ACCURACY: balanced_accuracy(correct.T, split.labels).tolist(),
    }


def balanced_accuracy(
    correct: Bool[np.ndarray, "R N"], labels: Int[np.ndarray, " N"]
) -> Float[np.ndarray, " R"]:
    """The mean over the classes in `labels` of the share of each that is predicted right."""
    shares: Float[np.ndarray, " R"] = np.mean(
        [correct[:, labels == c].mean(axis=1) for c in np.unique(labels)], axis=0
    )
    return shares


def _train_epoch(
    network: Classifier,
    optimizer: _Adam,
    split: Split,
    trials: Sequence[_Trial],
    epoch: int,
    settings: TrainingSettings,
) -> list[float]:
    """Train one epoch; the mean loss of each trial."""
    total = torch.zeros(len(trials), device=network.output_bias.device)
    orders = [
        _order(split.sequences.lengths, trial.seed, epoch, settings.batch_size) for trial in trials
    ]
    generators = [
        torch.Generator().manual_seed(stream_seed(trial.seed, "dropout", epoch)) for trial in trials
    ]
    # A batch of short sequences has few positions. For a distribution each must count alike: else
    # the network believes that sequences are short.
    usual = None
    if TARGETS[split.target].is_distribution:
        usual = split.positions.count / len(split) * settings.batch_size
    for read, lengths, labels, real in _stacked_batches(
        split, orders, settings, epoch, total.device
    ):
        dropout = None
        if settings.dropout > 0:
            dropout = Dropout.draw(
                network.architecture, labels.shape[1], settings.dropout, generators
            )
            dropout = Dropout(*(factors.to(total.device) for factors in dropout))
        outputs = network(read, lengths, dropout)
        losses = (network.losses(outputs, labels) * real.flatten(1)).sum(dim=1)
        network.zero_grad()
        torch.autograd.backward((losses / (usual or real.sum(dim=(1, 2)).clamp(min=1))).sum())
        _clip_gradients(network, settings.clip)
        optimizer.step()
        total += losses.detach()
    return (total / split.positions.count).tolist()


def known_labels(split: Split) -> Shaped[np.ndarray, "M *C"]:
    """The labels as the loss takes them."""
    return split.labels.astype(np.float32 if split.labels.dtype.kind == "f" else np.int64)


def _order(
    lengths: Int[np.ndarray, " N"], seed: int, epoch: int, batch_size: int
) -> Int[np.ndarray, " N"]:
    """A random order of the sequences, sorted by length within chunks of `CHUNK` batches."""
    order = stream(seed, "order", epoch).permutation(len(lengths))
    chunks = np.array_split(order, np.arange(CHUNK * batch_size, len(order), CHUNK * batch_size))
    return np.concatenate([chunk[np.argsort(lengths[chunk], kind="stable")] for chunk in chunks])


def _stacked_batches(
    split: Split,
    orders: Sequence[Int[np.ndarray, " N"]],
    settings: TrainingSettings,
    epoch: int,
    device: torch.device,
) -> Iterator[tuple[Inputs, Int[Tensor, "R B"], Shaped[Tensor, "R B L *C"], Bool[Tensor, "R B L"]]]:
    """The batches of every trial side by side, in a random order of batches that all trials share:
    what is read, lengths, labels, and which of these are real.

    Sharing it puts batches of like length together, and no trial's order depends on which others
    there are."""
    size = settings.batch_size
    starts = np.arange(0, len(split), size)
    lengths, labels = split.sequences.lengths, known_labels(split)
    positions = split.positions
    for start in stream(settings.seed, "batches", epoch).permutation(starts):
        rows = np.stack([order[start : start + size] for order in orders])
        width = max(1, int(lengths[rows].max()))
        read = split.sequences.select(rows.reshape(-1)).padded(width)
        yield (
            torch.from_numpy(read.reshape(*rows.shape, *read.shape[1:])).to(device),
            torch.from_numpy(lengths[rows]).to(device),
            torch.from_numpy(positions.pad(labels, rows)).to(device),
            torch.from_numpy(positions.mask(rows)).to(device),
        )


def _keep_networks(optimizer: _Adam, networks: Int[Tensor, " K"]) -> None:
    """Drop all other networks from the parameters and from what Adam remembers of each."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.data = parameter.data[networks]
            parameter.grad = None
            state = optimizer.state[parameter]
            state.update({name: value[networks] for name, value in state.items() if value.ndim})


def _clip_gradients(network: Classifier, limit: float) -> None:
    """Scale the gradient of each trial down to norm `limit` where it is longer."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    norms = vector_norm(torch.stack([vector_norm(g, dim=(1, 2)) for g in gradients]), dim=0)
    scale = (limit / (norms + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale[:, None, None])
