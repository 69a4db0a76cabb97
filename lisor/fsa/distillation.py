"""Centers moved until the automaton answers as its network does: the rule "distilled".

Shapes: P points, K centers, Q = K + 1 states (the start first), S symbols, H hidden units, D numbers of a state, F
numbers in which states are compared, A directions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from lisor.data.sequences import Sequences
from lisor.fsa.automaton import Automaton
from lisor.fsa.clustering import Clustering
from lisor.fsa.dynamics import center_states, draw_members, nearest, space_of, steps
from lisor.fsa.extraction import Extraction, make_automaton
from lisor.fsa.probes import Probes
from lisor.randomness import stream
from lisor.rnn.hidden_states import Points
from lisor.rnn.network import Network

WORDS = 4000
"""Words on which automaton and network are compared."""

TRIES = 200
"""Moves that are tried."""

WORTH_A_STATE = 0.02
"""Share of the words from which a start of its own is worth a state."""

DIRECTIONS, LEAST_SHARE = 3, 0.01
"""A center moves in the first principal directions of where states are compared, those of at least this share of the
first one's variance."""

FIRST_STEP, LONGER, SHORTER = 0.3, 1.3, 0.93
"""How far the first move of a center goes, in standard deviations of the states, and how a success or failure changes
that (a success rule of one in four keeps it: Rechenberg, 1973, "Evolutionsstrategie")."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Distillation:
    """A distilled automaton; how many symbols the network read, and whether all moves were tried."""

    extraction: Extraction
    steps: int
    complete: bool


def distill(
    model: Network,
    points: Points,
    clustering: Clustering,
    probes: Probes,
    *,
    seed: int,
    budget: int | None = None,
) -> Distillation:
    """An automaton from centers that were moved to make it answer as the network does.

    It begins as that by the rule "dynamics" or "dithered", whichever is better. What is raised is the share of words
    that automaton and network answer alike, half of them random and half near misses of real ones, by moving one center
    at a time at random and keeping what does no harm. Distillation by gradient from a soft copy raises the likelihood
    of the soft copy's answers instead, and lost on the automaton's own (docs/decisions/0002-faithful.md). A center
    moves as the hidden states themselves do along the first principal directions of the space in which they are
    compared.

    A word begins in the center nearest to the initial state, so that the states are K, or in a start of its own where
    that is better by `WORTH_A_STATE`. The search ends after `TRIES` moves, or before a move by which the network
    would have read more than `budget` symbols."""
    rng = stream(seed, "distilled")
    words = Sequences.join([probes.random(WORDS // 2, rng), probes.near_misses(WORDS // 2, rng)])
    answers = model.predict(words).argmax(axis=1)
    directions = _directions(points, clustering.metric)
    members = draw_members(clustering, len(model.vocabulary), rng)
    begun = [_Table.of(model, points, clustering, drawn) for drawn in (None, members)]
    starts = [replace(table, own_start=own) for own in (False, True) for table in begun]
    shares = [_agreement(table.automaton(model), words, answers) for table in starts]
    own_start = max(shares[2:]) > max(shares[:2]) + WORTH_A_STATE
    best, table = max(zip(shares, starts, strict=True), key=lambda pair: (pair[1].own_start == own_start, pair[0]))
    steps, symbols, tried = np.full(clustering.k, FIRST_STEP), len(model.vocabulary), 0
    spent = len(words.symbols) + len(begun) * (clustering.k + 1) * symbols
    while tried < TRIES and (budget is None or spent + symbols <= budget):
        tried += 1
        spent += symbols
        center = int(rng.integers(clustering.k))
        shift = (steps[center] * rng.normal(size=len(directions))) @ directions
        moved = table.moved(model, center, shift.astype(np.float32))
        share = _agreement(moved.automaton(model), words, answers)
        if share > best:
            steps[center] *= LONGER
        elif share < best:
            steps[center] *= SHORTER
        if share >= best:
            table, best = moved, share
    machine = table.automaton(model)
    seen = np.ones(machine.transitions.shape, bool)
    found = Extraction(method=clustering.method, rule="distilled", k=clustering.k, machine=machine, seen=seen)
    return Distillation(extraction=found, steps=spent, complete=tried == TRIES)


def _agreement(machine: Automaton, words: Sequences, answers: Int[np.ndarray, " N"]) -> float:
    return float((machine.classify(words) == answers).mean())


def _whole(points: Points) -> Float[np.ndarray, "P D"]:
    if points.cell_state is None:
        return points.state
    return np.concatenate([points.state, points.cell_state], axis=1)


def _directions(points: Points, metric: Float[np.ndarray, "D F"] | None) -> Float[np.ndarray, "A D"]:
    """How hidden states change, on average, along each principal direction of where they are compared.

    One row is what comes with one standard deviation along the direction."""
    whole = _whole(points)
    whole = whole - whole.mean(axis=0)
    space = whole[:, : points.state.shape[1]] if metric is None else whole @ metric
    values, vectors = np.linalg.eigh(np.cov(space, rowvar=False).reshape(space.shape[1], -1))
    kept = [place for place in range(len(values))[::-1] if values[place] > LEAST_SHARE * values[-1]][:DIRECTIONS]
    along = space @ vectors[:, kept] / np.sqrt(values[kept])
    rows: Float[np.ndarray, "A D"] = along.T @ whole / len(whole)
    return rows


@dataclass(frozen=True, kw_only=True, eq=False)
class _Table:
    """Where each center goes on each symbol, and what is needed to know it again quickly when one center moves.

    The network steps from a center itself, or from the members of its cluster, which move with it."""

    initial: Float[np.ndarray, " D"]
    centers: Float[np.ndarray, "K D"]
    states: Float[np.ndarray, "P D"]
    members: Int[np.ndarray, "K S"] | None
    moves: Float[np.ndarray, "K D"]
    """How far each center has moved."""
    space: Float[np.ndarray, "D F"]
    after: tuple[Float[np.ndarray, "S F"], ...]
    """Where the network's step from the initial state and from each of the K centers on each symbol leads."""
    target: Int[np.ndarray, "Q S"]
    distance: Float[np.ndarray, "Q S"]
    """To the target, squared, less what all centers share."""
    hidden_size: int
    own_start: bool = False
    """Whether a word begins in a state of its own, and not in the center nearest to the initial state."""

    @classmethod
    def of(
        cls, model: Network, points: Points, clustering: Clustering, members: Int[np.ndarray, "K S"] | None
    ) -> _Table:
        """The table before any center has moved."""
        states = center_states(model, points, clustering)
        whole, space = np.concatenate(states, axis=1), space_of(states, clustering.metric)
        empty = np.zeros((clustering.k + 1, len(model.vocabulary)), np.int64)
        table = cls(
            initial=whole[0],
            centers=whole[1:],
            states=_whole(points),
            members=members,
            moves=np.zeros_like(whole[1:]),
            space=space,
            after=(),
            target=empty,
            distance=empty.astype(np.float32),
            hidden_size=states[0].shape[1],
        )
        after = (*steps(model, tuple(part[:1] for part in states), space),)
        after += tuple(table._step(model, center) for center in range(clustering.k))
        found = [nearest(own, table.centers @ space) for own in after]
        target, distance = (np.stack(part) for part in zip(*found, strict=True))
        return replace(table, after=after, target=target, distance=distance)

    def moved(self, model: Network, center: int, shift: Float[np.ndarray, " D"]) -> _Table:
        """The table with one center moved."""
        centers, moves = self.centers.copy(), self.moves.copy()
        centers[center] += shift
        moves[center] += shift
        stepped = replace(self, centers=centers, moves=moves)._step(model, center)
        after = (*self.after[: center + 1], stepped, *self.after[center + 2 :])
        places = centers @ self.space
        # What was nearest to the moved center, and the moved center's own steps, are looked at whole.
        anew = self.target == center
        anew[center + 1] = True
        to_moved = np.square(places[center]).sum() - np.stack([own @ (2 * places[center]) for own in after])
        closer = to_moved < self.distance
        target, distance = np.where(closer, center, self.target), np.where(closer, to_moved, self.distance)
        those = np.concatenate([own[which] for own, which in zip(after, anew, strict=True)])
        target[anew], distance[anew] = nearest(those, places)
        return replace(self, centers=centers, moves=moves, after=after, target=target, distance=distance)

    def automaton(self, model: Network) -> Automaton:
        """The automaton as it is now."""
        outputs = model.probabilities(self.centers[:, : self.hidden_size]).argmax(axis=1)
        if self.own_start:
            first = model.probabilities(self.initial[None, : self.hidden_size]).argmax(axis=1)
            return make_automaton(model, self.target + 1, np.concatenate([first, outputs]))
        start, _ = nearest((self.initial @ self.space)[None], self.centers @ self.space)
        return make_automaton(model, self.target[1:], outputs, int(start[0]))

    def _step(self, model: Network, center: int) -> Float[np.ndarray, "S F"]:
        """Where the network's step from one center on each symbol leads."""
        if self.members is None:
            before = self.centers[center : center + 1]
            after = next(model.successors(self._parts(before)))
        else:
            before = self.states[self.members[center]] + self.moves[center]
            after = np.concatenate(model.advance(self._parts(before), np.arange(len(before))), axis=1)
        stepped: Float[np.ndarray, "S F"] = after @ self.space
        return stepped

    def _parts(self, whole: Float[np.ndarray, "B D"]) -> tuple[Float[np.ndarray, "B H"], ...]:
        """h, and for an LSTM or SRU c."""
        return tuple(np.split(whole, range(self.hidden_size, whole.shape[1], self.hidden_size), axis=1))
