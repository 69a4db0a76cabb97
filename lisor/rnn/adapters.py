"""Networks that were made elsewhere, as automata are read off them.

Shapes: N states or sequences, M other states, H numbers of a part of a state, S symbols, C classes, B sequences of a
batch, T steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lisor.data.quantizer import Quantizer
from lisor.data.sequences import Sequences
from lisor.errors import ModelError, one_line
from lisor.fsa.automaton import CLASSES
from lisor.randomness import stream
from lisor.rnn.cells import State
from lisor.rnn.classifier import TrainedModel, length_batches
from lisor.rnn.foreign import SHOWN
from lisor.rnn.network import Network, States, Visit

MAX_STATE = 1 << 16
"""Numbers of a state: more than any network needs that an automaton stands in for."""

MAX_STEPPED = 1 << 28
"""Numbers of the states after every symbol, which are held at once."""

CHECKED_WORDS, CHECKED_LENGTHS = 24, (1, 2, 3, 6, 12)
"""Random words of each length on which an adapter is held against what it adapts."""


def adapt(network: object, vocabulary: Sequence[str], classes: Sequence[str] | None = None) -> Network:
    """A network as extraction needs it; one that is so already is returned as it is.

    An object with `initial_state()`, `step(state, symbol)` and `scores(state)` or `is_accepting(state)` is stepped; of
    any other torch module the one torch.nn.RNN, GRU or LSTM inside it is. Symbols are handed over by their places in
    `vocabulary`. `classes` are named "reject" and "accept", or by their numbers, unless given.

    Raises:
        ModelError: it is neither, its answers do not follow from its state, or it names other symbols or classes."""
    from lisor.rnn.modules import ModuleNetwork
    from lisor.rnn.stepped import SteppedNetwork

    if isinstance(network, TrainedModel | Adapter):
        if tuple(vocabulary) != network.vocabulary:
            raise ModelError(
                f"expected the network's {len(network.vocabulary)} symbols, got {len(vocabulary)} or in another order; "
                "give the alphabet it was trained on"
            )
        if classes is not None and tuple(classes) != network.classes:
            own, given = (one_line(", ".join(map(str, names)), SHOWN) for names in (network.classes, classes))
            raise ModelError(f"expected the network's own classes {own}, got {given}; leave them out")
        return network
    answers = any(callable(getattr(network, name, None)) for name in ("scores", "is_accepting"))
    is_object = not isinstance(network, type)  # a class has its objects' methods, but no state
    if is_object and answers and all(callable(getattr(network, name, None)) for name in ("initial_state", "step")):
        return SteppedNetwork(network, vocabulary, classes)
    if isinstance(network, nn.Module):
        return ModuleNetwork(network, vocabulary, classes)
    found = f"got {one_line(getattr(network, '__name__', type(network).__name__), SHOWN)}"
    if isinstance(network, type):
        found += ", a class: call it first"
    elif callable(network):
        found += ", a function: automata are read off states, not off answers alone"
    raise ModelError(
        "expected a torch module with one recurrent layer, or an object with initial_state(), step(state, symbol) and "
        f"is_accepting(state) or scores(state), {found}"
    )


def check_guessed(network: Network) -> None:
    """Raises ModelError where the order of an alphabet is a guess and the network knows more symbols than it has.

    Names that are the numbers from 0 up are no guess."""
    known = network.known_symbols if isinstance(network, Adapter) else None
    occurring = len(network.vocabulary)
    if known is None or known <= occurring or network.vocabulary == tuple(map(str, range(occurring))):
        return
    raise ModelError(
        f"expected the {known:,} symbols that {network.name} has vectors of, found {occurring:,} in the sequences; "
        "name all in the network's order as its alphabet (--alphabet)"
    )


def check_state_size(name: str, size: int) -> None:
    """Raises ModelError where a state has more numbers than any that an automaton stands in for."""
    if size > MAX_STATE:
        raise ModelError(f"expected states of at most {MAX_STATE:,} numbers from {name}, got {size:,}")


def check_size(network: Adapter) -> None:
    """Raises ModelError where a network has more states or symbols than can be held side by side."""
    size, symbols = network.state_size, len(network.vocabulary)
    check_state_size(network.name, size)
    if size * symbols > MAX_STEPPED:
        raise ModelError(
            f"expected at most {MAX_STEPPED // size:,} symbols for states of {size:,} numbers of {network.name}, "
            f"got {symbols:,}; use a smaller alphabet"
        )


class Adapter(ABC):
    """A network known by its initial state, its step and its read-out, for many states at a time.

    `initial` holds the parts of the initial state, each of shape [1, H]."""

    unknown: int | None = None
    tokenizer: str | None = None
    quantizer: Quantizer | None = None
    attends = False
    reads_empty = True
    known_symbols: int | None = None
    """How many symbols it has vectors of, where that is known."""
    device = torch.device("cpu")
    parts: tuple[str, ...] = ("state",)
    layers: tuple[str, ...]
    name: str
    vocabulary: tuple[str, ...]
    classes: tuple[str, ...]
    initial: States

    @abstractmethod
    def advance(self, states: States, symbols: Int[np.ndarray, " N"]) -> States:
        """The state after one more symbol for each of N states."""

    @abstractmethod
    def probabilities(self, hidden: Float[np.ndarray, "N H"]) -> Float[np.ndarray, "N C"]:
        """The probability of each class that is read out at hidden states."""

    @property
    def state_size(self) -> int:
        """The numbers of one part of a state, H."""
        return len(self.initial[0][0])

    def initial_state(self) -> State:
        """The state before the first symbol, each part of shape [1, 1, H]."""
        return tuple(torch.from_numpy(part.copy())[None] for part in self.initial)

    def step(self, state: State, symbol: int) -> State:
        """The state after one more symbol."""
        after = self.advance(tuple(part[0].numpy() for part in state), np.array([symbol]))
        return tuple(torch.from_numpy(part)[None] for part in after)

    def is_accepting(self, state: State) -> bool:
        """Whether the network answers class 1 in a state."""
        return int(self.probabilities(state[0][0].numpy())[0].argmax()) == 1

    def successors(self, states: States) -> Iterator[Float[np.ndarray, "S Z"]]:
        """For each of N states, the whole state after every symbol."""
        symbols = np.arange(len(self.vocabulary))
        for row in range(len(states[0])):
            before = tuple(np.repeat(part[row : row + 1], len(symbols), axis=0) for part in states)
            yield np.concatenate(self.advance(before, symbols), axis=1)

    def predict(self, sequences: Sequences) -> Float[np.ndarray, "N C"]:
        """The probability of each class for each sequence."""
        return self.predict_from(self._begin(len(sequences)), sequences)

    def predict_from(self, states: States, sequences: Sequences) -> Float[np.ndarray, "N C"]:
        """The probability of each class after each sequence is read from a state of its own."""
        answer = np.empty((len(sequences), len(self.classes)), np.float32)
        for rows, symbols, lengths in length_batches(sequences, self.device):
            *_, last = self._run(tuple(part[rows] for part in states), symbols[0].numpy(), lengths[0].numpy())
            answer[rows] = self.probabilities(last[0])
        return answer

    def visit(self, symbols: Int[Tensor, "1 B T"], lengths: Int[Tensor, "1 B"]) -> Visit:
        """Every state that a batch leaves, the initial one first, and what it is answered with."""
        every = list(self._run(self._begin(symbols.shape[1]), symbols[0].numpy(), lengths[0].numpy()))
        states = tuple(torch.from_numpy(np.stack(part)) for part in zip(*every, strict=True))
        return Visit(states, torch.from_numpy(self.probabilities(every[-1][0])))

    def _begin(self, count: int) -> States:
        return tuple(np.repeat(part, count, axis=0) for part in self.initial)

    def _run(self, states: States, symbols: Int[np.ndarray, "B T"], lengths: Int[np.ndarray, " B"]) -> Iterator[States]:
        """The states given, then those after each symbol; a sequence that has ended stays in its last one."""
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

    One number for a sequence is that of the second of two classes: a probability if all that are `seen`, and those read
    out at `extreme` states that no word leads to, lie from 0 to 1, and else a logit. Rows that are probabilities in the
    same sense are taken as such; others are logits or log-probabilities.

    Raises:
        ModelError: `seen` is not one number or one row of numbers for each sequence, or not as many as `classes`."""

    def __init__(
        self, seen: Float[np.ndarray, "N C"], extreme: Float[np.ndarray, "M C"], classes: Sequence[str] | None
    ) -> None:
        count = max(2, seen.shape[1])
        usual = CLASSES if count == 2 else tuple(map(str, range(count)))
        self.classes = usual if classes is None else tuple(classes)
        if len(self.classes) != count or len(set(self.classes)) < count:
            given = one_line(", ".join(map(str, self.classes)), SHOWN)
            raise ModelError(f"expected {count} different names, as many as the network has classes, got {given}")
        check_finite("answers", seen)
        every = np.concatenate([seen, extreme])
        shares = bool(((every >= 0) & (every <= 1)).all())
        self._convert: Callable[[Any], Any]
        if seen.shape[1] == 1:
            self._convert = _pair if shares else lambda raw: _pair(1 / (1 + np.exp(-raw)))
        elif shares and np.allclose(every.sum(axis=1), 1, atol=1e-4):
            self._convert = lambda raw: raw
        else:
            self._convert = _softmax

    def __call__(self, raw: Float[np.ndarray, "N C"]) -> Float[np.ndarray, "N C"]:
        """The probability of each class."""
        with np.errstate(over="ignore"):
            found: Float[np.ndarray, "N C"] = self._convert(raw.astype(np.float64)).astype(np.float32)
        check_finite("answers", found)
        return found


