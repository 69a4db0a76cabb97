"""How far a search for an automaton goes.

Shapes: M positions of sequences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

if TYPE_CHECKING:
    from lisor.networks.network import Predictor
    from lisor.sequences import Sequences


class Stopped(Exception):  # noqa: N818 -- it is no error
    """A watch ends a search before the round is over."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What is called after each round with a line of progress, and what says whether to end, also
    within a round."""

    report: Callable[[str], None]
    is_over: Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class SearchLimits:
    """The limits of a search: the states to which its automaton grows, the symbols that the network
    reads for it (as many as it takes where `steps` is None), and the seed of what is drawn.

    Limits are counted in moves or steps of the network, so that two computers agree. A `watch`,
    which no run has, may end a search earlier; it changes nothing else."""

    most_states: int = 64
    steps: int | None = None
    seed: int = 0
    watch: Watch | None = None

    def report(self, progress: str) -> None:
        """Pass a line of progress on, if there is a watch."""
        if self.watch is not None:
            self.watch.report(progress)

    def is_over(self, steps: int) -> bool:
        """Whether the search has to end after the network has read so many symbols."""
        if self.steps is not None and steps >= self.steps:
            return True
        return self.watch is not None and self.watch.is_over()

    def check(self) -> None:
        """Raises Stopped where a watch says so."""
        if self.watch is not None and self.watch.is_over():
            raise Stopped

    def predict(self, network: Predictor, words: Sequences) -> Int[np.ndarray, " M"]:
        """The class that a network predicts at each position of some words.

        Raises:
            Stopped: a watch ended the search before all of them were predicted."""
        if self.watch is None:
            classes: Int[np.ndarray, " M"] = network.predict(words).argmax(axis=1)
            return classes
        parts = [np.empty(0, np.int64)]
        for start in range(0, len(words), network.at_once):
            self.check()
            rows = np.arange(start, min(start + network.at_once, len(words)))
            parts.append(network.predict(words.select(rows)).argmax(axis=1))
        return np.concatenate(parts)
