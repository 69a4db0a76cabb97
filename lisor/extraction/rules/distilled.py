"""Centers moved so that the automaton agrees with its network more often.

Shapes: P points, K centers, Q = K + 1 states (the start first), S symbols, H hidden units, D
numbers of a state, F features in which states are compared, A directions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from lisor.extraction.dynamics import StateComparison, draw_members, nearest
from lisor.extraction.rule import Rule
from lisor.randomness import stream
from lisor.sequences import Sequences

if TYPE_CHECKING:
    from lisor.automata.automaton import Automaton
    from lisor.extraction.extraction import Extraction
    from lisor.extraction.view import View
    from lisor.networks.hidden_states import Points

WORDS = 4000
"""Words on which automaton and network are compared."""

TRIES = 200
"""Moves that are tried."""

WORTH_A_STATE = 0.02
"""Share of the words from which a start of its own is worth a state."""

DIRECTIONS, MIN_SHARE = 3, 0.01
"""A center moves in the first principal directions of where states are compared, those of at least
this share of the first one's variance."""

FIRST_STEP, LONGER, SHORTER = 0.3, 1.3, 0.93
"""How far the first move of a center goes, in standard deviations of the states, and how a success
or failure changes that (a success rule of one in four keeps it: Rechenberg, 1973,
"Evolutionsstrategie")."""


