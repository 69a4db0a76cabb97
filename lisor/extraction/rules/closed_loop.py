"""Transitions that are right where the automaton itself goes.

Shapes: P points, Q = K + 1 states (the start first), S symbols, F features in which states are
compared, C classes or numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lisor.extraction.rule import Rule
from lisor.registry import TARGETS

if TYPE_CHECKING:
    from jaxtyping import Int

    from lisor.automata.automaton import Automaton
    from lisor.extraction.extraction import Extraction
    from lisor.extraction.view import View

ROUNDS = 20
"""In which transitions are corrected; after them they repeat or hardly change."""


class ClosedLoop(Rule):
    """Begins with the network's own steps, as the rule "dynamics" does, and corrects each
    transition by the hidden states that the network has where the automaton itself takes it.

    An automaton is not always in the state whose center is nearest to the network's: small errors
    add up, and transitions that are right from the centers lead on from wrong states. So its states
    along the validation sequences are compared with the network's, each transition then leads to
    the center nearest to the mean of the hidden states after it, and so on, as imitation is learned
    where the learner itself goes (Ross, Gordon & Bagnell, 2011, "A reduction of imitation learning
    and structured prediction to no-regret online learning"). Of all rounds the automaton is kept
    that agrees most with the network on these sequences."""

    def extract(self, view: View) -> Extraction:
        """The automaton of the best round."""
        from lisor.extraction.dynamics import nearest
        from lisor.extraction.transitions import means_after

        if not len(view.points.symbol):
            automaton = view.automaton(view.center_transitions, view.outputs)
            return view.extraction(self.name, automaton)
        points, comparison = view.points, view.comparison
        features = comparison.feature_map(np.concatenate(points.parts(), axis=1))
        transitions = view.center_transitions
        best, least, tried = None, np.inf, set[bytes]()
        for _ in range(ROUNDS):
            tried.add(transitions.tobytes())
            automaton = view.automaton(transitions, view.outputs)
            before, after = view.states_on_points(automaton)
            loss = _loss(view, automaton, before, after)
            if best is None or loss < least:
                best, least = automaton, loss
            means, counts = means_after(features, before, points.symbol, transitions.shape)
            seen = counts[..., 0] > 0
            transitions = transitions.copy()
            transitions[seen] = (
                nearest(means[seen].astype(features.dtype), comparison.centers)[0] + 1
            )
            if transitions.tobytes() in tried:
                break
        if best is None:
            raise AssertionError("there is a round")
        return view.extraction(self.name, best)


def _loss(
    view: View,
    automaton: Automaton,
    before: Int[np.ndarray, " P"],
    after: Int[np.ndarray, " P"],
) -> float:
    """How far the automaton is from the network where it goes: the share of classes that differ,
    the mean divergence of distributions, or the mean squared error of numbers."""
    from lisor.automata.distributions import divergence

    if automaton.values is not None:
        predicted = automaton.values[before, view.points.symbol]
        apart = (predicted - view.read_out) / np.maximum(view.read_out.std(axis=0), 1e-12)
        return float(np.square(apart).mean())
    if TARGETS[view.network.target].is_distribution:
        return float(divergence(view.read_out, automaton.distributions[after]).mean())
    return float((automaton.outputs[after] != view.read_out.argmax(axis=1)).mean())
