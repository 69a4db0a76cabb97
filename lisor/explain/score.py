"""What is explained: the score of a prediction after so many symbols of a sequence.

A network predicts after a prefix of a sequence from that prefix alone, so that the prediction at
any position is that after a shorter sequence.

Shapes: N sequences, C classes, P symbols of all sequences together, T steps, B sequences of a
batch."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lisor.data.dataset import Split
from lisor.networks.network import Network
from lisor.networks.trained import TrainedModel
from lisor.randomness import stream
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from lisor.targets.positions import Positions

MIN_PROBABILITY = 1e-9
"""Smaller probabilities are taken for this one in logarithms."""


def probabilities_after(network: Network, sequences: Sequences) -> Float[np.ndarray, "N C"]:
    """The probability of each class after each whole sequence.

    Where an empty sequence is no position, it is what is read out at the initial state."""
    positions = Positions.of(sequences, network.target)
    has_any = positions.counts > 0
    after = np.empty((len(sequences), len(network.classes)), np.float32)
    after[has_any] = network.predict(sequences)[positions.offsets[1:][has_any] - 1]
    if not has_any.all():
        after[~has_any] = at_start(network)
    return after


def at_start(network: Network) -> Float[np.ndarray, " C"]:
    """The probability of each class that is read out at the initial state.

    It is known too where attention feeds back and other hidden states do not say all."""
    if isinstance(network, TrainedModel):
        with torch.inference_mode():
            logits = network.network.read_out(network.initial_state()[0])[0, 0]
            return np.asarray(logits.softmax(dim=-1).cpu())
    hidden = network.initial_state()[0][0].cpu().numpy()
    probabilities: Float[np.ndarray, " C"] = network.probabilities(hidden)[0]
    return probabilities


def probabilities_within(network: Network, sequence: Sequences) -> Float[np.ndarray, "T+1 C"]:
    """The probability of each class after 0, 1, …, T symbols of a single sequence."""
    lengths = np.arange(int(sequence.lengths[0]) + 1)
    if TARGETS[network.target].predicts_once:
        return probabilities_after(network, sequence.cut(np.zeros_like(lengths), lengths))
    after: Float[np.ndarray, "T+1 C"] = network.predict(sequence)
    if not TARGETS[network.target].reads_empty:
        after = np.concatenate([at_start(network)[None], after])
    return after


def margins(
    probabilities: Float[np.ndarray, "N C"], classes: Int[np.ndarray, " N"]
) -> Float[np.ndarray, " N"]:
    """The logarithm of the probability of a class of each row, less the mean of the others: the
    margin of its logit."""
    logs = np.log(np.maximum(probabilities.astype(np.float64), MIN_PROBABILITY))
    chosen = logs[np.arange(len(logs)), classes]
    rest = (logs.sum(axis=1) - chosen) / (logs.shape[1] - 1)
    margins: Float[np.ndarray, " N"] = chosen - rest
    return margins


def margin(scores: Float[Tensor, "B C"], classes: Int[Tensor, " B"]) -> Float[Tensor, " B"]:
    """The same of unnormalised log-probabilities, through which gradients go back."""
    chosen = scores.gather(1, classes[:, None])[:, 0]
    return chosen - (scores.sum(dim=1) - chosen) / (scores.shape[1] - 1)


def draw_positions(sequences: Sequences, target: str, seed: int) -> Int[np.ndarray, " N"]:
    """How many symbols of each sequence are read at the position that is explained of it: the only
    one there is, or one that is drawn from those after a symbol; 0 where there is none."""
    if TARGETS[target].predicts_once:
        whole: Int[np.ndarray, " N"] = sequences.lengths
        return whole
    shares = stream(seed, "explained positions").random(len(sequences))
    drawn: Int[np.ndarray, " N"] = np.minimum(
        1 + (shares * sequences.lengths).astype(np.int64), sequences.lengths
    )
    return drawn


def labels_of_steps(split: Split) -> Int[np.ndarray, " P"]:
    """The label of each symbol: that of its sequence where there is one, else the one after it."""
    if TARGETS[split.target].predicts_once:
        once: Int[np.ndarray, " P"] = np.repeat(split.labels, split.sequences.lengths)
        return once
    labels: Int[np.ndarray, " P"] = split.labels[split.positions.read > 0]
    return labels
