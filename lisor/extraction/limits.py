"""How far a search for an automaton goes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SearchLimits:
    """The limits of a search: the states to which its automaton grows, the symbols that the network
    reads for it (as many as it takes where `steps` is None), and the seed of what is drawn.

    Limits are counted in moves or steps of the network, never in seconds, so that two computers
    agree."""

    most_states: int = 64
    steps: int | None = None
    seed: int = 0
