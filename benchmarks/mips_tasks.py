"""The finite-state tasks of MIPS (Michaud et al., 2024, "Opening the AI black box: program
synthesis via mechanistic interpretability"), each with its minimal machine.

A network reads a sequence and names a class after each symbol:

    base 10 addition      (9, 2) (3, 0) -> 1 4      pairs of digits, the least significant first
    parity of all         1 1 0 1 -> 1 0 0 1        the sum of all bits, modulo 2
    parity of the last 2  1 1 0 1 -> 1 0 1 1
    last 3 alternate      0 1 0 0 -> 1 1 1 0        zeros stand before the sequence
    remainder by 3        1 1 0 1 -> 1 0 0 1        of the binary number read so far
    sum modulo 3          2 2 1 -> 2 1 2            digits below 3
    shift by 1            1 1 0 1 -> 0 1 1 0        the bit that many steps before
    exclusive or          (1, 0) (1, 1) -> 1 0      of a pair of bits
    dot product modulo 2  (1, 0) (1, 1) -> 0 1      of the two rows of bits read so far"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np

from lisor.alphabet import Alphabet
from lisor.automata.automaton import Automaton

BITS = (0, 1)
PAIRS = tuple(product(BITS, repeat=2))


@dataclass(frozen=True, kw_only=True)
class Task:
    """What should be named after each symbol: the `output` of a state, which `update` makes of the
    state before and the symbol."""

    name: str
    symbols: Sequence[Any]
    start: Any
    update: Callable[[Any, Any], Any]
    output: Callable[[Any], int]

    def machine(self) -> Automaton:
        """The minimal machine of this task."""
        numbers, transitions = {self.start: 0}, []
        for state in (states := [self.start]):
            row = []
            for symbol in self.symbols:
                after = self.update(state, symbol)
                if after not in numbers:
                    numbers[after] = len(states)
                    states.append(after)
                row.append(numbers[after])
            transitions.append(row)
        outputs = [int(self.output(state)) for state in states]
        return Automaton(
            alphabet=Alphabet.of(map(_name, self.symbols)),
            classes=tuple(map(str, range(max(outputs) + 1))),
            transitions=np.array(transitions),
            outputs=np.array(outputs),
            target="step",
        ).minimized()


def _name(symbol: int | tuple[int, ...]) -> str:
    return str(symbol) if isinstance(symbol, int) else "+".join(map(str, symbol))


def tasks() -> Iterator[Task]:
    """All of them."""
    for base in range(2, 9):
        yield _addition(base)
    yield Task(
        name="parity of all", symbols=BITS, start=0, update=lambda s, x: s ^ x, output=lambda s: s
    )
    for count in (2, 3, 4):
        yield _window(f"parity of the last {count}", count, lambda bits: sum(bits) % 2)
    for count in (3, 4):
        yield _window(
            f"last {count} alternate",
            count,
            lambda bits: all(a != b for a, b in pairwise(bits)),
        )
    for divisor in (3, 5, 7, 9):
        yield _remainder(divisor)
    for modulus in range(3, 10):
        yield _sum(modulus)
    for count in (1, 2, 3):
        yield _window(f"shift by {count}", count + 1, lambda bits: bits[0])
    yield Task(
        name="exclusive or",
        symbols=PAIRS,
        start=0,
        update=lambda _, x: x[0] ^ x[1],
        output=lambda s: s,
    )
    yield Task(
        name="dot product modulo 2",
        symbols=PAIRS,
        start=0,
        update=lambda s, x: s ^ (x[0] & x[1]),
        output=lambda s: s,
    )


def _addition(base: int) -> Task:
    return Task(
        name=f"base {base} addition",
        symbols=tuple(product(range(base), repeat=2)),
        start=0,
        update=lambda s, x: s // base + sum(x),
        output=lambda s: s % base,
    )


def _window(name: str, count: int, output: Callable[[tuple[int, ...]], int]) -> Task:
    """A function of the last bits, of zeros before the first one."""
    return Task(
        name=name,
        symbols=BITS,
        start=(0,) * count,
        update=lambda s, x: (*s[1:], x),
        output=output,
    )


def _remainder(divisor: int) -> Task:
    return Task(
        name=f"remainder by {divisor}",
        symbols=BITS,
        start=0,
        update=lambda s, x: (2 * s + x) % divisor,
        output=lambda s: s,
    )


def _sum(modulus: int) -> Task:
    return Task(
        name=f"sum modulo {modulus}",
        symbols=range(modulus),
        start=0,
        update=lambda s, x: (s + x) % modulus,
        output=lambda s: s,
    )
