"""Automata read off clusters of hidden states by the rules of the registry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lisor.clustering.clustering import Clustering
from lisor.errors import AutomatonError
from lisor.extraction.extraction import Extraction
from lisor.extraction.limits import SearchLimits
from lisor.extraction.probes import Probes
from lisor.extraction.transitions import Unseen
from lisor.extraction.view import View
from lisor.networks.hidden_states import Points
from lisor.networks.network import Network
from lisor.registry import PAPER_RULE, RULES, TARGETS, rules_of


def extract(view: View, rules: Sequence[str]) -> list[Extraction]:
    """The automaton of one clustering by each of some rules of the registry, in their order.

    Raises:
        AutomatonError: there is no rule of that name, it searches and there is nothing to draw
            words from, it needs steps from a hidden state alone and the network looks at more,
            or it is for classes and the network predicts something else."""
    for rule in rules:
        if rule not in RULES:
            raise AutomatonError(f"expected one of the rules {', '.join(RULES)}, got {rule!r}")
        if view.network.attends and RULES[rule].follows_states:
            raise AutomatonError(
                f"the rule {rule!r} follows a network from a hidden state alone, and "
                f"{view.network.name} looks at earlier ones too; use {PAPER_RULE}"
            )
        fitting = rules_of(view.network.target, reads_numbers=view.points.numbers is not None)
        if rule not in fitting:
            predicted = TARGETS[view.network.target].predicted
            raise AutomatonError(
                f"the rule {rule!r} is not for {view.network.name}, which reads "
                f"{'symbols' if view.points.numbers is None else 'numbers'} and predicts "
                f"{predicted}; use one of {', '.join(fitting)}"
            )
    return [RULES[rule](rule).extract(view) for rule in rules]


def extract_grid(
    network: Network,
    points: Points,
    clusterings: Iterable[Clustering],
    rules: Sequence[str],
    *,
    limits: SearchLimits,
    unseen: Unseen = "reject",
    probes: Probes | None = None,
) -> Iterator[Extraction]:
    """The automata of some clusterings by some rules of the registry, one after the other.

    A rule whose automaton keeps to the limit of states, but would begin with more, is left out."""
    for clustering in clusterings:
        view = View(
            network=network,
            points=points,
            clustering=clustering,
            unseen=unseen,
            probes=probes,
            limits=limits,
        )
        fitting = [
            name
            for name, rule in ((name, RULES[name]) for name in rules)
            if not rule.grows or rule.min_states(clustering.k) <= limits.most_states
        ]
        yield from extract(view, fitting)
