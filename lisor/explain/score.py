"""What is explained: the score of a prediction after so many symbols of a sequence.

A network predicts after a prefix of a sequence from that prefix alone, so that the prediction at
any position is that after a shorter sequence.

Shapes: N sequences, C classes or numbers, P symbols of all sequences together, T steps, B sequences
of a batch."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
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


class Score(Protocol):
    """What is explained of predictions of one kind: a number for each, on which gradients go back
    and of which removed symbols take some away."""

    by_size: bool
    """Whether attributions rank symbols by their size, above 0 or below."""

    def explained(self, predictions: Float[np.ndarray, "N C"]) -> Int[np.ndarray, " N"]:
        """Which class, or which of several numbers, is explained unless another is asked for."""

    def of(
        self, predictions: Float[np.ndarray, "N C"], explained: Int[np.ndarray, " N"]
    ) -> Float[np.ndarray, " N"]:
        """The score of what is explained of each prediction."""

    def through(
        self, outputs: Float[Tensor, "B C"], explained: Int[Tensor, " B"]
    ) -> Float[Tensor, " B"]:
        """The same of what a network puts out, through which gradients go back."""

    def left(
        self,
        whole: Float[np.ndarray, "N C"],
        predictions: Float[np.ndarray, "N C"],
        explained: Int[np.ndarray, " N"],
    ) -> Float[np.ndarray, " N"]:
        """What is left of predictions on `whole` sequences where symbols are removed: the more, the
        higher."""


class ClassScore:
    """Of a class the margin, the logit less the mean of the others; what is left of a prediction is
    the probability of its class."""

    by_size = False

    def explained(self, predictions: Float[np.ndarray, "N C"]) -> Int[np.ndarray, " N"]:
        """The most likely class."""
        return np.asarray(predictions.argmax(axis=1), np.int32)

    def of(
        self, predictions: Float[np.ndarray, "N C"], explained: Int[np.ndarray, " N"]
    ) -> Float[np.ndarray, " N"]:
        """The logarithm of its probability, less the mean of the others."""
        logs = np.log(np.maximum(predictions.astype(np.float64), MIN_PROBABILITY))
        chosen = logs[np.arange(len(logs)), explained]
        rest = (logs.sum(axis=1) - chosen) / (logs.shape[1] - 1)
        margins: Float[np.ndarray, " N"] = chosen - rest
        return margins

    def through(
        self, outputs: Float[Tensor, "B C"], explained: Int[Tensor, " B"]
    ) -> Float[Tensor, " B"]:
        """The same of unnormalised log-probabilities."""
        chosen = outputs.gather(1, explained[:, None])[:, 0]
        return chosen - (outputs.sum(dim=1) - chosen) / (outputs.shape[1] - 1)

    def left(
        self,
        whole: Float[np.ndarray, "N C"],
        predictions: Float[np.ndarray, "N C"],
        explained: Int[np.ndarray, " N"],
    ) -> Float[np.ndarray, " N"]:
        """The probability of the class."""
        return np.asarray(predictions[np.arange(len(predictions)), explained])


class NumberScore:
    """The number itself, of several the first; what is left of a prediction is how near it stays:
    less the distance from it, in standard deviations of the predictions on whole sequences."""

    by_size = True

    def explained(self, predictions: Float[np.ndarray, "N C"]) -> Int[np.ndarray, " N"]:
        """The first of the numbers."""
        return np.zeros(len(predictions), np.int32)

    def of(
        self, predictions: Float[np.ndarray, "N C"], explained: Int[np.ndarray, " N"]
    ) -> Float[np.ndarray, " N"]:
        """The number."""
        return np.asarray(predictions[np.arange(len(predictions)), explained], np.float64)

    def through(
        self, outputs: Float[Tensor, "B C"], explained: Int[Tensor, " B"]
    ) -> Float[Tensor, " B"]:
        """The number."""
        return outputs.gather(1, explained[:, None])[:, 0]

    def left(
        self,
        whole: Float[np.ndarray, "N C"],
        predictions: Float[np.ndarray, "N C"],
        explained: Int[np.ndarray, " N"],
    ) -> Float[np.ndarray, " N"]:
        """Less the distance from the prediction on the whole sequence."""
        before = self.of(whole, explained)
        spread = before.std() or 1.0
        near: Float[np.ndarray, " N"] = -np.abs(self.of(predictions, explained) - before) / spread
        return near


def score_of(target: str) -> Score:
    """What is explained of the predictions of a kind of target."""
    return NumberScore() if TARGETS[target].is_numeric else ClassScore()


def predictions_after(network: Network, sequences: Sequences) -> Float[np.ndarray, "N C"]:
    """The probability of each class, or the numbers, after each whole sequence.

    Where an empty sequence is no position, it is what is read out at the initial state."""
    positions = Positions.of(sequences, network.target)
    has_any = positions.counts > 0
    after = np.empty((len(sequences), len(network.classes)), np.float32)
    after[has_any] = network.predict(sequences)[positions.offsets[1:][has_any] - 1]
    if not has_any.all():
        after[~has_any] = at_start(network)
    return after


def at_start(network: Network) -> Float[np.ndarray, " C"]:
    """The probability of each class, or the numbers, that are read out at the initial state.

    It is known too where attention feeds back and other hidden states do not say all."""
    if isinstance(network, TrainedModel):
        with torch.inference_mode():
            classifier = network.network
            outputs = classifier.read_out(network.initial_state()[0])[0, 0]
            return np.asarray(classifier.activate(outputs).cpu())
    hidden = network.initial_state()[0][0].cpu().numpy()
    predictions: Float[np.ndarray, " C"] = network.probabilities(hidden)[0]
    return predictions


def predictions_within(network: Network, sequence: Sequences) -> Float[np.ndarray, "T+1 C"]:
    """The probability of each class, or the numbers, after 0, 1, …, T symbols of a single
    sequence."""
    lengths = np.arange(int(sequence.lengths[0]) + 1)
    if TARGETS[network.target].predicts_once:
        return predictions_after(network, sequence.cut(np.zeros_like(lengths), lengths))
    after: Float[np.ndarray, "T+1 C"] = network.predict(sequence)
    if not TARGETS[network.target].reads_empty:
        after = np.concatenate([at_start(network)[None], after])
    return after


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


def labels_of_steps(split: Split) -> Shaped[np.ndarray, "P *C"]:
    """The label of each symbol, or its numbers: those of its sequence where they are one for all of
    it, else those after it."""
    if TARGETS[split.target].predicts_once:
        return np.repeat(split.labels, split.sequences.lengths, axis=0)
    return np.asarray(split.labels[split.positions.read > 0])
