"""Networks that were made elsewhere, as automata are read off them.

Shapes: N states or sequences, M positions, H numbers of a part of a state, S symbols, C classes
or numbers, B sequences of a batch, T steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lisor.alphabet import Alphabet
from lisor.errors import ModelError
from lisor.networks.batches import length_batches
from lisor.networks.cells.cell import State
from lisor.networks.network import (
    AT_ONCE,
    Differentiable,
    ForwardPass,
    Network,
    States,
)
from lisor.randomness import stream
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from lisor.targets.positions import Positions

MAX_STATE = 1 << 16
"""Numbers of a state: more than any network needs that an automaton stands in for."""

MAX_STEPPED = 1 << 28
"""Numbers of the states after every symbol, which are held at once."""

MAX_BATCH = 1 << 12
"""States that are stepped at once."""

CHECKED_WORDS, CHECKED_LENGTHS = 24, (1, 2, 3, 6, 12)
"""Random words of each length on which an adapter is compared with what it adapts."""


def check_guessed(network: Network) -> None:
    """Raises ModelError where the order of an alphabet is a guess and the network knows more
    symbols than it has.

    Names that are the numbers from 0 up are no guess."""
    known = getattr(network, "known_symbols", None) or 0
    occurring = len(network.alphabet)
    if known > occurring and network.alphabet.symbols != tuple(map(str, range(occurring))):
        raise ModelError(
            f"expected the {known:,} symbols that {network.name} has vectors of, found "
            f"{occurring:,} in the sequences; name all in the network's order as its alphabet "
            "(--alphabet)"
        )


def check_state_size(name: str, size: int) -> None:
    """Raises ModelError where a state has more numbers than any that an automaton stands in for."""
    if size > MAX_STATE:
        raise ModelError(
            f"expected states of at most {MAX_STATE:,} numbers from {name}, got {size:,}"
        )


def check_size(network: Adapter) -> None:
    """Raises ModelError where a network has more states or symbols than can be held side by
    side."""
    size, symbols = sum(network.sizes), len(network.alphabet)
    check_state_size(network.name, size)
    if size * symbols > MAX_STEPPED:
        raise ModelError(
            f"expected at most {MAX_STEPPED // size:,} symbols for states of {size:,} numbers of "
            f"{network.name}, got {symbols:,}; use a smaller alphabet"
        )


class Adapter(ABC):
    """A network known by its initial state, its step and its read-out, for many states at a time.

    `initial` holds the parts of the initial state, each of shape [1, H]."""

    target = "class"
    attends = False
    reads_empty = True
    at_once = AT_ONCE
    known_symbols: int | None = None
    """How many symbols it has vectors of, where that is known."""
    device = torch.device("cpu")
    parts: tuple[str, ...] = ("state",)
    layers: tuple[str, ...]
    name: str
    alphabet: Alphabet
    classes: tuple[str, ...]
    initial: States

    @abstractmethod
    def advance(self, states: States, symbols: Int[np.ndarray, " N"]) -> States:
        """The state after one more symbol for each of N states."""

    @abstractmethod
    def probabilities(self, hidden: Float[np.ndarray, "N H"]) -> Float[np.ndarray, "N C"]:
        """The probability of each class that is read out at hidden states."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of each part of a state, H."""
        return tuple(part.shape[1] for part in self.initial)

    @property
    def units(self) -> int:
        """All numbers of the first part, what is pooled included."""
        return self.sizes[0]

    def initial_state(self) -> State:
        """The state before the first symbol, each part of shape [1, 1, H]."""
        return tuple(torch.from_numpy(part.copy())[None] for part in self.initial)

    def step(self, state: State, symbol: int) -> State:
        """The state after one more symbol."""
        after = self.advance(tuple(part[0].numpy() for part in state), np.array([symbol]))
        return tuple(torch.from_numpy(part)[None] for part in after)

    def is_accepting(self, state: State) -> bool:
        """Whether the network predicts class 1 in a state."""
        return int(self.probabilities(state[0][0].numpy())[0].argmax()) == 1

    def successors(self, states: States) -> Iterator[Float[np.ndarray, "S Z"]]:
        """For each of N states, the whole state after every symbol."""
        count, symbols = len(states[0]), len(self.alphabet)
        rows = max(1, MAX_BATCH // symbols)
        for start in range(0, count, rows):
            part_of = [part[start : start + rows] for part in states]
            before = tuple(np.repeat(part, symbols, axis=0) for part in part_of)
            read = np.tile(np.arange(symbols), len(part_of[0]))
            yield from np.concatenate(self.advance(before, read), axis=1).reshape(
                len(part_of[0]), symbols, -1
            )

    def predict(self, sequences: Sequences) -> Float[np.ndarray, "M C"]:
        """The probability of each class, or the numbers, at each of the M positions."""
        kind = TARGETS[self.target]
        if kind.predicts_once:
            return self.predict_from(self._begin(len(sequences)), sequences)
        positions = Positions.of(sequences, self.target)
        predicted = np.empty((positions.count, len(self.classes)), np.float32)
        for rows, symbols, lengths in length_batches(sequences, self.device):
            begin = self._begin(len(rows))
            steps = [*self._run(begin, symbols[0].numpy(), lengths[0].numpy())]
            hidden = np.stack([step[0] for step in steps[not kind.reads_empty :]], axis=1)
            read_out = self.probabilities(hidden.reshape(-1, hidden.shape[-1]))
            positions.fill(predicted, rows, read_out.reshape(*hidden.shape[:2], -1))
        return predicted

    def predict_from(self, states: States, sequences: Sequences) -> Float[np.ndarray, "N C"]:
        """The probability of each class after each sequence is read from a state of its own, or
        after a single sequence is read from each of the states."""
        if len(sequences) == 1:
            sequences = sequences.select(np.zeros(len(states[0]), int))
        probabilities = np.empty((len(sequences), len(self.classes)), np.float32)
        for rows, symbols, lengths in length_batches(sequences, self.device):
            *_, last = self._run(
                tuple(part[rows] for part in states), symbols[0].numpy(), lengths[0].numpy()
            )
            probabilities[rows] = self.probabilities(last[0])
        return probabilities

    def forward_pass(
        self, symbols: Int[Tensor, "1 B T"], lengths: Int[Tensor, "1 B"]
    ) -> ForwardPass:
        """Every state that a batch leaves, the initial one first, and what is predicted at its
        positions."""
        read, ends = symbols[0].numpy(), lengths[0].numpy()
        steps = self._run(self._begin(len(read)), read, ends)
        states = tuple(torch.from_numpy(np.stack(part)) for part in zip(*steps, strict=True))
        words = Sequences.from_lists([row[:end] for row, end in zip(read, ends, strict=True)])
        mask = Positions.of(words, self.target).mask(np.arange(len(words)))
        predicted = np.zeros((*mask.shape, len(self.classes)), np.float32)
        predicted[mask] = self.predict(words)
        return ForwardPass(states, torch.from_numpy(predicted))

    def differentiable(self) -> Differentiable:
        """The network as gradients go back through it.

        Raises:
            ModelError: there are none through what is no torch module."""
        raise ModelError(f"{self.name} is no torch module, through which gradients could go back")

    def attention(self, sequences: Sequences) -> list[Float[np.ndarray, " T"]]:
        """The attention weight of each symbol of each sequence.

        Raises:
            ModelError: there is no attention."""
        raise ModelError(f"{self.name} has no attention over its steps")

    def _begin(self, count: int) -> States:
        return tuple(np.repeat(part, count, axis=0) for part in self.initial)

    def _run(
        self, states: States, symbols: Int[np.ndarray, "B T"], lengths: Int[np.ndarray, " B"]
    ) -> Iterator[States]:
        """The states given, then those after each symbol; a sequence that has ended stays in its
        last one."""
        yield states
        for step in range(symbols.shape[1]):
            rows = np.flatnonzero(lengths > step)
            moved = self.advance(tuple(part[rows] for part in states), symbols[rows, step])
            states = tuple(part.copy() for part in states)
            for part, after in zip(states, moved, strict=True):
                part[rows] = after
            yield states


def check_words(symbols: int) -> list[Int[np.ndarray, "N T"]]:
    """Random words of each of some lengths."""
    rng = stream(0, "words that check a network")
    return [rng.integers(symbols, size=(CHECKED_WORDS, length)) for length in CHECKED_LENGTHS]


def as_rows(raw: object, count: int) -> Float[np.ndarray, "N C"]:
    """What a network puts out for `count` sequences, as a row for each.

    Raises:
        ModelError: it is neither one number nor one row for each sequence."""
    array = np.asarray(raw, np.float32)
    if array.shape[:1] != (count,) or array.ndim > 2 or array.size == 0:
        raise ModelError(
            f"expected one number or one row of class scores for each of {count} sequences, got "
            f"numbers of shape {list(array.shape)}; a network that answers at every step should "
            "return the answer of the last one"
        )
    return array.reshape(count, -1)
