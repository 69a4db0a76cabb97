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
    as_rows,
    check_size,
    check_words,
)
from lisor.networks.external.calls import calling
from lisor.networks.external.reading import Meaning, make_reading
from lisor.networks.external.rounding import same
from lisor.networks.external.state_codes import Code, Numbered, copied, find_code
from lisor.networks.network import States
from lisor.registry import TARGETS
from lisor.sequences import Sequences

MAX_REMEMBERED = 1 << 24
"""Numbers of the states whose next ones are remembered."""


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

    at_once = 32  # each symbol is a call of its own

    def __init__(
        self,
        stepped: Any,
        alphabet: Sequence[str],
        classes: Sequence[str] | None = None,
        meaning: Meaning | None = None,
    ) -> None:
        self._stepped, self.alphabet, self._lock = stepped, Alphabet.of(alphabet), Lock()
        self._scored = callable(getattr(stepped, "scores", None))
        meaning = meaning or Meaning()
        self.target = "next" if meaning.is_next else "class"
        if meaning.target not in (None, self.target):
            raise ModelError(
                "the scores of an object's states are read as a class or as the next symbol, not "
                f"as the target {meaning.target}"
            )
        self._known: dict[tuple[bytes, int | None], Float[np.ndarray, " Z"]] = {}
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
        self._reading = make_reading(
            self.target,
            scores,
            scores,
            alphabet=self.alphabet,
            classes=classes,
            end=meaning.end,
        )
        self.classes = self._reading.classes
        sequences = Sequences.from_lists(words)
        begin = self._begin(len(words))
        *_, last = self._run(begin, sequences.padded(), sequences.lengths)
        ends = np.stack([self._code.encode(trace[-1]) for trace in traces])
        pairs = (last[0], ends), (self._read_out(last[0]), scores)
        if not all(same(torch.from_numpy(one), torch.from_numpy(other)) for one, other in pairs):
            raise ModelError(
                f"the states of {self.name} do not say all: run again from the same state it goes "
                "elsewhere or answers otherwise; step(state, symbol) must depend on its arguments "
                "alone and hand out a state of its own"
            )
        if meaning.begin is not None:
            begun = np.array([self.alphabet.symbols.index(meaning.begin)])
            self.initial = self.advance(self.initial, begun)

    @property
    def automaton(self) -> Automaton | None:
        """The network itself as an automaton, where its states are finitely many distinct
        things."""
        if not isinstance(self._code, Numbered):
            return None
        read_out = self.probabilities(np.eye(*self.sizes, dtype=np.float32))
        shares, is_next = read_out.astype(np.float64), TARGETS[self.target].is_distribution
        return Automaton(
            alphabet=self.alphabet,
            classes=self.classes,
            transitions=self._code.transitions,
            start=int(self.initial[0].argmax()),
            outputs=read_out.argmax(axis=1),
            target=self.target,
            probabilities=shares / shares.sum(axis=1, keepdims=True) if is_next else None,
        )

    def advance(self, states: States, symbols: Int[np.ndarray, " N"]) -> States:
        """The state after one more symbol for each of N states."""
        return (self._remembered(states[0], symbols.tolist()),)

    def probabilities(self, hidden: Float[np.ndarray, "N H"]) -> Float[np.ndarray, "N C"]:
        """The probability of each class at each of N states."""
        if not len(hidden):
            return np.empty((0, len(self.classes)), np.float32)
        return self._reading(self._read_out(hidden))

    def _read_out(self, hidden: Float[np.ndarray, "N H"]) -> Float[np.ndarray, "N C"]:
        return self._remembered(hidden, [None] * len(hidden))

    def _remembered(
        self, hidden: Float[np.ndarray, "N H"], symbols: Sequence[int | None]
    ) -> Float[np.ndarray, "N Z"]:
        """The state after one more symbol for each of N states, or its scores for the symbol None;
        each is computed once: words share prefixes, and rounds of a search share words."""
        keys = list(zip(map(np.ndarray.tobytes, hidden), symbols, strict=True))
        with self._lock, torch.no_grad():
            if len(self._known) * hidden.shape[1] > MAX_REMEMBERED:
                self._known.clear()
            for row, key in enumerate(keys):
                if key not in self._known:
                    state, symbol = self._code.decode(hidden[row]), key[1]
                    self._known[key] = (
                        self._score(state)[0]
                        if symbol is None
                        else self._code.encode(self._step(state, symbol))
                    )
            return np.stack([self._known[key] for key in keys])

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
