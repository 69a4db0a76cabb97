"""States of any kind as rows of numbers, and back.

Shapes: H numbers of a state, Q distinct states, S symbols."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lisor.errors import ModelError, one_line, show
from lisor.networks.external.adapter import check_state_size
from lisor.networks.external.calls import SHOWN

MAX_NUMBERED = 500
"""Distinct states that are numbered: each is a unit vector of as many numbers."""

MAX_TRIED = 100_000
"""Steps that are tried in search of distinct states."""

LARGEST = 1e18
"""Squares of larger numbers are none of 32 bits."""

MAX_FORMS = 32
"""Forms of states that hold numbers beside names or None."""


class Code(Protocol):
    """How the states of a network are rows of H numbers."""

    def encode(self, state: Any) -> Float[np.ndarray, " H"]:
        """The numbers of a state.

        Raises:
            ModelError: it is of another form than the states met so far, or its numbers are not
                finite."""

    def decode(self, row: Float[np.ndarray, " H"]) -> Any:
        """The state that a row of numbers is nearest to."""


def find_code(
    name: str, seen: Sequence[Any], step: Callable[[Any, int], Any], symbols: int
) -> Code:
    """The code of the states of a network of that `name`, some of which were `seen`, the initial
    one first.

    States without a number of floating point are numbered if they are finitely many, whole numbers
    among them.

    Raises:
        ModelError: a state holds something that is neither, or they are not of one size."""
    taken = [_take(state, name) for state in seen]
    if not any(part.is_floating for one in taken for part in one.parts):
        numbered = _number_all(name, seen[0], step, symbols)
        if numbered is not None:
            return numbered
        if any(not len(one.numbers) for one in taken):
            raise ModelError(
                f"expected finitely many states of {name} that compare equal, or states of "
                f"numbers, got more than {MAX_NUMBERED} different ones, for example "
                f"{show(seen[-1])}"
            )
    return _Numbers(name, taken)


def copied(state: Any) -> Any:
    """The same state in containers, tensors and arrays of its own, which no later step writes
    into."""
    if isinstance(state, dict):
        return {key: copied(part) for key, part in state.items()}
    if isinstance(state, tuple | list):
        return _container(type(state), [copied(part) for part in state])
    if isinstance(state, Tensor):
        return state.detach().clone()
    return state.copy() if isinstance(state, np.ndarray) else state


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """Finitely many states by their numbers: each is a unit vector, and a row stands for the state
    of its largest number."""

    name: str
    states: tuple[Any, ...]
    numbers: dict[Hashable, int]
    transitions: Int[np.ndarray, "Q S"]

    def encode(self, state: Any) -> Float[np.ndarray, " H"]:
        """The unit vector of a state."""
        row = np.zeros(len(self.states), np.float32)
        number = self.numbers.get(_key(state, self.name))
        if number is None:
            raise ModelError(
                f"the states of {self.name} do not say all: run again, the same steps lead to "
                f"another one, {show(state)}; step(state, symbol) must depend on its arguments "
                "alone"
            )
        row[number] = 1
        return row

    def decode(self, row: Float[np.ndarray, " H"]) -> Any:
        """The state of the largest number of a row."""
        return copied(self.states[int(row.argmax())])


def _number_all(
    name: str, initial: Any, step: Callable[[Any, int], Any], symbols: int
) -> Numbered | None:
    """All states that are reached, numbered breadth first; None where they are too many to try them
    all."""
    states, numbers = [copied(initial)], {_key(initial, name): 0}
    rows: list[list[int]] = []
    for state in states:
        row = []
        for symbol in range(symbols):
            if len(states) > MAX_NUMBERED or len(rows) * symbols + symbol >= MAX_TRIED:
                return None
            after = step(copied(state), symbol)
            key = _key(after, name)
            if key not in numbers:
                numbers[key] = len(states)
                states.append(copied(after))
            row.append(numbers[key])
        rows.append(row)
    return Numbered(name=name, states=tuple(states), numbers=numbers, transitions=np.array(rows))


def _key(state: Any, name: str) -> Hashable:
    """A hashable value that two states share where they are the same."""
    if isinstance(state, dict):
        return dict, *((key, _key(part, name)) for key, part in state.items())
    if isinstance(state, tuple | list):
        return type(state), *(_key(part, name) for part in state)
    if isinstance(state, Tensor | np.ndarray):
        return type(state), tuple(state.shape), *np.asarray(_to_array(state)).ravel().tolist()
    return _named(state, name)


def _named(state: Any, name: str) -> Hashable:
    try:
        hash(state)
    except TypeError:
        raise ModelError(
            f"expected states of {name} as numbers, arrays, tensors, names or None, or tuples, "
            f"lists or dicts of them, got {one_line(type(state).__name__, SHOWN)}"
        ) from None
    hashable: Hashable = state
    return hashable


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A number, an array or a tensor inside a state, and how it is handed back."""

    kind: type
    dtype: Any
    size: int
    is_floating: bool
    device: torch.device | None = None

    @classmethod
    def of(cls, part: Any) -> _Part:
        if isinstance(part, Tensor):
            return cls(
                kind=Tensor,
                dtype=part.dtype,
                size=part.numel(),
                is_floating=part.dtype.is_floating_point,
                device=part.device,
            )
        array = np.asarray(part)
        kind = np.ndarray if isinstance(part, np.ndarray) else float
        dtype = np.dtype(float) if array.dtype == object else array.dtype
        return cls(kind=kind, dtype=dtype, size=array.size, is_floating=dtype.kind == "f")

    def merged(self, other: _Part) -> _Part:
        """How a part is handed back that comes now in one way and now in another."""
        if self == other:
            return self
        floating = torch.float32 if self.kind is Tensor else np.dtype(np.float32)
        return replace(self, dtype=floating, is_floating=True)

    def rebuilt(self, numbers: Float[np.ndarray, " n"], shape: tuple[int, ...]) -> Any:
        """The part with other numbers; whole ones where it holds whole numbers."""
        if self.kind is float:
            number = float(numbers[0])
            if self.is_floating:
                return number
            return number > 0.5 if self.dtype == bool else round(number)
        array = (numbers if self.is_floating else np.rint(numbers)).reshape(shape)
        if self.kind is Tensor:
            return torch.tensor(array, dtype=self.dtype, device=self.device)
        return array.astype(self.dtype)


