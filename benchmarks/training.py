"""Twenty networks on "000" (gru of 10 hidden units), beside torch.nn.GRU trained one after
another."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence

import lisor
from benchmarks.measure import Work
from lisor.data.dataset import Dataset, Split
from lisor.networks import training
from lisor.networks.batches import length_batches
from lisor.networks.trained import TrainedModel
from lisor.settings.models import ModelsSettings
from lisor.settings.training import TrainingSettings

TRIALS, HIDDEN = 20, 10
CONFIG = TrainingSettings(trials=TRIALS, restarts=0)


def works() -> list[Work]:
    """The stacked training as ours; the peer has the same batches, optimizer, clipping and early
    stopping."""
    words = lisor.words("000")
    models = ModelsSettings(cells=("gru",), hidden_size=HIDDEN)

    def ours() -> list[float]:
        found = training.train(
            words, cell="gru", models=models, settings=CONFIG, trials=range(TRIALS)
        )
        return [_accuracy_of(network) for network in found]

    def peer() -> list[float]:
        return [_train_one(words, trial, torch.device("cpu")) for trial in range(TRIALS)]

    def quality(ours: list[float], peer: list[float]) -> str:
        return f"mean validation accuracy: ours {np.mean(ours):.4f}, peer {np.mean(peer):.4f}"

    return [Work(name="training, peer torch.nn.GRU", ours=ours, peer=peer, quality=quality)]


def _accuracy_of(network: TrainedModel) -> float:
    return network.history["validation_accuracy"][network.best_epoch]


class _Network(nn.Module):
    eye: torch.Tensor

    def __init__(self, symbols: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("eye", torch.eye(symbols), persistent=False)
        self.gru = nn.GRU(symbols, HIDDEN, batch_first=True)
        self.read_out = nn.Linear(HIDDEN, classes)

    def forward(self, symbols: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        read, lengths = self.eye[symbols], lengths.cpu().clamp(min=1)
        packed = pack_padded_sequence(read, lengths, batch_first=True, enforce_sorted=False)
        logits: torch.Tensor = self.read_out(self.gru(packed)[1][0])
        return logits


def _train_one(words: Dataset, trial: int, device: torch.device) -> float:
    """One network; the accuracy on validation of its best epoch. An empty word is read as one
    symbol."""
    seed = training.trial_seed(CONFIG.seed, trial)
    torch.manual_seed(seed)
    network = _Network(len(words.alphabet), len(words.classes)).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=CONFIG.learning_rate, fused=True)
    split = words.splits["train"]
    best_loss, best_accuracy, best_epoch, best_weights = float("inf"), 0.0, -1, network.state_dict()
    for epoch in range(CONFIG.max_epochs):
        order = training._order(split.sequences.lengths, seed, epoch, CONFIG.batch_size)
        for begin in range(0, len(order), CONFIG.batch_size):
            rows = order[begin : begin + CONFIG.batch_size]
            width = max(1, split.sequences.lengths[rows].max())
            symbols = torch.from_numpy(split.sequences.select(rows).padded(width)).to(device)
            labels = torch.from_numpy(split.labels[rows].astype(np.int64)).to(device)
            objective = cross_entropy(
                network(symbols, torch.from_numpy(split.sequences.lengths[rows])), labels
            )
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(objective)
            nn.utils.clip_grad_norm_(network.parameters(), CONFIG.clip)
            optimizer.step()
        loss, accuracy = _evaluate(network, words.splits["validation"])
        if loss < best_loss:
            best_loss, best_accuracy, best_epoch = loss, accuracy, epoch
            best_weights = copy.deepcopy(network.state_dict())
        if (accuracy == 1 and loss < training.SOLVED) or epoch - best_epoch >= CONFIG.patience:
            break
    network.load_state_dict(best_weights)
    return best_accuracy


def _evaluate(network: _Network, split: Split) -> tuple[float, float]:
    total, right, device = 0.0, 0, network.eye.device
    for rows, symbols, lengths in length_batches(split.sequences, device):
        symbols = (
            symbols[0]
            if symbols.shape[2]
            else torch.zeros(len(rows), 1, dtype=torch.long, device=device)
        )
        with torch.inference_mode():
            logits = network(symbols, lengths[0])
        labels = torch.from_numpy(split.labels[rows].astype(np.int64)).to(device)
        total += float(cross_entropy(logits, labels, reduction="sum"))
        right += int((logits.argmax(dim=1) == labels).sum())
    return total / len(split), right / len(split)
