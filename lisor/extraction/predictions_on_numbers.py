"""Where a network begins to answer as from another state, on the numbers that it reads.

Shapes: P numbers that were read, in order, Q states (the start first), B blocks of them, S
intervals of a share of the numbers, N tests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.errors import AutomatonError
from lisor.extraction.numbers_read import Row, heavy, medians
from lisor.extraction.transitions import START
from lisor.randomness import stream
from lisor.sequences import Sequences

if TYPE_CHECKING:
    from lisor.extraction.steps_on_numbers import StepsOnNumbers
    from lisor.extraction.view import View
    from lisor.networks.network import States

TESTS = 31
"""Members of a state, and rests of sequences, by which a cut between two next states is found."""

MAX_DRAWN = 1000
"""Rests of sequences among which those are looked for that separate two states."""

HALVINGS = 16
"""By which each of them finds a cut."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PredictionsOnNumbers:
    """A network whose states are compared by its predictions on what follows.

    `rough` is an automaton of the blocks over the intervals, with `edges` between them, of many of
    the `numbers` that are read. `rests` are the rests of sequences after some of their steps, as
    words of it."""

    view: View
    steps: StepsOnNumbers
    numbers: Float[np.ndarray, " P"]
    middles: Float[np.ndarray, " S"]
    rough: Automaton
    blocks: Int[np.ndarray, " Q"]
    rests: Sequences

    @classmethod
    def of(
        cls,
        view: View,
        steps: StepsOnNumbers,
        numbers: Float[np.ndarray, " P"],
        rows: list[Row],
        blocks: Int[np.ndarray, " Q"],
        kept: Int[np.ndarray, " B"],
        share: float,
    ) -> PredictionsOnNumbers:
        """That of the `rows` of the states `kept`, which stand for the `blocks`."""
        middles, edges = heavy(rows, numbers, share)
        rough = Automaton(
            alphabet=Alphabet(symbols=tuple(str(number) for number in range(len(middles)))),
            classes=view.network.classes,
            transitions=np.stack([blocks[row.ends_on(middles)] for row in rows]),
            outputs=view.outputs[kept],
            start=int(blocks[START]),
        )
        points = view.points
        if points.numbers is None:
            raise AutomatonError("expected hidden states with the numbers that were read, got none")
        symbols = np.searchsorted(edges, points.numbers[:, 0], side="right")
        read = replace(points.in_order(), symbols=symbols)
        rng = stream(view.limits.seed, "rests of sequences")
        drawn = rng.choice(len(points.step), MAX_DRAWN)
        ends = read.offsets[np.searchsorted(read.offsets, drawn, side="right")]
        return cls(
            view=view,
            steps=steps,
            numbers=numbers,
            middles=middles,
            rough=rough,
            blocks=blocks,
            rests=read.cut(drawn + 1, ends - drawn - 1),
        )

    def refined(self, block: int, row: Row, rng: np.random.Generator) -> Row:
        """The row of a block with each cut where the network's predictions change."""
        cuts = row.cuts.copy()
        typical = medians(row.cuts, self.numbers)
        for number, (left, right) in enumerate(zip(row.ends[:-1], row.ends[1:], strict=True)):
            pair = (int(self.blocks[left]), int(self.blocks[right]))
            between = (typical[number], typical[number + 1])
            cuts[number] = self._cut(block, pair, between, rng)
        return replace(row, cuts=np.sort(cuts))

    def _cut(
        self,
        block: int,
        pair: tuple[int, int],
        between: tuple[float, float],
        rng: np.random.Generator,
    ) -> float:
        """The median of the numbers between two at which tests answer as from the first of a pair
        of next blocks no longer."""
        rests, expected = self._separating(*pair)
        states = self._members(block, len(rests), rng)
        low, high = (np.full(len(states[0]), edge) for edge in between)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            after = self.steps.network.advance_on(states, middle[:, None].astype(np.float32))
            predictions = self.steps.network.predict_from(after, rests).argmax(axis=1)
            low = np.where(predictions == expected, middle, low)
            high = np.where(predictions == expected, high, middle)
        return float(np.median(high))

    def _separating(self, one: int, other: int) -> tuple[Sequences, Int[np.ndarray, " N"]]:
        """Rests of sequences on which two blocks differ, or where none does a shortest word on
        which they do, and the class of each from the first of the two."""
        first, second = (replace(self.rough, start=start) for start in (one, other))
        classes = first.classify(self.rests)
        rows = np.flatnonzero(classes != second.classify(self.rests))[:TESTS]
        if len(rows):
            return self.rests.select(rows), classes[rows]
        word = Sequences.from_lists([first.encode(first.distinguishing_word(second) or ())])
        word = replace(word, numbers=self.middles[word.symbols][:, None])
        return word.select(np.zeros(TESTS, int)), np.repeat(first.classify(word), TESTS)

    def _members(self, block: int, count: int, rng: np.random.Generator) -> States:
        """Hidden states for which a block stands: the initial one, or some of its clusters'."""
        points, inside = self.view.points, self.blocks[self.view.clustering.labels + 1] == block
        rows = np.flatnonzero(inside)
        if not len(rows):
            return tuple(np.repeat(part[:1], count, axis=0) for part in self.steps.states)
        drawn = rng.choice(rows, count)
        return tuple(part[drawn] for part in points.parts())
