"""Where a network's own steps on numbers lead.

Shapes: Q states (the start first), G numbers of a grid, N pairs of a state and a number, D numbers
of a state, F features in which states are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from lisor.extraction.dynamics import StateComparison, nearest
from lisor.extraction.numbers_read import Row

if TYPE_CHECKING:
    from lisor.networks.network import States
    from lisor.networks.trained import TrainedModel

MAX_STEPS = 1 << 16
"""Steps of a network at once."""


@dataclass(frozen=True)
class StepsOnNumbers:
    """A network's steps from some of its `states`, by their `comparison`, on single numbers,
    standardised as the network reads them."""

    network: TrainedModel
    states: States
    comparison: StateComparison

    def _after(self, states: Int[np.ndarray, " N"], numbers: Float[np.ndarray, " N"]) -> States:
        """The state after each number, read in each of the states."""
        before = tuple(part[states] for part in self.states)
        return self.network.advance_on(before, numbers[:, None].astype(np.float32))

    def ends(
        self, states: Int[np.ndarray, " N"], numbers: Float[np.ndarray, " N"]
    ) -> Int[np.ndarray, " N"]:
        """The state whose center is nearest to where each step leads."""
        parts = []
        for start in range(0, len(states), MAX_STEPS):
            block = slice(start, start + MAX_STEPS)
            after = np.concatenate(self._after(states[block], numbers[block]), axis=1)
            parts.append(
                nearest(self.comparison.feature_map(after), self.comparison.centers)[0] + 1
            )
        return np.concatenate([np.empty(0, np.int64), *parts])

    def numbers_after(
        self, state: int, numbers: Float[np.ndarray, " G"]
    ) -> Float[np.ndarray, "G C"]:
        """What the network reads out after each number, read in a state."""
        after = self._after(np.full(len(numbers), state), numbers)
        return np.asarray(self.network.probabilities(after[0]), np.float64)

    def rows(self, grid: Float[np.ndarray, " G"], halvings: int) -> list[Row]:
        """For each state the numbers at which the next state changes, and the next states between
        them: what changes between two numbers of the grid is looked for by halving."""
        count = len(self.states[0])
        states = np.repeat(np.arange(count), len(grid))
        ends = self.ends(states, np.tile(grid, count)).reshape(count, len(grid))
        source, column = np.nonzero(ends[:, 1:] != ends[:, :-1])
        low, high, left = grid[column], grid[column + 1], ends[source, column]
        for _ in range(halvings):
            middle = (low + high) / 2
            same = self.ends(source, middle) == left
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        return [
            Row(
                cuts=high[source == state],
                ends=np.append(ends[state, :1], ends[state, column[source == state] + 1]),
            )
            for state in range(count)
        ]
