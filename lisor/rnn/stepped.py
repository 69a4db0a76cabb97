"""An object with `initial_state()`, `step(state, symbol)` and an answer in each state, as a network.

Shapes: N states, H numbers of a state, C classes, Q distinct states, S symbols."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from threading import Lock
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lisor.errors import ModelError, one_line, show
from lisor.fsa.automaton import Automaton
from lisor.rnn.adapters import Adapter, Reading, agree, as_rows, check_size, check_words
from lisor.rnn.foreign import calling
from lisor.rnn.network import States
from lisor.rnn.state_codes import Code, Numbered, copied, find_code


class SteppedNetwork(Adapter):
    """A network given by `initial_state()`, `step(state, symbol)` and `scores(state)` or `is_accepting(state)`.

    A state is a number, an array, a tensor, or a tuple, list or dict of such, always of the same size; its numbers are
    laid side by side. Or it is one of finitely many things that compare equal: a whole number, a name, None, or a
    tuple, list or dict of such; each distinct one is then a unit vector. Both may be mixed, and the initial state
    may be None where later ones hold numbers. `symbol` is a number from 0. `scores` are one for each class, or a single
    one for acceptance: a probability if all are from 0 to 1, else a logit.
    States are handed back in the form in which they came. That nothing is remembered outside the state is put to the
    test on random words.

    Raises:
        ModelError: the states are not of one size or not made of numbers, steps depend on more than the state, or a
            method raises or returns something else."""

    def __init__(self, machine: Any, vocabulary: Sequence[str], classes: Sequence[str] | None = None) -> None:
        self._machine, self.vocabulary, self._lock = machine, tuple(vocabulary), Lock()
        self._scored = callable(getattr(machine, "scores", None))
        self.name = one_line(type(machine).__name__, 40)
        self.layers = (self.name,)
        words = [word for batch in check_words(len(self.vocabulary)) for word in batch]
        own = [self._walk(word) for word in words]
        widths = {len(answer[0]) for _, answer in own}
        if len(widths) > 1:
            raise ModelError(f"expected as many scores in every state of {self.name}, got {_listed(widths)}")
        answers = np.concatenate([answer for _, answer in own])
        seen = [state for states, _ in own for state in states]
        self._code: Code = find_code(self.name, seen, self._step, len(self.vocabulary))
        self.initial = (self._code.encode(seen[0])[None],)
        check_size(self)
        self._reading = Reading(answers, answers, classes)
        self.classes = self._reading.classes
        states = self._begin(len(words))
        width = max(map(len, words))
        symbols = np.stack([np.pad(word, (0, width - len(word))) for word in words])
        *_, last = self._run(states, symbols, np.array([len(word) for word in words]))
        ends = np.stack([self._code.encode(states[-1]) for states, _ in own])
        if not (agree(ends, last[0]) & agree(answers, self._read_out(last[0]))).all():
            raise ModelError(
                f"the states of {self.name} do not say all: run again from the same state it goes elsewhere or answers "
                "otherwise; step(state, symbol) must depend on its arguments alone and hand out a state of its own"
            )

    @property
    def automaton(self) -> Automaton | None:
        """The network itself as an automaton, where its states are finitely many distinct things."""
        if not isinstance(self._code, Numbered):
            return None
        outputs = self.probabilities(np.eye(self.state_size, dtype=np.float32)).argmax(axis=1)
        return Automaton(
            alphabet=self.vocabulary, classes=self.classes, transitions=self._code.transitions, outputs=outputs
        )

    def advance(self, states: States, symbols: Int[np.ndarray, " N"]) -> States:
        """The state after one more symbol for each of N states."""
        after = np.empty_like(states[0])
        with self._lock, torch.no_grad():
            for row, (before, symbol) in enumerate(zip(states[0], symbols.tolist(), strict=True)):
                after[row] = self._code.encode(self._step(self._code.decode(before), symbol))
        return (after,)

    def probabilities(self, hidden: Float[np.ndarray, "N H"]) -> Float[np.ndarray, "N C"]:
        """The probability of each class at each of N states."""
        if not len(hidden):
            return np.empty((0, len(self.classes)), np.float32)
        return self._reading(self._read_out(hidden))

    def _read_out(self, hidden: Float[np.ndarray, "N H"]) -> Float[np.ndarray, "N C"]:
        with self._lock, torch.no_grad():
            return np.concatenate([self._answer(self._code.decode(row)) for row in hidden])

    def _answer(self, state: Any) -> Float[np.ndarray, "1 C"]:
        method = "scores" if self._scored else "is_accepting"
        with calling(f"{self.name}.{method}(state)"):
            answer = getattr(self._machine, method)(state)
        if self._scored:
            return as_rows(_scores(self.name, answer)[None], 1)
        if not _is_truth(answer):
            shown = show(answer)
            raise ModelError(f"expected True or False from {self.name}.is_accepting(state), got {shown}")
        return np.array([[float(bool(answer))]], np.float32)

    def _step(self, state: Any, symbol: int) -> Any:
        last = len(self.vocabulary) - 1
        advice = f"it must take every symbol from 0 to {last} in every state"
        with calling(f"{self.name}.step(state, symbol) with the symbol {symbol}", advice):
            return self._machine.step(state, symbol)

    def _walk(self, word: Int[np.ndarray, " T"]) -> tuple[list[Any], Float[np.ndarray, "1 C"]]:
        """Copies of all states on a word by the machine's own steps, and the answer at its end."""
        with torch.no_grad():
            with calling(f"{self.name}.initial_state()"):
                state = self._machine.initial_state()
            states = [copied(state)]
            for symbol in word.tolist():
                state = self._step(state, symbol)
                states.append(copied(state))
            return states, self._answer(state)


def _is_truth(answer: Any) -> bool:
    if isinstance(answer, Tensor | np.ndarray):
        return bool((answer.numel() if isinstance(answer, Tensor) else answer.size) == 1)
    return isinstance(answer, bool | np.bool_ | Real)


def _scores(name: str, answer: Any) -> Float[np.ndarray, " C"]:
    """The numbers that `scores(state)` returned, in a row."""
    try:
        with_grad = isinstance(answer, Tensor)
        numbers = np.asarray(answer.detach().cpu().float() if with_grad else answer, np.float32)
    except (TypeError, ValueError, RuntimeError):
        numbers = np.empty(0, np.float32)
    if not numbers.size or isinstance(answer, str):
        shown = show(answer)
        raise ModelError(f"expected a number, or one for each class, from {name}.scores(state), got {shown}")
    return numbers.ravel()


def _listed(numbers: set[int]) -> str:
    return ", ".join(map(str, sorted(numbers)[:5]))