@dataclass(frozen=True, kw_only=True)
class _Taken:
    """A state taken apart: its form, which is all but its numbers, where these come from, and the
    numbers."""

    form: Hashable
    parts: tuple[_Part, ...]
    numbers: Float[np.ndarray, " H"]


def _take(state: Any, name: str) -> _Taken:
    holders: list[Any] = []
    form, numbers = _take_numbers(state, name, holders)
    check_state_size(name, len(numbers))
    return _Taken(form=form, parts=tuple(map(_Part.of, holders)), numbers=numbers)


def _take_numbers(
    state: Any, name: str, holders: list[Any] | None = None
) -> tuple[Hashable, Float[np.ndarray, " H"]]:
    """The form of a state and its numbers; what holds these inside is added to the list."""
    holders = [] if holders is None else holders
    arrays: list[Any] = []
    form = _take_apart(state, name, holders, arrays)
    return form, np.concatenate(arrays, dtype=np.float64) if arrays else np.empty(0)


def _take_apart(state: Any, name: str, holders: list[Any], arrays: list[Any]) -> Hashable:
    """The form of a state; what holds numbers inside, and these, are added to the lists."""
    if isinstance(state, float | int):
        holders.append(state)
        arrays.append((float(state),))
        return float, ()
    if isinstance(state, tuple | list):
        return type(state), tuple(_take_apart(part, name, holders, arrays) for part in state)
    if isinstance(state, dict):
        parts = tuple(_take_apart(part, name, holders, arrays) for part in state.values())
        return dict, tuple(state), parts
    if not isinstance(state, Tensor | np.ndarray | np.number | np.bool_ | Real):
        return None, _named(state, name)
    array = _to_array(state)
    if array.dtype.kind not in "biuf":
        raise ModelError(
            f"expected states of {name} made of real numbers, got some of type {array.dtype}"
        )
    holders.append(state)
    arrays.append(array.ravel())
    kind = (
        Tensor
        if isinstance(state, Tensor)
        else np.ndarray
        if isinstance(state, np.ndarray)
        else float
    )
    return kind, tuple(array.shape)


