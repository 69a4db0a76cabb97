"""A function from a sequence to its class, or a system as AALpy learns them, known by its answers.

Shapes: N sequences, C classes, S symbols, Q states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor, nn

from lisor.alphabet import Alphabet
from lisor.automata.automaton import CLASSES, Automaton
from lisor.errors import ModelError, one_line, show
from lisor.networks.external.calls import SHOWN, calling
from lisor.sequences import Sequences

Form = Literal["text", "symbols", "numbers"]
"""How a word is handed over: as a text, or as a list of symbols or of their numbers."""

SYSTEM = ("pre", "step", "post")
"""The methods of a system under learning (Muškardin et al., 2022, "AALpy")."""

ASKED_TWICE = 100
"""Words on which an answer must be the same when it is asked for again."""

MAX_CLASSES = 256
"""Different answers: more are no classes."""


def is_queried(network: object) -> bool:
    """Whether it is known by its answers alone: a function, or a system with `pre()`,
    `step(symbol)` and `post()`."""
    if isinstance(network, type | nn.Module) or hasattr(network, "initial_state"):
        return False
    return callable(network) or _is_system(network)


def _is_system(network: object) -> bool:
    return all(callable(getattr(network, name, None)) for name in SYSTEM)


class QueriedNetwork:
    """What automata are learned from by queries alone; each word is asked for once.

    A function is called with a word in a `form`; a system reads its symbols one by one, and the
    output after the last one is the class. An answer is True or False, a class by its number or
    name, a score of acceptance (a probability if all on `words` are from 0 to 1, else a logit), or
    a score for each class. `classes` names them in order; else they are "reject" and "accept", or
    numbers, or the names met, sorted.

    Raises:
        ModelError: it raises, gives another answer when asked again, or none of these."""

    target = "class"
    at_once = 8  # each sequence is a call of its own

    def __init__(
        self,
        source: Any,
        alphabet: Sequence[str],
        classes: Sequence[str] | None,
        *,
        words: Sequences,
        form: Form,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._source, self._given, self._form = source, classes, form
        self._is_over = is_over
        self.alphabet = Alphabet.of(alphabet)
        self.name = one_line(getattr(source, "__name__", type(source).__name__), 40)
        self._known: dict[bytes, int] = {b"": 0}
        self._labels: list[bool | int | str] = []
        self._middle, self._scores = 0.0, 0
        first = words.select(np.flatnonzero(words.lengths)[:ASKED_TWICE])
        outputs = [
            self._ask(first[row]) for row in range(len(first)) if row == 0 or not self._is_over()
        ]
        values = [output for output in outputs if isinstance(output, float)]
        if values and all(0 <= value <= 1 for value in values):
            self._middle = 0.5
        self._first, self._outputs = first, outputs
        self._check_again()
        for key, output in zip(first.keys(), outputs, strict=False):
            self._known[key] = self._number(output)
        self.reads_empty = not _is_system(source) and self._has_empty(words)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes met so far, in the order in which they came."""
        return tuple(map(str, self._labels))

    def predict(self, sequences: Sequences) -> Float[np.ndarray, "N C"]:
        """1 for the class of each sequence, else 0; the first class for the empty one, if it is not
        read."""
        numbers = []
        for row, key in enumerate(sequences.keys()):
            if key not in self._known:
                self._known[key] = self._number(self._ask(sequences[row]))
            numbers.append(self._known[key])
        return np.eye(max(1, len(self._labels)), dtype=np.float32)[numbers]

    def queries(self) -> Sequences:
        """All words that it was asked for, each once."""
        words = [np.frombuffer(key, np.int32) for key in self._known]
        return Sequences.from_lists([word for word in words if self.reads_empty or len(word)])

    def _check_again(self) -> None:
        """Ask for some words once more, unless there is no time.

        Raises:
            ModelError: an answer is another one than before."""
        for row, before in enumerate(self._outputs):
            if self._is_over():
                return
            again = self._ask(self._first[row])
            if again != before:
                word = show(self._word(self._first[row]))
                raise ModelError(
                    f"expected the same answer of {self.name} whenever it is asked, got "
                    f"{show(before)} and then {show(again)} for {word}; make it deterministic"
                )

    def finished(self, automaton: Automaton) -> Automaton:
        """An automaton over `classes` with these in order, or all of those that are given.

        Raises:
            ModelError: an answer is none of those, or another one than before."""
        self._check_again()
        labels = self._labels[: len(automaton.classes)]
        if self._given is not None:
            names = tuple(self._given)
            order = [self._index(label, names) for label in labels]
        elif self._scores > len(CLASSES):
            names, order = tuple(map(str, range(self._scores))), [int(label) for label in labels]
        elif all(isinstance(label, int) and 0 <= label <= 1 for label in labels):
            names, order = CLASSES, [int(label) for label in labels]
        else:
            ordered = sorted(labels)
            names = tuple(map(str, ordered))
            order = [ordered.index(label) for label in labels]
        outputs: Int[np.ndarray, " Q"] = np.array(order)[automaton.outputs]
        return replace(automaton, classes=names, outputs=outputs)

    def _index(self, label: bool | int | str, names: tuple[str, ...]) -> int:
        """The number of a class among those given."""
        if isinstance(label, str) and label in names:
            return names.index(label)
        if isinstance(label, int) and 0 <= label < len(names):
            return int(label)
        raise ModelError(
            f"expected answers of {self.name} among its {len(names)} classes "
            f"{one_line(', '.join(names), SHOWN)}, got {show(label)}"
        )

    def _number(self, output: bool | int | str | float) -> int:
        """The number of the class of an answer, by the order in which they came."""
        label = output > self._middle if isinstance(output, float) else output
        if self._labels and isinstance(self._labels[0], str) != isinstance(label, str):
            raise ModelError(
                f"expected answers of {self.name} of one kind, got {show(self._labels[0])} and "
                f"then {show(label)}"
            )
        if label not in self._labels:
            if len(self._labels) == MAX_CLASSES:
                raise ModelError(
                    f"expected at most {MAX_CLASSES} classes from {self.name}, got more different "
                    f"answers, for example {show(label)}"
                )
            self._labels.append(label)
        return self._labels.index(label)

    def _has_empty(self, words: Sequences) -> bool:
        """Whether the empty word has a class: it must where it is among the words."""
        try:
            self._known[b""] = self._number(self._ask(np.empty(0, np.int32)))
        except ModelError:
            if (words.lengths == 0).any():
                raise
            return False
        return True

    def _ask(self, word: Int[np.ndarray, " T"]) -> bool | int | str | float:
        """The answer for a word, as a plain value; of scores for each class the number of the
        largest."""
        written = self._word(word)
        if not _is_system(self._source):
            with calling(f"{self.name}({show(written)})"):
                output = self._source(written)
            return self._plain(output)
        with calling(f"{self.name} on {show(written)}"):
            self._source.pre()
            outputs = [self._source.step(symbol) for symbol in written]
            self._source.post()
        return str(outputs[-1]) if outputs[-1] is None else self._plain(outputs[-1])

    def _word(self, word: Int[np.ndarray, " T"]) -> str | list[str] | list[int]:
        numbers: list[int] = word.tolist()
        if self._form == "numbers":
            return numbers
        symbols = [self.alphabet[number] for number in numbers]
        return "".join(symbols) if self._form == "text" else symbols

    def _plain(self, output: Any) -> bool | int | str | float:
        if isinstance(output, Tensor):
            output = output.detach().cpu().float().numpy() if output.ndim else output.item()
        if isinstance(output, list | tuple | np.ndarray) and np.ndim(output) == 1:
            scores = np.asarray(output)
            if scores.dtype.kind in "iuf" and len(scores) > 1 and np.isfinite(scores).all():
                self._scores = len(scores)
                return int(scores.argmax())
            output = scores[0] if len(scores) == 1 else output
        if isinstance(output, str):
            return output
        if isinstance(output, bool | np.bool_):
            return bool(output)
        if isinstance(output, Integral):
            return int(output)
        if isinstance(output, Real) and np.isfinite(float(output)):
            return float(output)
        raise ModelError(
            f"expected True or False, a class, or scores from {self.name}, got {show(output)}"
        )