def check_finite(what: str, numbers: Float[np.ndarray, "..."]) -> None:
    """Raises ModelError where numbers that come from a network are NaN or infinite."""
    if not np.isfinite(numbers).all():
        raise ModelError(f"expected finite numbers as {what} of the network, got NaN or infinity; look at its weights")


def as_rows(raw: object, count: int) -> Float[np.ndarray, "N C"]:
    """What a network puts out for `count` sequences, as a row for each.

    Raises:
        ModelError: it is neither one number nor one row for each sequence."""
    array = np.asarray(raw, np.float32)
    if array.shape[:1] != (count,) or array.ndim > 2 or array.size == 0:
        raise ModelError(
            f"expected one number or one row of class scores for each of {count} sequences, got numbers of shape "
            f"{list(array.shape)}; a network that answers at every step should return the answer of the last one"
        )
    return array.reshape(count, -1)


def agree(
    own: Float[np.ndarray, "N Z"], other: Float[np.ndarray, "N Z"], rounding: float = 1e-3
) -> Bool[np.ndarray, " N"]:
    """Which rows are the same but for a share that `rounding` may change; a NaN is like nothing."""
    near = np.less_equal(np.abs(own - other), rounding * (0.1 * (1 + np.abs(own).max()) + np.abs(own)))
    same: Bool[np.ndarray, " N"] = near.all(axis=1)
    return same


def _pair(accepted: Float[np.ndarray, "N 1"]) -> Float[np.ndarray, "N 2"]:
    return np.concatenate([1 - accepted, accepted], axis=1)


def _softmax(raw: Float[np.ndarray, "N C"]) -> Float[np.ndarray, "N C"]:
    shares = np.exp(raw - raw.max(axis=1, keepdims=True))
    found: Float[np.ndarray, "N C"] = shares / shares.sum(axis=1, keepdims=True)
    return found
