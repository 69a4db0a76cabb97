"""Probabilistic deterministic finite automata (PDFA): what an automaton with a distribution in each
state can do that others cannot.

Shapes: Q states, S symbols, C = S + 1 classes (the symbols, then the end), N sequences, L of them
that have not ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.errors import AutomatonError
from lisor.sequences import Sequences
from lisor.targets.next import END, following

MAX_LENGTH = 1000
"""Symbols of a sequence that is drawn, unless a bound is given."""


def make_pdfa(
    alphabet: Sequence[str],
    transitions: Int[np.ndarray, "Q S"],
    probabilities: Float[np.ndarray, "Q C"],
    start: int = 0,
) -> Automaton:
    """The automaton of these probabilities of each symbol and of the end in each state.

    Raises:
        AutomatonError: the tables do not fit, or a row of probabilities is none."""
    symbols, shares = Alphabet.of(alphabet), np.asarray(probabilities, np.float64)
    return Automaton(
        alphabet=symbols,
        classes=(*symbols, END),
        transitions=transitions,
        outputs=shares.argmax(axis=-1),
        start=start,
        target="next",
        probabilities=shares,
    )


def uniform_pdfa(automaton: Automaton, end: float) -> Automaton:
    """A PDFA whose words are those that an automaton of two classes accepts: an accepting state
    ends with the probability `end`, and symbols that can still lead to one are equally likely.

    An accepting state from which no symbol does ends for certain, and so does a state from which no
    word is accepted."""
    live = automaton.outputs == 1
    while (grown := live | live[automaton.transitions].any(axis=1)).sum() > live.sum():
        live = grown
    going_on = live[automaton.transitions].astype(np.float64)
    ends = np.where(automaton.outputs == 1, end, 0.0)
    ends[~going_on.any(axis=1)] = 1.0
    counts = np.maximum(going_on.sum(axis=1), 1)
    shares = np.column_stack([going_on * ((1 - ends) / counts)[:, None], ends])
    return make_pdfa(automaton.alphabet, automaton.transitions, shares, automaton.start)


def refitted(automaton: Automaton, sequences: Sequences, *, weight: float) -> Automaton:
    """The automaton with distributions estimated from sequences: how often each symbol, and the
    end, followed each state, with its own distribution counted as `weight` occurrences more.

    That is the mean of the posterior where the prior is a Dirichlet distribution around what was
    read off the network (MacKay & Peto, 1995, "A hierarchical Dirichlet language model").

    Raises:
        AutomatonError: it has no probabilities, or the weight is none."""
    if not 0 < weight < np.inf:
        raise AutomatonError(f"expected a weight above 0, got {weight}; 1 trusts sequences most")
    words = automaton.alphabet.reread(sequences)
    counts = weight * automaton.distributions
    states = automaton.prefix_states(words, automaton.trace(words))
    np.add.at(counts, (states, following(words, len(automaton.alphabet))), 1)
    shares = counts / counts.sum(axis=1, keepdims=True)
    return replace(automaton, probabilities=shares, outputs=shares.argmax(axis=1))


def sample(
    automaton: Automaton,
    count: int,
    rng: np.random.Generator,
    *,
    start: int | None = None,
    max_length: int = MAX_LENGTH,
) -> tuple[Sequences, Bool[np.ndarray, " N"]]:
    """N = `count` sequences drawn from the automaton, symbol by symbol until the end, and whether
    each has ended: those that have not after `max_length` symbols are cut there.

    They begin in the state `start`, the automaton's unless given.

    Raises:
        AutomatonError: it has no probabilities."""
    edges = np.cumsum(automaton.distributions, axis=1)
    edges /= edges[:, -1:]

    def draw(states: Int[np.ndarray, " L"]) -> Int[np.ndarray, " L"]:
        return np.asarray((edges[states] <= rng.random(len(states))[:, None]).sum(axis=1))

    states = np.full(count, automaton.start if start is None else start)
    return _until_end(automaton, states, draw, max_length)


def complete(
    automaton: Automaton, prefixes: Sequences, *, max_length: int = MAX_LENGTH
) -> tuple[Sequences, Bool[np.ndarray, " N"]]:
    """What the automaton holds most likely after each of N prefixes, symbol by symbol until the
    end (greedy decoding), and whether each has ended within `max_length` symbols.

    Of a tie between symbols the lower number is taken.

    Raises:
        AutomatonError: it has no probabilities."""
    most_likely = automaton.distributions.argmax(axis=1)
    states = automaton.run(prefixes)
    return _until_end(automaton, states, lambda states: most_likely[states], max_length)


def _until_end(
    automaton: Automaton,
    states: Int[np.ndarray, " N"],
    pick: Callable[[Int[np.ndarray, " L"]], Int[np.ndarray, " L"]],
    max_length: int,
) -> tuple[Sequences, Bool[np.ndarray, " N"]]:
    """The symbols that are picked from each of N states on, and which sequences have ended."""
    end, count, states = len(automaton.alphabet), len(states), states.copy()
    live, rows, drawn = np.arange(count), [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for _ in range(max_length):
        picked = pick(states[live])
        live, picked = live[picked < end], picked[picked < end]
        if not len(live):
            break
        rows.append(live)
        drawn.append(picked)
        states[live] = automaton.transitions[states[live], picked]
    row, ended = np.concatenate(rows), np.ones(count, bool)
    ended[live] = False
    lengths = np.bincount(row, minlength=count)
    words = Sequences(
        symbols=np.concatenate(drawn)[np.argsort(row, kind="stable")],
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
    )
    return words, ended
