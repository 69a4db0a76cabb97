"""Threads that work side by side, whose results come in order, so that how many there are changes
no bit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

R = TypeVar("R")


@contextmanager
def workers(threads: int) -> Iterator[Executor]:
    """So many threads, each of which is one thread in the numerical libraries too."""
    libraries = ThreadpoolController()  # to find them takes longer than to limit them
    one_each = partial(
        libraries.limit, limits=1, user_api="openmp"
    )  # is set thread by thread, unlike BLAS
    with (
        libraries.limit(limits=1, user_api="blas"),
        ThreadPoolExecutor(threads, initializer=one_each) as pool,
    ):
        yield pool


def in_order(
    pool: Executor, work: Callable[..., R], items: Iterable[tuple[Any, ...]], ahead: int
) -> Iterator[R]:
    """What the work makes of each item, while the pool is so many items further at most."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(work, *item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
