"""Which automaton is chosen, by how faithful it is on the selection split."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lisor.automata import distributions
from lisor.automata.automaton import CLASSES
from lisor.errors import DataError
from lisor.registry import TARGETS

SELECTION = "selection"
"""The split on which k, rule and method are chosen: nothing is fitted to it, and it is not
reported."""

TOLERANCE = 0.005
"""Of what is no language a smaller automaton is preferred to one that is at most this much more
faithful, by fidelity or R²."""


def default_tolerance(classes: Sequence[str], target: str) -> float:
    """How much merit a smaller automaton may cost: none where a language can be met exactly."""
    if TARGETS[target].is_distribution:
        return distributions.TOLERANCE
    return 0.0 if tuple(classes) == CLASSES else TOLERANCE


def merit(evaluations: pd.DataFrame) -> pd.Series:
    """What automata are chosen by: fidelity, for distributions how little the network's diverge
    from theirs, and for numbers the R² of the network's by theirs."""
    nats, numbers, fidelity = (
        evaluations[name].astype(float) for name in ("divergence", "r2_network", "fidelity")
    )
    return (-nats).where(nats.notna(), numbers.where(numbers.notna(), fidelity))


def choose(
    evaluations: pd.DataFrame, *, tolerance: float, most_states: int | None = None
) -> pd.DataFrame:
    """The evaluations of one network's automata, marked `chosen` and `selected`, without the
    selection split, in the order of method, rule, k and test set.

    Of each (method, rule) the chosen k is the smallest whose merit on the selection split is within
    `tolerance` of the highest. Over all deterministic ones the selected automaton is, among
    those within `tolerance` of the highest, the one with the fewest states, then the smallest k.
    Neither looks at any other split, nor at automata of more than `most_states` states.

    Raises:
        DataError: there is no deterministic automaton, or none of so few states."""
    candidates = evaluations[evaluations["test_set"] == SELECTION].sort_values(
        ["k", "n_states"], kind="stable"
    )
    if most_states is not None:
        candidates = candidates[candidates["n_states"] <= most_states]
    candidates = candidates.assign(merit=merit(candidates))
    family = ["method", "rule"]
    allowed = tolerance + 1e-9  # rounding must not decide a tie
    best = candidates.groupby(family)["merit"].transform("max")
    chosen = candidates[candidates["merit"] >= best - allowed].drop_duplicates(family)
    deterministic = candidates[candidates["deterministic"]]
    if not len(deterministic) and most_states is None:
        raise DataError(
            "there is no deterministic automaton: list another of extraction.rules, or lower "
            "clustering.k"
        )
    if not len(deterministic):
        raise DataError(
            f"no automaton has at most {most_states} states: lower clustering.k or raise "
            f"most_states"
        )
    near = deterministic[deterministic["merit"] >= deterministic["merit"].max() - allowed]
    selected = near.sort_values(["n_states", "k", *family], kind="stable").iloc[:1]
    identity = [*family, "k"]
    reported = evaluations[evaluations["test_set"] != SELECTION]
    reported = reported.sort_values([*identity, "test_set"], kind="stable", ignore_index=True)
    keys = pd.MultiIndex.from_frame(reported[identity])
    return reported.assign(
        chosen=keys.isin(pd.MultiIndex.from_frame(chosen[identity])),
        selected=keys.isin(pd.MultiIndex.from_frame(selected[identity])),
    )


def apart(evaluations: pd.DataFrame) -> pd.DataFrame:
    """The evaluations of automata that take no part in the choice, without the selection split."""
    reported = evaluations[evaluations["test_set"] != SELECTION]
    return reported.assign(chosen=False, selected=False)
