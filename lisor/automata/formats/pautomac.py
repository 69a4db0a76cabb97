"""Probabilistic automata as the PAutomaC competition keeps them (Verwer et al., 2014, "PAutomaC: a
probabilistic automata and hidden Markov models learning competition").

Four lists: `I` the probability that a state is the first, `F` that a sequence ends in a state, `S`
of a symbol where it does not end, `T` of the next state. Symbols are numbers from 0."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from lisor.automata.automaton import ROUNDING, Automaton
from lisor.automata.pdfa import make_pdfa
from lisor.errors import AutomatonError, show

_HEADS = {"I": "(state)", "F": "(state)", "S": "(state,symbol)", "T": "(state,symbol,state)"}

_ENTRY = re.compile(r"\(\s*(\d+(?:\s*,\s*\d+)*)\s*\)\s+(\S+)$")

MAX_NUMBER = 1_000_000
"""Of a state or a symbol."""


def to_pautomac(automaton: Automaton) -> str:
    """The lists of an automaton whose symbols are numbered in their order.

    Raises:
        AutomatonError: it has no probabilities."""
    shares = automaton.distributions
    ends = shares[:, -1]
    going_on = np.where(ends < 1, 1 - ends, 1)
    lists: dict[str, list[str]] = {"I": [_entry(automaton.start, share=1.0)], "F": []}
    lists |= {"S": [], "T": []}
    for state in range(automaton.n_states):
        if ends[state] > 0:
            lists["F"].append(_entry(state, share=ends[state]))
        for symbol in np.flatnonzero(shares[state, :-1]).tolist():
            share = min(1.0, shares[state, symbol] / going_on[state])
            target = int(automaton.transitions[state, symbol])
            lists["S"].append(_entry(state, symbol, share=share))
            lists["T"].append(_entry(state, symbol, target, share=1.0))
    return "\n".join(
        line for name, entries in lists.items() for line in (f"{name}: {_HEADS[name]}", *entries)
    )


def read_pautomac(text: str) -> Automaton:
    """The automaton of four lists; a symbol that cannot come leads nowhere else.

    Raises:
        AutomatonError: the text holds no such lists, an automaton that is not deterministic, or
            shares that are no probabilities."""
    lists: dict[str, dict[tuple[int, ...], float]] = {name: {} for name in _HEADS}
    for name, numbers, share in _entries(text):
        lists[name][numbers] = share
    first = [state for (state,), share in lists["I"].items() if share > 0]
    if len(first) != 1:
        raise AutomatonError(f"expected one state under I that is the first, found {len(first)}")
    used = [*lists["F"], *(pair[:1] for pair in lists["S"]), *((t[2],) for t in lists["T"])]
    states = 1 + max(first[0], *(number for (number,) in used), 0)
    symbols = 1 + max((symbol for _, symbol in lists["S"]), default=-1)
    if not symbols:
        raise AutomatonError("expected symbols with their probabilities under S, found none")
    transitions = np.tile(np.arange(states)[:, None], (1, symbols))
    shares = np.zeros((states, symbols + 1))
    for (state,), share in lists["F"].items():
        shares[state, -1] = share
    for (state, symbol), share in lists["S"].items():
        shares[state, symbol] = share * (1 - shares[state, -1])
    for (state, symbol, target), share in lists["T"].items():
        if abs(share - 1) > ROUNDING:
            raise AutomatonError(
                f"expected one next state of each state and symbol, found several of state {state} "
                f"and symbol {symbol}: the automaton is not deterministic"
            )
        transitions[state, symbol] = target
    return make_pdfa(tuple(map(str, range(symbols))), transitions, shares, first[0])


def _entry(*numbers: int, share: float) -> str:
    return f"\t({','.join(map(str, numbers))}) {float(share)!r}"


def _entries(text: str) -> Iterator[tuple[str, tuple[int, ...], float]]:
    name = ""
    for row, line in enumerate(text.splitlines(), 1):
        head = line.strip().partition(":")
        if head[1] and head[0] in _HEADS:
            name = head[0]
            continue
        if not line.strip():
            continue
        match = _ENTRY.match(line.strip())
        try:
            numbers = tuple(map(int, match[1].split(","))) if match else ()
            share = float(match[2]) if match else -1.0
        except ValueError:
            numbers, share = (), -1.0
        fits = name and len(numbers) == _HEADS[name].count(",") + 1
        if not fits or max(numbers) > MAX_NUMBER or not 0 <= share <= 1:
            raise AutomatonError(
                f"expected lists I, F, S and T of PAutomaC with entries such as "
                f"'({'0,1' if name == 'S' else '0'}) 0.5', got {show(line.strip())} in line {row}"
            )
        yield name, numbers, share