def _to_array(part: Any) -> np.ndarray:
    if not isinstance(part, Tensor):
        array = np.asarray(part)
        is_object = array.dtype == object and isinstance(part, Real)
        return np.asarray(part, np.float64) if is_object else array
    flat = part.detach().cpu()
    return (flat.float() if flat.dtype == torch.bfloat16 else flat).numpy()


class _Numbers:
    """States of numbers, laid side by side; where they come in several forms, a unit vector of the
    form is before."""

    def __init__(self, name: str, taken: Sequence[_Taken]) -> None:
        self._name = name
        self._forms: dict[Hashable, tuple[_Part, ...]] = {}
        self._size = max(len(one.numbers) for one in taken)
        for one in taken:
            self._check(one.numbers)
            before = self._forms.setdefault(one.form, one.parts)
            merged = zip(before, one.parts, strict=True)
            self._forms[one.form] = tuple(part.merged(other) for part, other in merged)
        self._order = list(self._forms)
        if not self._size:
            raise ModelError(f"expected states of numbers from {name}, got states without any")
        if len(self._order) > MAX_FORMS:
            raise ModelError(f"expected states of one form from {name}, got more than {MAX_FORMS}")

    def encode(self, state: Any) -> Float[np.ndarray, " H"]:
        """The numbers of a state, after the unit vector of its form where there are several."""
        form, numbers = _take_numbers(state, self._name)
        self._check(numbers)
        if form not in self._forms:
            raise ModelError(
                f"expected states of {self._name} in one of the forms met on short words, got "
                f"another, {show(state)}"
            )
        if len(self._order) == 1:
            return numbers.astype(np.float32)
        unit = [float(form == other) for other in self._order]
        padding = np.zeros(self._size - len(numbers))
        return np.concatenate([unit, numbers, padding], dtype=np.float32)

    def decode(self, row: Float[np.ndarray, " H"]) -> Any:
        """A state with the numbers of the row, of the form that its unit vector is nearest to."""
        split = len(row) - self._size
        form = self._order[int(row[:split].argmax()) if split else 0]
        parts, position = [], split
        for part in self._forms[form]:
            parts.append((part, row[position : position + part.size]))
            position += part.size
        return _rebuilt(form, iter(parts))

    def _check(self, numbers: Float[np.ndarray, " H"]) -> None:
        size = len(numbers)
        if size not in (0, self._size):
            raise ModelError(
                f"expected states of one size from {self._name}, got {min(size, self._size)} "
                f"numbers at first and then {max(size, self._size)}: a state that grows is none of "
                "finitely many"
            )
        if not (np.abs(numbers) <= LARGEST).all():
            raise ModelError(
                f"expected finite numbers in the states of {self._name}, got NaN, infinity or "
                "beyond 1e18"
            )


def _rebuilt(form: Any, parts: Iterator[tuple[_Part, Float[np.ndarray, " n"]]]) -> Any:
    """A state of a form whose parts have other numbers."""
    kind = form[0]
    if kind is None:
        return form[1]
    if kind is dict:
        values = [_rebuilt(one, parts) for one in form[2]]
        return dict(zip(form[1], values, strict=True))
    if kind in (Tensor, np.ndarray, float):
        part, numbers = next(parts)
        return part.rebuilt(numbers, form[1])
    return _container(kind, [_rebuilt(one, parts) for one in form[1]])


def _container(kind: type, parts: list[Any]) -> Any:
    return kind(*parts) if hasattr(kind, "_fields") else kind(parts)
