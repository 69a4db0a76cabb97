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
def one_torch_thread() -> Iterator[None]:
    """Torch on one thread: where the products are small, or other programs run too, several wait
    for each other longer than they compute.

    A limit of threadpoolctl's is not enough: MKL ignores it once torch has set its threads."""
    import torch  # not at the top: a run from the cache does without

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


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
