"""Whether labels say that a network has its classes in another order, or has learned nothing.

Shapes: N sequences, C classes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from lisor.data.dataset import Dataset
from lisor.errors import DataWarning, one_line
from lisor.networks.network import Network
from lisor.sequences import Sequences

MIN_GAIN, MIN_ERRORS = 0.2, 3.0
"""By how much another order has to be right more often: a share, and so many standard errors."""

IDLE_ERRORS = 2.0
"""A network that is right more often than a constant by fewer standard errors has learned nothing
that labels show."""


@dataclass(frozen=True, kw_only=True)
class BetterOrder:
    """An order of classes by which a network is right far more often: which class each of its
    outputs means.

    `given` and `better` are the shares of sequences on which it is right now, and by this order."""

    order: tuple[int, ...]
    given: float
    better: float

    def names(self, classes: tuple[str, ...]) -> tuple[str, ...]:
        """The classes in this order."""
        return tuple(classes[number] for number in self.order)

    def described(self, classes: tuple[str, ...]) -> str:
        """What a message says of it."""
        now, then = (one_line(", ".join(names), 60) for names in (classes, self.names(classes)))
        return (
            f"the network is right on {self.given:.3f} of the labelled sequences if its classes "
            f"are {now}, and on {self.better:.3f} if they are {then}"
        )


def find_better_order(
    labels: Int[np.ndarray, " N"], predictions: Int[np.ndarray, " N"], count: int
) -> BetterOrder | None:
    """The order of `count` classes by which most predictions are right; None unless the one given
    is worse than chance and this one far better."""
    from scipy.optimize import linear_sum_assignment  # takes a while to load

    if not len(labels):
        return None
    both = np.bincount(predictions * count + labels, minlength=count**2).reshape(count, count)
    shares = both / len(labels)
    rows, order = linear_sum_assignment(-shares)
    given, better = float(np.trace(shares)), float(shares[rows, order].sum())
    chance = float(shares.sum(axis=1) @ shares.sum(axis=0))
    if given >= chance or better - given < max(MIN_GAIN, MIN_ERRORS / np.sqrt(len(labels))):
        return None
    return BetterOrder(order=tuple(order.tolist()), given=given, better=better)


def find_idle(
    labels: Int[np.ndarray, " N"], predictions: Int[np.ndarray, " N"], classes: tuple[str, ...]
) -> str | None:
    """What a message says of a network that is right no more often than the most frequent class
    alone; None for others, and where there is one class alone."""
    if not len(labels):
        return None
    counts = np.bincount(labels, minlength=len(classes))
    right, most = float((labels == predictions).mean()), counts.max() / len(labels)
    error = np.sqrt(most * (1 - most) / len(labels))
    if most == 1 or right >= min(1, most + IDLE_ERRORS * error):
        return None
    return (
        f"the network is right on {right:.3f} of the labelled sequences, the class "
        f"{one_line(classes[counts.argmax()], 40)} alone on {most:.3f}"
    )


def check_classes(network: Network, dataset: Dataset) -> None:
    """A DataWarning where the labels of a dataset say that an external network has its classes in
    another order, or has learned nothing."""
    splits = [dataset.splits[name] for name in ("validation", "selection")]
    words = Sequences.join(split.sequences for split in splits)
    labels = np.concatenate([split.labels for split in splits])
    predictions = network.predict(words).argmax(axis=1)
    order = find_better_order(labels, predictions, len(network.classes))
    if order is not None:
        advice = "give classes=… in the network's order"
        warnings.warn(f"{order.described(network.classes)}; {advice}", DataWarning, stacklevel=4)
    elif (idle := find_idle(labels, predictions, network.classes)) is not None:
        advice = "was it trained, and are its weights loaded?"
        warnings.warn(f"{idle}; {advice}", DataWarning, stacklevel=4)
