"""An object with `initial_state()`, `step(state, symbol)` and an answer in each state, as a network.

Shapes: N states, H numbers of a state, C classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Real
from threading import Lock
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lisor.errors import ModelError
from lisor.rnn.adapters import Adapter, Reading, agree, as_rows, check_words
from lisor.rnn.network import States


class SteppedNetwork(Adapter):
    """A network given by `initial_state()`, `step(state, symbol)` and `scores(state)` or `is_accepting(state)`.

    A state is a number, an array, a tensor, or a tuple, list or dict of such, always of the same size; its numbers are
    laid side by side. `symbol` is a number from 0. `scores` are one for each class, or a single
    one for acceptance: a probability if all are from 0 to 1, else a logit.
    States are handed back in the form of the initial one, as numbers of floating point. That nothing is remembered
    outside the state is put to the test on random words.

    Raises:
        ModelError: the states are not of one size or not made of numbers, or steps depend on more than the state."""

    def __init__(self, machine: Any, vocabulary: Sequence[str], classes: Sequence[str] | None = None) -> None:
        self._machine, self.vocabulary, self._lock = machine, tuple(vocabulary), Lock()
        self._scored = callable(getattr(machine, "scores", None))
        self.name = type(machine).__name__
        self.layers = (self.name,)
        self._form = machine.initial_state()
        self.initial = (_numbers(self._form)[None],)
        words = [word for batch in check_words(len(self.vocabulary)) for word in batch]
        own = [self._walk(word) for word in words]
        answers = np.concatenate([raw for _, raw in own])
        self._reading = Reading(answers, answers, classes)
        self.classes = self._reading.classes
        states = self._begin(len(words))
        width = max(map(len, words))
        symbols = np.stack([np.pad(word, (0, width - len(word))) for word in words])
        *_, last = self._run(states, symbols, np.array([len(word) for word in words]))
        same = agree(np.stack([state for state, _ in own]), last[0]) & agree(answers, self._read_out(last[0]))
        if not same.all():
            raise ModelError(
                f"the states of {self.name} do not say all: run again from the same state it goes elsewhere or answers "
                "otherwise; step(state, symbol) must depend on its arguments alone and hand out a state of its own"
            )

    def advance(self, states: States, symbols: Int[np.ndarray, " N"]) -> States:
        """The state after one more symbol for each of N states."""
        after = np.empty_like(states[0])
        with self._lock, torch.no_grad():
            for row, (before, symbol) in enumerate(zip(states[0], symbols.tolist(), strict=True)):
                after[row] = self._checked(self._machine.step(_rebuilt(self._form, iter(before)), symbol))
        return (after,)

    def probabilities(self, hidden: Float[np.ndarray, "N H"]) -> Float[np.ndarray, "N C"]:
        """The probability of each class at each of N states."""
        if not len(hidden):
            return np.empty((0, len(self.classes)), np.float32)
        return self._reading(self._read_out(hidden))

    def _read_out(self, hidden: Float[np.ndarray, "N H"]) -> Float[np.ndarray, "N C"]:
        with self._lock, torch.no_grad():
            return np.concatenate([self._answer(_rebuilt(self._form, iter(row))) for row in hidden])

    def _answer(self, state: Any) -> Float[np.ndarray, "1 C"]:
        if self._scored:
            return as_rows(_numbers(self._machine.scores(state))[None], 1)
        return np.array([[float(bool(self._machine.is_accepting(state)))]], np.float32)

    def _walk(self, word: Int[np.ndarray, " T"]) -> tuple[Float[np.ndarray, " H"], Float[np.ndarray, "1 C"]]:
        """Where a word leads by the machine's own states, and the answer there."""
        with torch.no_grad():
            state = self._machine.initial_state()
            for symbol in word.tolist():
                state = self._machine.step(state, symbol)
            return self._checked(state), self._answer(state)

    def _checked(self, state: Any) -> Float[np.ndarray, " H"]:
        numbers = _numbers(state)
        if len(numbers) != self.state_size:
            raise ModelError(
                f"expected states of one size from {self.name}, got {self.state_size} numbers at first and then "
                f"{len(numbers)}: a state that grows is none of finitely many"
            )
        return numbers


def _numbers(state: Any) -> Float[np.ndarray, " H"]:
    """All numbers of a state, side by side."""
    if isinstance(state, tuple | list | dict):
        parts = [_numbers(part) for part in (state.values() if isinstance(state, dict) else state)]
        return np.concatenate([np.empty(0, np.float32), *parts])
    if isinstance(state, Tensor):
        return state.detach().cpu().numpy().astype(np.float32).ravel()
    if isinstance(state, np.ndarray | np.generic | Real):
        return np.array(state, np.float32).ravel()
    raise ModelError(
        f"expected states of numbers, arrays or tensors, or tuples, lists or dicts of them, got {type(state).__name__}"
    )


def _rebuilt(form: Any, numbers: Iterator[float]) -> Any:
    """A state of the same form with other numbers."""
    if isinstance(form, dict):
        return {name: _rebuilt(part, numbers) for name, part in form.items()}
    if isinstance(form, tuple | list):
        parts = [_rebuilt(part, numbers) for part in form]
        return type(form)(*parts) if hasattr(form, "_fields") else type(form)(parts)
    if isinstance(form, Tensor | np.ndarray):
        size = form.numel() if isinstance(form, Tensor) else form.size
        values = np.fromiter(numbers, np.float32, size).reshape(tuple(form.shape))
        if isinstance(form, Tensor):
            return torch.from_numpy(values).to(form.device, form.dtype if form.is_floating_point() else torch.float32)
        return values.astype(form.dtype if np.issubdtype(form.dtype, np.floating) else np.float32)
    return float(next(numbers))
