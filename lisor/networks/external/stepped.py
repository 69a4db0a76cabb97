"""An object with `initial_state()`, `step(state, symbol)` and scores of each state, as a network.

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

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton
from lisor.errors import ModelError, one_line, show
from lisor.networks.external.adapter import (
    Adapter,
    Reading,
    agree,
    as_rows,
    check_size,
    check_words,
)
from lisor.networks.external.calls import calling
from lisor.networks.external.state_codes import Code, Numbered, copied, find_code
from lisor.networks.network import States
from lisor.sequences import Sequences


class SteppedNetwork(Adapter):
    """A network given by `initial_state()`, `step(state, symbol)` and `scores(state)` or
    `is_accepting(state)`.

    A state is a number, an array, a tensor, or a tuple, list or dict of such, always of the same
    size; its numbers are laid side by side. Or it is one of finitely many values that compare
    equal: a whole number, a name, None, or a tuple, list or dict of such; each distinct one is then
    a unit vector. Both may be mixed, and the initial state may be None where later ones hold
    numbers. `symbol` is a number from 0. `scores` are one for each class, or a single one for
    acceptance: a probability if all are from 0 to 1, else a logit. States are handed back in the
    form in which they came. Random words test that nothing is remembered outside the state.

    Raises:
        ModelError: the states are not of one size or not made of numbers, steps depend on more than
            the state, or a method raises or returns something else."""

    def __init__(
        self, stepped: Any, alphabet: Sequence[str], classes: Sequence[str] | None = None
    ) -> None:
        self._stepped, self.alphabet, self._lock = stepped, Alphabet.of(alphabet), Lock()
        self._scored = callable(getattr(stepped, "scores", None))
        self.name = one_line(type(stepped).__name__, 40)
        self.layers = (self.name,)
        words = [word for batch in check_words(len(self.alphabet)) for word in batch]
        traces, last_scores = zip(*map(self._trace, words), strict=True)
        widths = {scores.shape[1] for scores in last_scores}
        if len(widths) > 1:
            raise ModelError(
                f"expected as many scores in every state of {self.name}, got {_listed(widths)}"
            )
        scores = np.concatenate(last_scores)
        seen = [state for trace in traces for state in trace]
        self._code: Code = find_code(self.name, seen, self._step, len(self.alphabet))
        self.initial = (self._code.encode(seen[0])[None],)
        check_size(self)
        self._reading = Reading(scores, scores, classes)
        self.classes = self._reading.classes
        sequences = Sequences.from_lists(words)
        begin = self._begin(len(words))
        *_, last = self._run(begin, sequences.padded(), sequences.lengths)
        ends = np.stack([self._code.encode(trace[-1]) for trace in traces])
        if not (agree(ends, last[0]) & agree(scores, self._read_out(last[0]))).all():
            raise ModelError(
                f"the states of {self.name} do not say all: run again from the same state it goes "
                "elsewhere or answers otherwise; step(state, symbol) must depend on its arguments "
                "alone and hand out a state of its own"
            )

    @property
    def automaton(self) -> Automaton | None:
        """The network itself as an automaton, where its states are finitely many distinct
        things."""
        if not isinstance(self._code, Numbered):
            return None
        outputs = self.probabilities(np.eye(*self.sizes, dtype=np.float32)).argmax(axis=1)
        return Automaton(
            alphabet=self.alphabet,
            classes=self.classes,
            transitions=self._code.transitions,
            outputs=outputs,
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
            return np.concatenate([self._score(self._code.decode(row)) for row in hidden])

    def _score(self, state: Any) -> Float[np.ndarray, "1 C"]:
        method = "scores" if self._scored else "is_accepting"
        with calling(f"{self.name}.{method}(state)"):
            output = getattr(self._stepped, method)(state)
        if self._scored:
            return as_rows(_scores(self.name, output)[None], 1)
        if not _is_truth(output):
            raise ModelError(
                f"expected True or False from {self.name}.is_accepting(state), got {show(output)}"
            )
        return np.array([[float(bool(output))]], np.float32)

    def _step(self, state: Any, symbol: int) -> Any:
        last = len(self.alphabet) - 1
        advice = f"it must take every symbol from 0 to {last} in every state"
        with calling(f"{self.name}.step(state, symbol) with the symbol {symbol}", advice):
            return self._stepped.step(state, symbol)

    def _trace(self, word: Int[np.ndarray, " T"]) -> tuple[list[Any], Float[np.ndarray, "1 C"]]:
        """Copies of all states on a word by the network's own steps, and the scores at its end."""
        with torch.no_grad():
            with calling(f"{self.name}.initial_state()"):
                state = self._stepped.initial_state()
            states = [copied(state)]
            for symbol in word.tolist():
                state = self._step(state, symbol)
                states.append(copied(state))
            return states, self._score(state)


def _is_truth(output: Any) -> bool:
    if isinstance(output, Tensor | np.ndarray):
        return bool((output.numel() if isinstance(output, Tensor) else output.size) == 1)
    return isinstance(output, bool | np.bool_ | Real)


def _scores(name: str, output: Any) -> Float[np.ndarray, " C"]:
    """The numbers that `scores(state)` returned, in a row."""
    try:
        is_tensor = isinstance(output, Tensor)
        numbers = np.asarray(output.detach().cpu().float() if is_tensor else output, np.float32)
    except (TypeError, ValueError, RuntimeError):
        numbers = np.empty(0, np.float32)
    if not numbers.size or isinstance(output, str):
        raise ModelError(
            f"expected a number, or one for each class, from {name}.scores(state), got "
            f"{show(output)}"
        )
    return numbers.ravel()


def _listed(numbers: set[int]) -> str:
    return ", ".join(map(str, sorted(numbers)[:5]))
