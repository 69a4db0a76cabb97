"""One sequence, step by step: the automaton's states, what is predicted, attributions.

Shapes: T steps, E steps that are read where a prediction is explained."""

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
from lisor.explain.score import predictions_within
from lisor.networks.network import Differentiable, Network
from lisor.networks.trained import TrainedModel
from lisor.registry import TARGETS
from lisor.sequences import Sequences

METHOD = "integrated-gradients"
"""The method of attribution of `Steps`, where the network has gradients."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What a network and an automaton do at each step of a sequence of T symbols.

    What is explained is the prediction after `read` symbols: `explained` is the class, or which of
    the numbers, and `attributions` are those of the symbols read, by `method`. `states` are the
    automaton's, `network_values` what the network gives to the class explained, or the number: T+1
    of each, the start first, as are `outputs`, the automaton's classes, and `predictions`, the
    network's most likely ones, which are empty where numbers are predicted. `automaton_values` are
    those of an automaton with probabilities or numbers; of numbers it has none at the start.
    `attention` is the weight of each symbol read where attention pools the states, `looks` a row of
    weights for each step where it attends to earlier ones; else None. `known` says which symbols
    the network knows. `label` is what is true there, the class or the number, if that is known.
    `target` is the kind of what is predicted."""

    symbols: tuple[str, ...]
    known: tuple[bool, ...]
    states: tuple[int, ...]
    outputs: tuple[int, ...]
    predictions: tuple[int, ...]
    network_values: tuple[float, ...]
    attributions: tuple[float, ...]
    method: str
    explained: int
    target: str
    automaton_values: tuple[float | None, ...] | None = None
    attention: tuple[float, ...] | None = None
    looks: tuple[tuple[float, ...], ...] | None = None
    label: int | float | None = None

    @property
    def read(self) -> int:
        """How many symbols are read where the prediction is explained."""
        return len(self.attributions)

    @property
    def value(self) -> float:
        """What the network gives to what is explained, where it is."""
        return self.network_values[self.read]


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
    label: Sequence[float] | int | None = None,
    explained: int | None = None,
) -> Steps:
    """The steps of a single sequence; the prediction after `read` symbols, by default all, is
    explained, by gradients that go `through` the network if there are any, else by removal.

    `names` are its symbols as they were written, by default the alphabet's, `label` the class or
    the numbers that are true there. It is the score of the class, or number, `explained` that is
    attributed, by default of the most likely class, or the first number.

    Raises:
        DataError: there is no such position."""
    codes = sequence.symbols
    count = check_position(network.target, len(codes), read)
    prefix = sequence.cut(np.zeros(1, np.int64), np.array([count]))
    states = [automaton.start, *automaton.trace(sequence).tolist()]
    chosen = None if explained is None else np.array([explained], np.int32)
    if through is None:
        attributions = remove(network, prefix, explained=chosen)
    else:
        attributions = attribute(network, through, prefix, METHOD, explained=chosen)
    predicted = predictions_within(network, sequence)
    explained = int(attributions.explained[0])
    is_numeric = TARGETS[network.target].is_numeric
    looks = None
    if isinstance(network, TrainedModel) and network.attends:
        looks = tuple(map(tuple, attention_matrix(network, prefix).tolist()))
    return Steps(
        symbols=tuple(network.alphabet[code] for code in codes) if names is None else tuple(names),
        known=tuple(code != network.alphabet.unknown for code in codes.tolist()),
        states=tuple(states),
        outputs=() if is_numeric else tuple(automaton.outputs[states].tolist()),
        predictions=() if is_numeric else tuple(predicted.argmax(axis=1).tolist()),
        network_values=tuple(predicted[:, explained].tolist()),
        attributions=tuple(attributions.values.tolist()),
        method=attributions.method,
        explained=explained,
        target=network.target,
        automaton_values=_automaton_values(automaton, sequence, states, explained),
        attention=_attention(network, prefix),
        looks=looks,
        label=label[explained] if isinstance(label, Sequence) else label,
    )


def _automaton_values(
    automaton: Automaton, sequence: Sequences, states: list[int], explained: int
) -> tuple[float | None, ...] | None:
    """The probability of what is explained, or the number, at the start and after each symbol."""
    if automaton.probabilities is not None:
        return tuple(automaton.probabilities[states, explained].tolist())
    if automaton.values is None:
        return None
    if TARGETS[automaton.target].predicts_once:
        lengths = 1 + np.arange(len(sequence.symbols))
        sequence = sequence.cut(np.zeros_like(lengths), lengths)
    numbers = automaton.numbers_at(sequence, automaton.trace(sequence))
    return (None, *numbers[:, explained].tolist())


def _attention(network: Network, prefix: Sequences) -> tuple[float, ...] | None:
    """The weight of each symbol where attention pools the states."""
    try:
        (weights,) = network.attention(prefix)
    except ModelError:
        return None
    return tuple(weights.tolist())
