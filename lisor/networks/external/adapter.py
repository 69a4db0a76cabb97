"""Networks that were made elsewhere, as automata are read off them.

Shapes: N states or sequences, M other states, H numbers of a part of a state, S symbols, C classes,
B sequences of a batch, T steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lisor.alphabet import Alphabet
from lisor.automata.automaton import CLASSES
from lisor.errors import ModelError, one_line
from lisor.networks.batches import length_batches
from lisor.networks.cells.cell import State
from lisor.networks.external.calls import SHOWN
from lisor.networks.network import ForwardPass, Network, States, check_finite
from lisor.randomness import stream
from lisor.sequences import Sequences

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

    def predict(self, sequences: Sequences) -> Float[np.ndarray, "N C"]:
        """The probability of each class for each sequence."""
        return self.predict_from(self._begin(len(sequences)), sequences)

    def predict_from(self, states: States, sequences: Sequences) -> Float[np.ndarray, "N C"]:
        """The probability of each class after each sequence is read from a state of its own."""
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
        """Every state that a batch leaves, the initial one first, and the class probabilities."""
        begin = self._begin(symbols.shape[1])
        steps = list(self._run(begin, symbols[0].numpy(), lengths[0].numpy()))
        states = tuple(torch.from_numpy(np.stack(part)) for part in zip(*steps, strict=True))
        return ForwardPass(states, torch.from_numpy(self.probabilities(steps[-1][0]))[:, None])

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


class Reading:
    """How what a network puts out is read as probabilities of classes.

    One number for a sequence is that of the second of two classes: a probability if all that are
    `seen`, and those read out at `extreme` states that no word leads to, lie from 0 to 1, and else
    a logit. Rows that are probabilities in the same sense are taken as such; others are logits or
    log-probabilities.

    Raises:
        ModelError: `seen` is not one number or one row of numbers for each sequence, or not as many
            as `classes`."""

    def __init__(
        self,
        seen: Float[np.ndarray, "N C"],
        extreme: Float[np.ndarray, "M C"],
        classes: Sequence[str] | None,
    ) -> None:
        count = max(2, seen.shape[1])
        usual = CLASSES if count == 2 else tuple(map(str, range(count)))
        self.classes = usual if classes is None else tuple(classes)
        if len(self.classes) != count or len(set(self.classes)) < count:
            given = one_line(", ".join(map(str, self.classes)), SHOWN)
            raise ModelError(
                f"expected {count} different names, as many as the network has classes, got {given}"
            )
        check_finite("answers", seen)
        raw = np.concatenate([seen, extreme])
        shares = bool(((raw >= 0) & (raw <= 1)).all())
        self._convert: Callable[[Any], Any]
        if seen.shape[1] == 1:
            self._convert = _pair if shares else lambda raw: _pair(1 / (1 + np.exp(-raw)))
        elif shares and np.allclose(raw.sum(axis=1), 1, atol=1e-4):
            self._convert = lambda raw: raw
        else:
            self._convert = _softmax

    def __call__(self, raw: Float[np.ndarray, "N C"]) -> Float[np.ndarray, "N C"]:
        """The probability of each class."""
        with np.errstate(over="ignore"):
            probabilities: Float[np.ndarray, "N C"] = self._convert(raw.astype(np.float64))
        probabilities = probabilities.astype(np.float32)
        check_finite("answers", probabilities)
        return probabilities


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


def agree(
    rows: Float[np.ndarray, "N Z"], other: Float[np.ndarray, "N Z"], rounding: float = 1e-3
) -> Bool[np.ndarray, " N"]:
    """Which rows are the same but for a share that `rounding` may change; a NaN is like nothing."""
    allowed = rounding * (0.1 * (1 + np.abs(rows).max()) + np.abs(rows))
    near: Bool[np.ndarray, " N"] = np.less_equal(np.abs(rows - other), allowed).all(axis=1)
    return near


def _pair(accepted: Float[np.ndarray, "N 1"]) -> Float[np.ndarray, "N 2"]:
    return np.concatenate([1 - accepted, accepted], axis=1)


def _softmax(raw: Float[np.ndarray, "N C"]) -> Float[np.ndarray, "N C"]:
    exponentials = np.exp(raw - raw.max(axis=1, keepdims=True))
    shares: Float[np.ndarray, "N C"] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares
