"""The network's own steps on every number that it may read: intervals in place of given symbols.

Shapes: Q = K + 1 states (the start first), G numbers of a grid, E cuts, S symbols (intervals), B
blocks of states, P points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lisor.errors import AutomatonError
from lisor.extraction.numbers_read import Row, heavy, medians, share_below
from lisor.extraction.rule import Rule
from lisor.randomness import stream

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from lisor.alphabet import Alphabet
    from lisor.extraction.extraction import Extraction
    from lisor.extraction.steps_on_numbers import StepsOnNumbers
    from lisor.extraction.view import View

GRID = 128
"""Numbers from the least to the greatest that was read, and as many quantiles of all, on which the
network's steps are looked at."""

HALVINGS = 12
"""By which a cut is found between two numbers of the grid."""

MIN_SHARE = 0.02
"""Of the numbers read that fall into an interval for it to distinguish two states: where a state's
next one changes at 0.299 and another's at 0.301, both are the same for all that matters."""

MIN_CUT = 0.001
"""Of the numbers read that lie between two cuts for them not to be one."""


class Intervals(Rule):
    """Follows the network's own step from the center of a state on every number, to the nearest
    center, and cuts the numbers where the next state changes.

    Where classes are named, states that differ on few numbers alone are one, and numbers are cut
    where the network begins to answer as from the other of two next states: on rests of sequences
    that separate them, read after the number from members of the state; the median over several
    is taken. The nearest center alone says little of a state between two. Where automata have
    distributions or numbers, states and cuts are left as they are.

    The alphabet of the automaton are the intervals between all cuts, in the units of the series."""

    reads_numbers = True

    def extract(self, view: View) -> Extraction:
        """The automaton over intervals.

        Raises:
            AutomatonError: the network reads no numbers, or several at a step."""
        from lisor.extraction.steps_on_numbers import StepsOnNumbers
        from lisor.extraction.transitions import START
        from lisor.networks.trained import TrainedModel

        network, read = view.network, view.points.numbers
        if not isinstance(network, TrainedModel) or read is None or read.shape[1] != 1:
            raise AutomatonError(
                f"the rule {self.name!r} is for series of one channel with dataset.window=1, whose "
                "numbers a network of lisor reads one at a time; use dynamics"
            )
        numbers = np.sort(read[:, 0].astype(np.float64))
        steps = StepsOnNumbers(network, view.states, view.comparison)
        rows = steps.rows(_grid(numbers), HALVINGS)
        blocks, kept = np.arange(len(rows)), np.arange(len(rows))
        if view.names_classes:
            blocks, kept = _merged(view, numbers, rows, blocks, kept)
            rows = self._by_predictions(view, steps, numbers, rows, blocks, kept)
            # Cuts that are now alike distinguish no states any more.
            blocks, kept = _merged(view, numbers, rows, blocks, kept)
        cuts = _joined([rows[state].cuts for state in kept], numbers)
        middles = medians(cuts, numbers)
        table = np.stack([rows[state].ends_on(middles) for state in kept])
        values = None
        if view.values is not None:
            values = np.stack([steps.numbers_after(state, middles) for state in kept.tolist()])
        automaton = view.automaton(
            blocks[table],
            view.outputs[kept],
            int(blocks[START]),
            None if view.distributions is None else view.distributions[kept],
            values=values,
            alphabet=_alphabet(network.alphabet, cuts, middles),
        )
        return view.extraction(self.name, automaton)

    def _by_predictions(
        self,
        view: View,
        steps: StepsOnNumbers,
        numbers: Float[np.ndarray, " P"],
        rows: list[Row],
        blocks: Int[np.ndarray, " Q"],
        kept: Int[np.ndarray, " B"],
    ) -> list[Row]:
        """The rows of the states that are kept, with their cuts where the network's predictions
        change."""
        from lisor.extraction.predictions_on_numbers import PredictionsOnNumbers

        standing = [rows[state] for state in kept]
        predictions = PredictionsOnNumbers.of(
            view, steps, numbers, standing, blocks, kept, MIN_SHARE
        )
        refined = list(rows)
        for block, state in enumerate(kept):
            row = rows[state].simplified(blocks, numbers, MIN_SHARE)
            rng = stream(view.limits.seed, "intervals", block)
            refined[state] = predictions.refined(block, row, rng)
        return refined


