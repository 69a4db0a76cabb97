"""One sequence, step by step: the automaton's states, class probabilities, attributions.

Shapes: T steps, C classes, E steps that are read where a prediction is explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.errors import DataError, ModelError
from lisor.explain.attention import attention_matrix
from lisor.explain.gradients import attribute
from lisor.explain.removal import remove
from lisor.explain.score import probabilities_within
from lisor.networks.network import Differentiable, Network
from lisor.networks.trained import TrainedModel
from lisor.registry import TARGETS
from lisor.sequences import Sequences

METHOD = "integrated-gradients"
"""The method of attribution of `Steps`, where the network has gradients."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What a network and an automaton do at each step of a sequence of T symbols.

    What is explained is the prediction after `read` symbols: `explained` is the class predicted
    there, and `attributions` are those of the symbols read, by `method`. `states` and `outputs` are
    the automaton's, `predictions` the network's most likely classes, `probabilities` what the
    network gives to the class explained: T+1 of each, the start first. `automaton_probabilities`
    are the same of an automaton that has some. `attention` is the weight of each symbol read where
    attention pools the states, `looks` a row of weights for each step where it attends to earlier
    ones; else None. `known` says which symbols the network knows. `label` is the true class there
    if there is one. `target` is the kind of what is predicted."""

    symbols: tuple[str, ...]
    known: tuple[bool, ...]
    states: tuple[int, ...]
    outputs: tuple[int, ...]
    predictions: tuple[int, ...]
    probabilities: tuple[float, ...]
    attributions: tuple[float, ...]
    method: str
    explained: int
    target: str
    automaton_probabilities: tuple[float, ...] | None = None
    attention: tuple[float, ...] | None = None
    looks: tuple[tuple[float, ...], ...] | None = None
    label: int | None = None

    @property
    def read(self) -> int:
        """How many symbols are read where the prediction is explained."""
        return len(self.attributions)

    @property
    def probability(self) -> float:
        """What the network gives to the class explained, where it is."""
        return self.probabilities[self.read]


def read_raw(alphabet: Alphabet, raw: str) -> tuple[list[str], Sequences]:
    """The symbols of raw input as they are written, and the sequence.

    Raises:
        DataError: it is empty or cannot be read, or none of its symbols is known."""
    if not raw.strip():
        raise DataError("there is nothing to explain: expected a sequence, got an empty one")
    names = alphabet.cut(raw)
    sequence = alphabet.read([raw]) if alphabet.quantizer is not None else alphabet.encode([names])
    if not len(sequence.symbols):
        raise DataError("there is nothing to explain: expected a sequence, got an empty one")
    if alphabet.unknown is not None and (sequence.symbols == alphabet.unknown).all():
        raise DataError(
            f"the network knows none of the words ({', '.join(names[:5])}); give a text that it "
            "can read"
        )
    return names, sequence


def check_position(target: str, length: int, read: int | None) -> int:
    """How many symbols are read at the position that is explained: all unless it is named.

    Raises:
        DataError: there is no such position, or it has read nothing."""
    if read is None:
        return length
    if TARGETS[target].predicts_once and read != length:
        raise DataError(
            f"expected no position, since there is one prediction for a {TARGETS[target].position},"
            f" got {read}; leave it out"
        )
    if not 1 <= read <= length:
        raise DataError(f"expected a position from 1 to {length}, got {read}")
    return read


def differentiable(network: Network) -> tuple[Differentiable | None, str]:
    """A network as gradients go back through it; or None, and a sentence on why there are none."""
    try:
        return network.differentiable(), ""
    except ModelError as error:
        return None, f"Gradients: {error}. Attributions are by removal in their place."


def read_steps(
    network: Network,
    through: Differentiable | None,
    automaton: Automaton,
    sequence: Sequences,
    *,
    read: int | None = None,
    names: Sequence[str] | None = None,
    label: int | None = None,
) -> Steps:
    """The steps of a single sequence; the prediction after `read` symbols, by default all, is
    explained, by gradients that go `through` the network if there are any, else by removal.

    `names` are its symbols as they were written, by default the alphabet's.

    Raises:
        DataError: there is no such position."""
    codes = sequence.symbols
    count = check_position(network.target, len(codes), read)
    prefix = sequence.cut(np.zeros(1, np.int64), np.array([count]))
    states = [automaton.start, *automaton.trace(sequence).tolist()]
    if through is None:
        attributions = remove(network, prefix)
    else:
        attributions = attribute(network, through, prefix, METHOD)
    probabilities = probabilities_within(network, sequence)
    explained = int(attributions.explained[0])
    shares = automaton.probabilities
    looks = None
    if isinstance(network, TrainedModel) and network.attends:
        looks = tuple(map(tuple, attention_matrix(network, prefix).tolist()))
    return Steps(
        symbols=tuple(network.alphabet[code] for code in codes) if names is None else tuple(names),
        known=tuple(code != network.alphabet.unknown for code in codes.tolist()),
        states=tuple(states),
        outputs=tuple(automaton.outputs[states].tolist()),
        predictions=tuple(probabilities.argmax(axis=1).tolist()),
        probabilities=tuple(probabilities[:, explained].tolist()),
        attributions=tuple(attributions.values.tolist()),
        method=attributions.method,
        explained=explained,
        target=network.target,
        automaton_probabilities=None
        if shares is None
        else tuple(shares[states, explained].tolist()),
        attention=_attention(network, prefix),
        looks=looks,
        label=label,
    )


def _attention(network: Network, prefix: Sequences) -> tuple[float, ...] | None:
    """The weight of each symbol where attention pools the states."""
    try:
        (weights,) = network.attention(prefix)
    except ModelError:
        return None
    return tuple(weights.tolist())
