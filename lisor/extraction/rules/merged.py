"""States merged where that loses least of what the network predicts.

Shapes: Q states of the automaton by the rule "dynamics", L of them that are left, S symbols, C
classes, P points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from lisor.extraction.rule import Rule

if TYPE_CHECKING:
    from lisor.automata.automaton import Automaton
    from lisor.extraction.extraction import Extraction
    from lisor.extraction.view import View

UNUSED = -1
"""In place of the next state of a transition that no sequence of validation takes."""


class Merged(Rule):
    """The automaton of the network's own steps, with states merged as long as that loses next to
    nothing, and then as long as there are more than there may be.

    A merger loses Σ m·D(p ‖ q) over the merged states: m positions of validation whose paths lead
    to a state, p the network's mean distribution there, q that of the merged state; this is the
    loss of the information bottleneck (Slonim & Tishby, 1999, "Agglomerative information
    bottleneck"). The successors of merged states are merged too, as in Alergia (Carrasco & Oncina,
    1994), so that the automaton stays deterministic. Where mergers cost, states that are entered by
    the same symbol come first: an automaton whose states know the last symbol is soon right again
    after a step that no sequence of validation took. Transitions that no sequence of validation
    takes ask for no merger; those that are left lead where the step of the member with the most
    positions leads."""

    searches = True
    averages_probabilities = True
    has_start = False

    def extract(self, view: View) -> Extraction:
        """The merged automaton, whose distributions are the means where its own paths lead."""
        from lisor.automata.distributions import TOLERANCE
        from lisor.extraction.extraction import Extraction, SearchLog

        begun = view.automaton(view.center_transitions, view.outputs)
        states = _States.of(view, begun)
        spare = float(TOLERANCE / 2 * states.positions.sum())  # the choice of k allows the whole
        lost = 0.0
        while states.count > 1:
            loss, merger = states.cheapest()
            if lost + loss > spare:
                break
            states.apply(merger)
            lost += loss
        limited = states.count > view.limits.most_states
        while states.count > view.limits.most_states:
            states.apply(states.cheapest(costs=True)[1])
        automaton = states.automaton(view, begun)
        return Extraction(
            method=view.clustering.method,
            rule=self.name,
            k=view.clustering.k,
            automaton=automaton,
            seen=np.ones(automaton.transitions.shape, bool),
            search=SearchLog(steps=begun.transitions.size, complete=not limited, limited=limited),
        )

    @classmethod
    def min_states(cls, k: int) -> int:
        """One: states are merged until there are as few as there may be."""
        return 1


@dataclass(kw_only=True, eq=False)
class _Merger:
    """States that are merged at once: each leads to its `parent`, the first of them to none. Of
    what a root stands for: its transitions, positions and sums of the network's probabilities."""

    parent: dict[int, int]
    transitions: dict[int, Int[np.ndarray, " S"]]
    positions: dict[int, float]
    sums: dict[int, Float[np.ndarray, " C"]]

    def root(self, state: int) -> int:
        """The state into which a state is merged."""
        while state in self.parent:
            state = self.parent[state]
        return state