class Distilled(Rule):
    """The automaton of centers that were moved so that it agrees with the network more often.

    The search begins with the automaton by the rule "dynamics" or "dithered", whichever is better.
    It raises the share of words on which automaton and network agree, half of them random and half
    near misses of real ones: it moves one center at a time at random and keeps a move that does no
    harm. Distillation by gradient raises the likelihood of a soft copy's outputs instead, and did
    worse on the automaton's own (docs/decisions/0002-faithful.md). A center moves as the hidden
    states themselves do along the first principal directions of their features."""

    searches = True
    compares_classes = True
    has_start = False

    def extract(self, view: View) -> Extraction:
        """The distilled automaton.

        A word begins in the center nearest to the initial state, so that there are K states, or in
        a separate start where that is better by `WORTH_A_STATE`. The search ends after `TRIES`
        moves, or before a move by which the network would have read more symbols than it may."""
        from lisor.extraction.extraction import SearchLog

        network, k, limit = view.network, view.clustering.k, view.limits.steps
        probes, rng = view.words(), stream(view.limits.seed, "distilled")
        words = Sequences.join(
            [probes.random(WORDS // 2, rng), probes.near_misses(WORDS // 2, rng)]
        )
        predictions = network.predict(words).argmax(axis=1)
        directions = _directions(view.points, view.comparison)
        members = draw_members(view.clustering, len(network.alphabet), rng)
        begun = [_Table.of(view, drawn) for drawn in (None, members)]
        starts = [replace(table, own_start=start) for start in (False, True) for table in begun]
        shares = [_agreement(table.automaton(), words, predictions) for table in starts]
        own_start = max(shares[2:]) > max(shares[:2]) + WORTH_A_STATE
        best, table = max(
            zip(shares, starts, strict=True),
            key=lambda pair: (pair[1].own_start == own_start, pair[0]),
        )
        lengths, symbols, tried = np.full(k, FIRST_STEP), len(network.alphabet), 0
        spent = len(words.symbols) + len(begun) * (k + 1) * symbols
        while tried < TRIES and (limit is None or spent + symbols <= limit):
            tried += 1
            spent += symbols
            center = int(rng.integers(k))
            shift = (lengths[center] * rng.normal(size=len(directions))) @ directions
            moved = table.moved(center, shift.astype(np.float32))
            share = _agreement(moved.automaton(), words, predictions)
            if share > best:
                lengths[center] *= LONGER
            elif share < best:
                lengths[center] *= SHORTER
            if share >= best:
                table, best = moved, share
        search = SearchLog(steps=spent, complete=tried == TRIES)
        return view.extraction(self.name, table.automaton(), search=search)


def _agreement(automaton: Automaton, words: Sequences, predictions: Int[np.ndarray, " N"]) -> float:
    return float((automaton.classify(words) == predictions).mean())


def _directions(points: Points, comparison: StateComparison) -> Float[np.ndarray, "A D"]:
    """How hidden states change, on average, along each principal direction of their features.

    A row is the change that comes with one standard deviation along the direction."""
    whole = np.concatenate(points.parts(), axis=1)
    features = comparison.feature_map(whole)
    whole, features = whole - whole.mean(axis=0), features - features.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(features, rowvar=False).reshape(features.shape[1], -1))
    large = [index for index in range(len(values))[::-1] if values[index] > MIN_SHARE * values[-1]]
    kept = large[:DIRECTIONS]
    along = features @ vectors[:, kept] / np.sqrt(values[kept])
    rows: Float[np.ndarray, "A D"] = along.T @ whole / len(whole)
    return rows


@dataclass(frozen=True, kw_only=True, eq=False)
class _Table:
    """Where each center goes on each symbol, and what is needed to know it again quickly when one
    center moves.

    The network steps from a center itself, or from the members of its cluster, which move with
    it."""

    view: View
    initial: Float[np.ndarray, " D"]
    centers: Float[np.ndarray, "K D"]
    states: Float[np.ndarray, "P D"]
    members: Int[np.ndarray, "K S"] | None
    moves: Float[np.ndarray, "K D"]
    """How far each center has moved."""
    comparison: StateComparison
    after: tuple[Float[np.ndarray, "S F"], ...]
    """Where the network's step from the initial state and from each of the K centers on each symbol
    leads."""
    target: Int[np.ndarray, "Q S"]
    distance: Float[np.ndarray, "Q S"]
    """To the target, squared, less what all centers share."""
    own_start: bool = False
    """Whether there is a start beside the centers; else a word begins in the center nearest to the
    initial state."""

    @classmethod
    def of(cls, view: View, members: Int[np.ndarray, "K S"] | None) -> _Table:
        """The table before any center has moved."""
        states, k = view.states, view.clustering.k
        whole = np.concatenate(states, axis=1)
        empty = np.zeros((k + 1, len(view.network.alphabet)), np.int64)
        table = cls(
            view=view,
            initial=whole[0],
            centers=whole[1:],
            states=np.concatenate(view.points.parts(), axis=1),
            members=members,
            moves=np.zeros_like(whole[1:]),
            comparison=view.comparison,
            after=(),
            target=empty,
            distance=empty.astype(np.float32),
        )
        after = (*view.comparison.steps(view.network, tuple(part[:1] for part in states)),)
        after += tuple(table._step(center) for center in range(k))
        pairs = [nearest(row, view.comparison.centers) for row in after]
        target, distance = (np.stack(part) for part in zip(*pairs, strict=True))
        return replace(table, after=after, target=target, distance=distance)

    def moved(self, center: int, shift: Float[np.ndarray, " D"]) -> _Table:
        """The table with one center moved."""
        centers, moves = self.centers.copy(), self.moves.copy()
        centers[center] += shift
        moves[center] += shift
        stepped = replace(self, centers=centers, moves=moves)._step(center)
        after = (*self.after[: center + 1], stepped, *self.after[center + 2 :])
        one = slice(center, center + 1)
        moved_by = self._features(centers[one]) - self._features(self.centers[one])
        compared = self.comparison.centers.copy()
        compared[center] += moved_by[0]
        # Compared with all centers are the steps that led to the moved center, and those from it.
        again = self.target == center
        again[center + 1] = True
        to_moved = np.square(compared[center]).sum() - np.stack(
            [row @ (2 * compared[center]) for row in after]
        )
        closer = to_moved < self.distance
        target = np.where(closer, center, self.target)
        distance = np.where(closer, to_moved, self.distance)
        steps_again = np.concatenate([row[mask] for row, mask in zip(after, again, strict=True)])
        target[again], distance[again] = nearest(steps_again, compared)
        return replace(
            self,
            centers=centers,
            moves=moves,
            comparison=replace(self.comparison, centers=compared),
            after=after,
            target=target,
            distance=distance,
        )

    def automaton(self) -> Automaton:
        """The automaton as it is now."""
        network = self.view.network
        outputs = network.probabilities(self._parts(self.centers)[0]).argmax(axis=1)
        if self.own_start:
            first = network.probabilities(self._parts(self.initial[None])[0]).argmax(axis=1)
            return self.view.automaton(self.target + 1, np.concatenate([first, outputs]))
        start, _ = nearest(self._features(self.initial[None]), self.comparison.centers)
        return self.view.automaton(self.target[1:], outputs, int(start[0]))

    def _step(self, center: int) -> Float[np.ndarray, "S F"]:
        """Where the network's step from one center on each symbol leads."""
        network = self.view.network
        if self.members is None:
            after = next(network.successors(self._parts(self.centers[center : center + 1])))
        else:
            before = self.states[self.members[center]] + self.moves[center]
            parts = network.advance(self._parts(before), np.arange(len(before)))
            after = np.concatenate(parts, axis=1)
        return self._features(after)

    def _features(self, whole: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N F"]:
        return self.comparison.feature_map(whole)

    def _parts(self, whole: Float[np.ndarray, "B D"]) -> tuple[Float[np.ndarray, "B H"], ...]:
        """h, and for an LSTM or SRU c."""
        return tuple(np.split(whole, np.cumsum(self.view.network.sizes)[:-1], axis=1))
