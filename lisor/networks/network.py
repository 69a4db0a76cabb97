"""What reading automata off a network needs of it, whoever trained it.

Shapes: B sequences of a batch, T steps, H hidden units, N sequences, S symbols, C classes, Z
numbers of all parts, D of a step, W of the vector of a step, L positions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from lisor.alphabet import Alphabet
from lisor.errors import ModelError
from lisor.networks.batches import Inputs
from lisor.networks.cells.cell import State
from lisor.sequences import Sequences

AT_ONCE = 256
"""Sequences that are predicted in about the time of one."""

States = tuple[Float[np.ndarray, "N H"], ...]
"""The parts of N states: h, and for an LSTM c."""


class ForwardPass(NamedTuple):
    """What a batch of padded sequences leaves in a network: every state, the initial one first, and
    the class probabilities at each position.

    `predictions`, the class after each step, are None where they follow from the state there."""

    states: tuple[Float[Tensor, "T+1 B H"], ...]
    probabilities: Float[Tensor, "B L C"]
    predictions: Int[Tensor, "T+1 B"] | None = None


class Predictor(Protocol):
    """What names the class of a sequence of symbols, whether it has states or not."""

    @property
    def name(self) -> str:
        """What a message calls it."""

    @property
    def alphabet(self) -> Alphabet:
        """The S symbols, in the order of their numbers, and how raw input becomes them."""

    @property
    def target(self) -> str:
        """The kind of what it predicts, a name of `lisor.registry.TARGETS`."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The C classes; of two, the second means accepted."""

    @property
    def reads_empty(self) -> bool:
        """Whether the network itself has a prediction for the empty sequence, and not only its
        read-out at the initial state."""

    @property
    def at_once(self) -> int:
        """How many sequences it is given at once where a search may have to end in between."""

    def predict(self, sequences: Sequences) -> Float[np.ndarray, "M C"]:
        """The probability of each class at each of the M positions of the sequences."""


class Network(Predictor, Protocol):
    """A recurrent network that names the class of a sequence of symbols.

    A state has one or two `parts`: `state`, which is read out, and for an LSTM `cell_state`, each
    of some number of numbers (`sizes`), those of the `layers` one after the other; what is pooled
    over steps belongs to `state`. Automata are read off what `state` holds."""

    @property
    def parts(self) -> tuple[str, ...]:
        """What a dump calls the parts of a state."""

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers whose units a part holds, each as many."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of each part, H."""

    @property
    def units(self) -> int:
        """The numbers of the first part that are hidden units; what is pooled over steps stands
        after them."""

    @property
    def attends(self) -> bool:
        """Whether the next state comes from more than the last one, by attention that feeds
        back."""

    @property
    def device(self) -> torch.device:
        """Where batches of symbols are expected."""

    def initial_state(self) -> State:
        """The state before the first symbol, each part of shape [1, 1, H]."""

    def step(self, state: State, symbol: int) -> State:
        """The state after one more symbol."""

    def is_accepting(self, state: State) -> bool:
        """Whether the network predicts class 1 in a state."""

    def advance(self, states: States, symbols: Int[np.ndarray, " N"]) -> States:
        """The state after one more symbol for each of N states."""

    def successors(self, states: States) -> Iterator[Float[np.ndarray, "S Z"]]:
        """For each of N states, the whole state after every symbol."""

    def probabilities(self, hidden: Float[np.ndarray, "N H"]) -> Float[np.ndarray, "N C"]:
        """The probability of each class that is read out at hidden states."""

    def predict_from(self, states: States, sequences: Sequences) -> Float[np.ndarray, "N C"]:
        """The probability of each class after each sequence is read from a state of its own, or
        after a single sequence is read from each of the states."""

    def differentiable(self) -> Differentiable:
        """The network as gradients go back through it.

        Raises:
            ModelError: there are no gradients; why."""

    def attention(self, sequences: Sequences) -> list[Float[np.ndarray, " T"]]:
        """The attention weight of each symbol of each sequence; those of a sequence sum to 1.

        Raises:
            ModelError: the prediction is no sum over steps that attention weighs."""

    def forward_pass(
        self, read: Int[Tensor, "1 B T"] | Float[Tensor, "1 B T D"], lengths: Int[Tensor, "1 B"]
    ) -> ForwardPass:
        """What a batch of padded sequences leaves in the network; states after a sequence's end
        mean nothing."""


class Differentiable(Protocol):
    """A network through which gradients go back to what it reads, and to its parameters.

    Sequences are of one length, at least 1; each of their steps has one vector, which the network
    computes with in place of what stands there."""

    def vectors(self, read: Inputs) -> Float[Tensor, "B T W"]:
        """The vector of each step."""

    def scores(self, read: Inputs, vectors: Float[Tensor, "B T W"]) -> Float[Tensor, "B C"]:
        """The unnormalised log-probability of each class after the last step, or the numbers, where
        the vectors of the steps are these."""

    def parameter_gradients(
        self, read: Inputs, labels: Shaped[Tensor, "B L *C"]
    ) -> Mapping[str, Float[Tensor, "..."]]:
        """The gradient of the mean loss over all positions, the cross-entropy or of numbers the
        squared error, by the name of each parameter."""


def check_finite(what: str, numbers: Float[np.ndarray, "..."]) -> None:
    """Raises ModelError where numbers that come from a network are NaN or infinite."""
    if not np.isfinite(numbers).all():
        raise ModelError(
            f"expected finite numbers as {what} of the network, got NaN or infinity; look at its "
            f"weights"
        )