@dataclass(kw_only=True, eq=False)
class _States:
    """States and the mergers between them.

    `losses[q, r]` for q < r is what the merger of two states that are left loses, without that of
    their successors, and so at most what it loses with them. `root` is the state into which each
    was merged, `begun` the positions before any merger, `entered` the symbol that led to it most
    often, or `UNUSED` where none did."""

    transitions: Int[np.ndarray, "Q S"]
    positions: Float[np.ndarray, " Q"]
    sums: Float[np.ndarray, "Q C"]
    root: Int[np.ndarray, " Q"]
    begun: Float[np.ndarray, " Q"]
    entered: Int[np.ndarray, " Q"]
    losses: Float[np.ndarray, "Q Q"]

    @classmethod
    def of(cls, view: View, automaton: Automaton) -> _States:
        """Those of an automaton, with what the network predicts where the sequences of validation
        lead."""
        points, count = view.points, automaton.n_states
        before, trace = view.states_on_points(automaton)
        positions = np.bincount(trace, minlength=count).astype(np.float64)
        positions[automaton.start] += view.begun
        sums = view.sums_of(trace, count, view.begun, automaton.start)
        transitions = np.full(automaton.transitions.shape, UNUSED)
        transitions[before, points.symbol] = trace
        counts = np.zeros(transitions.shape, np.int64)
        np.add.at(counts, (trace, points.symbol), 1)
        losses = np.full((count, count), np.inf)
        states = cls(
            transitions=transitions,
            positions=positions,
            sums=sums,
            root=np.arange(count),
            begun=positions.copy(),
            entered=np.where(counts.any(axis=1), counts.argmax(axis=1), UNUSED),
            losses=losses,
        )
        for state in range(count):
            states._update(state)
        return states

    @property
    def left(self) -> Bool[np.ndarray, " Q"]:
        """Whether each state is merged into no other."""
        left: Bool[np.ndarray, " Q"] = self.root == np.arange(len(self.root))
        return left

    @property
    def count(self) -> int:
        """How many states are left."""
        return int(self.left.sum())

    def cheapest(self, *, costs: bool = False) -> tuple[float, _Merger]:
        """The merger of two states and of their successors that loses least, and how much; a tie
        goes to the lower numbers. If it `costs`, states entered by the same symbol come first."""
        lowest, merger = np.inf, None
        bounds = self.losses.reshape(-1)
        candidates = np.flatnonzero(np.isfinite(bounds))
        if costs:
            first, second = np.divmod(candidates, len(self.root))
            alike = self.entered[first] == self.entered[second]
            candidates = candidates[alike] if alike.any() else candidates
        for pair in candidates[np.argsort(bounds[candidates], kind="stable")].tolist():
            if bounds[pair] >= lowest:
                break
            first, second = divmod(pair, len(self.root))
            loss, closed = self._close(first, second, lowest)
            if closed is not None:
                lowest, merger = loss, closed
        if merger is None:
            raise ValueError("expected two states or more to merge, got one")
        return lowest, merger

    def _close(self, first: int, second: int, bound: float) -> tuple[float, _Merger | None]:
        """The merger of two states and their successors, and what it loses; None from where it
        loses as much as the `bound`."""
        merger = _Merger(parent={}, transitions={}, positions={}, sums={})
        pairs, loss = [(first, second)], 0.0
        while pairs:
            one, other = sorted(map(merger.root, pairs.pop()))
            if one == other:
                continue
            parts = [
                (
                    merger.positions.get(state, float(self.positions[state])),
                    merger.sums.get(state, self.sums[state]),
                    merger.transitions.get(state, self.transitions[state]),
                )
                for state in (one, other)
            ]
            (here, sums, after), (there, other_sums, other_after) = parts
            whole = sums + other_sums
            loss += float(
                _spread(here + there, whole) - _spread(here, sums) - _spread(there, other_sums)
            )
            if loss >= bound:
                return loss, None
            merger.parent[other] = one
            merger.positions[one], merger.sums[one] = here + there, whole
            merger.transitions[one] = np.where(after == UNUSED, other_after, after)
            both = (after != UNUSED) & (other_after != UNUSED) & (after != other_after)
            pairs += zip(after[both].tolist(), other_after[both].tolist(), strict=True)
        return loss, merger

    def apply(self, merger: _Merger) -> None:
        """Merge the states of a merger."""
        for state in merger.parent:
            self.losses[state], self.losses[:, state] = np.inf, np.inf
        roots = np.array([merger.root(state) for state in range(len(self.root))])
        kept = [state for state in merger.positions if merger.root(state) == state]
        for state in kept:
            self.transitions[state] = merger.transitions[state]
            self.positions[state] = merger.positions[state]
            self.sums[state] = merger.sums[state]
        used = self.transitions != UNUSED
        self.transitions[used] = roots[self.transitions[used]]
        self.root = roots[self.root]
        for state in kept:
            self._update(state)

    def _update(self, state: int) -> None:
        """Compute anew what the mergers of one state with others lose."""
        left = np.flatnonzero(self.left)
        others = left[left != state]
        spreads = _spread(self.positions[others], self.sums[others])
        spread = _spread(self.positions[state], self.sums[state])
        whole = _spread(
            self.positions[others] + self.positions[state], self.sums[others] + self.sums[state]
        )
        self.losses[np.minimum(others, state), np.maximum(others, state)] = np.maximum(
            whole - spreads - spread, 0.0
        )

    def automaton(self, view: View, begun: Automaton) -> Automaton:
        """The automaton of the states that are left; one that no path leads to keeps what the
        network predicts there."""
        left = np.flatnonzero(self.left)
        number = np.cumsum(self.left) - 1
        members = (np.flatnonzero(self.root == state) for state in left)
        heaviest = [one[self.begun[one].argmax()] for one in members]
        steps = self.root[begun.transitions[heaviest]]
        transitions = self.transitions[left]
        transitions = number[np.where(transitions == UNUSED, steps, transitions)]
        sums = np.where(self.positions[left, None] > 0, self.sums[left], view.probabilities[left])
        shares = sums / sums.sum(axis=1, keepdims=True)
        return view.automaton(
            transitions,
            shares.argmax(axis=1),
            start=int(number[self.root[begun.start]]),
            probabilities=None if view.distributions is None else shares,
        )


def _spread(
    positions: Float[np.ndarray, " L"] | float, sums: Float[np.ndarray, "*L C"]
) -> Float[np.ndarray, "*L"]:
    """−Σ_c s_c ln(s_c / m) of sums s of distributions at m positions: m times the entropy of their
    mean."""
    mean = sums / np.maximum(positions, 1.0)[..., None]
    logs = np.log(mean, out=np.zeros_like(mean), where=mean > 0)
    spread: Float[np.ndarray, "*L"] = -(sums * logs).sum(axis=-1)
    return spread