def _grid(numbers: Float[np.ndarray, " P"]) -> Float[np.ndarray, " G"]:
    """Numbers at which steps are looked at: evenly apart, and as often as they are read."""
    even = np.linspace(numbers[0], numbers[-1], GRID)
    often = np.quantile(numbers, np.linspace(0, 1, GRID))
    return np.unique(np.concatenate([even, often]))


def _joined(cuts: list[np.ndarray], numbers: Float[np.ndarray, " P"]) -> Float[np.ndarray, " E"]:
    """The cuts of all states in order, those next to each other as one: the first of them."""
    kept: list[float] = []
    for cut in np.unique(np.concatenate([*cuts, np.empty(0)])).tolist():
        below = share_below(np.array([*kept[-1:], cut]), numbers)
        if not kept or below[-1] - below[0] >= MIN_CUT:
            kept.append(cut)
    return np.array(kept)


def _merged(
    view: View,
    numbers: Float[np.ndarray, " P"],
    rows: list[Row],
    blocks: Int[np.ndarray, " Q"],
    kept: Int[np.ndarray, " B"],
) -> tuple[Int[np.ndarray, " Q"], Int[np.ndarray, " B"]]:
    """Fewer blocks, and the states that stand for them, the most visited ones.

    The coarsest partition by output that no interval of `MIN_SHARE` of the numbers splits. A series
    is never empty, so that the start has the output that makes the partition coarsest."""
    from lisor.extraction.transitions import START

    standing, outputs = [rows[state] for state in kept], view.outputs[kept]
    middles = heavy(standing, numbers, MIN_SHARE)[0]
    table = np.stack([blocks[row.ends_on(middles)] for row in standing])
    start = np.arange(len(kept)) == blocks[START]
    alone = np.bincount(blocks)[blocks[START]] == 1
    candidates = [outputs] + [
        np.where(start, output, outputs) for output in range(len(view.network.classes) * alone)
    ]
    coarser = min((_partition(table, named) for named in candidates), key=np.max)
    visits = np.bincount(view.clustering.labels + 1, minlength=len(blocks))[kept]
    order = np.argsort(-visits, kind="stable")
    first = [next(item for item in order if coarser[item] == b) for b in np.unique(coarser)]
    return coarser[blocks], kept[first]


def _partition(table: Int[np.ndarray, "Q S"], outputs: Int[np.ndarray, " Q"]) -> np.ndarray:
    """The block of each state in the coarsest partition by output that no symbol splits (Moore,
    1956)."""
    block = np.unique(outputs, return_inverse=True)[1]
    while True:
        signatures = np.column_stack([block, block[table]])
        finer = np.unique(signatures, axis=0, return_inverse=True)[1].reshape(-1)
        if finer.max() == block.max():
            return np.asarray(block)
        block = finer


def _alphabet(
    given: Alphabet, cuts: Float[np.ndarray, " E"], middles: Float[np.ndarray, " S"]
) -> Alphabet:
    """The intervals between cuts, in the units of a given alphabet's series."""
    from lisor.alphabet import Alphabet
    from lisor.quantizer import Quantizer

    quantizer = given.quantizer
    if quantizer is None:
        raise AutomatonError("expected an alphabet that is made of numbers, got none")
    intervals = Quantizer(
        window=1,
        means=quantizer.means,
        deviations=quantizer.deviations,
        prototypes=middles[:, None],
        breakpoints=cuts,
    )
    return Alphabet(symbols=intervals.names, quantizer=intervals)
