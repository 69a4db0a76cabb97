"""The machines of the tasks, compared with whole words computed by Python's own arithmetic."""

from collections.abc import Callable
from itertools import accumulate

import numpy as np
import pytest

from benchmarks.mips_tasks import tasks
from lisor.sequences import Sequences

TASKS = {task.name: task for task in tasks()}


def add(base: int) -> Callable[[list[tuple[int, int]]], list[int]]:
    """The digits of the sum of two numbers, the least significant first."""

    def digits(word: list[tuple[int, int]]) -> list[int]:
        total = sum((a + b) * base**place for place, (a, b) in enumerate(word))
        return [total // base**place % base for place in range(len(word))]

    return digits


def last(count: int, output: Callable[[list[int]], int]) -> Callable[[list[int]], list[int]]:
    """What the last bits after each symbol give."""
    return lambda word: [
        output([0] * (count - end) + word[max(0, end - count) : end])
        for end in range(1, len(word) + 1)
    ]


def remainder(divisor: int) -> Callable[[list[int]], list[int]]:
    return lambda word: [
        int("".join(map(str, word[:end])), 2) % divisor for end in range(1, len(word) + 1)
    ]


def alternates(bits: list[int]) -> int:
    return "".join(map(str, bits)) in ("010", "101", "0101", "1010")


# The outputs of a whole word, and the states of the minimal machine.
EXPECTED = {
    **{f"base {n} addition": (add(n), 2 * n) for n in range(2, 9)},
    "parity of all": (lambda word: [total % 2 for total in accumulate(word)], 2),
    **{f"parity of the last {n}": (last(n, lambda bits: sum(bits) % 2), 2**n) for n in (2, 3, 4)},
    "last 3 alternate": (last(3, alternates), 6),
    "last 4 alternate": (last(4, alternates), 8),
    **{f"remainder by {n}": (remainder(n), n) for n in (3, 5, 7, 9)},
    **{
        f"sum modulo {n}": (lambda word, n=n: [total % n for total in accumulate(word)], n)
        for n in range(3, 10)
    },
    **{f"shift by {n}": (last(n + 1, lambda bits: bits[0]), 2 ** (n + 1)) for n in (1, 2, 3)},
    "exclusive or": (lambda word: [int(a != b) for a, b in word], 2),
    "dot product modulo 2": (
        lambda word: [total % 2 for total in accumulate(a * b for a, b in word)],
        2,
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_machine_of_a_task_names_what_its_definition_says(name: str) -> None:
    task, (outputs, states) = TASKS[name], EXPECTED[name]
    machine, rng = task.machine(), np.random.default_rng(0)
    assert machine.n_states == states
    for length in range(1, 60):
        drawn = rng.integers(len(task.symbols), size=length)
        word = [task.symbols[symbol] for symbol in drawn]
        predicted = machine.classify(Sequences.from_lists([drawn])).tolist()
        assert predicted == outputs(word), word


def test_every_task_has_an_expectation() -> None:
    assert TASKS.keys() == EXPECTED.keys()
