"""Cached tasks: when a step has to run, and when its artifact is already there.

A step's key is made of its kind, its settings, the digests of its inputs, the code of the `lisor` modules it runs, and
the versions of the libraries that decide its numbers. Prefect looks the key up among its result records; the store
decides whether the artifact behind the record is whole."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from importlib import import_module
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from prefect.context import TaskRunContext
from prefect.results import get_result_store
from prefect.tasks import Task

from lisor_tasks.artifacts import Ref, open_store, store_at
from lisor_tasks.keys import canonical, digest, library_versions, read_code
from lisor_tasks.recipes import Recipe

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")

HOME = "home"
"""The argument of every cached task that says where the store is, and is no part of its key."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a cached task makes and from what: enough to find it in the store without running anything.

    `title` is a format of the arguments; of a step that makes one artifact for each member of an argument, `parts` is
    the name of that argument."""

    name: str
    kind: str
    title: str
    modules: tuple[str, ...]
    left_out: frozenset[str]
    parts: str | None
    signature: inspect.Signature

    def bind(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The arguments of a call by name."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def key(self, arguments: dict[str, Any]) -> str:
        """The key of what a call makes."""
        code = read_code(self.modules).digest
        return digest([self.kind, canonical(arguments, self.left_out), code, library_versions()])

    def artifact_keys(self, key: str, arguments: dict[str, Any]) -> list[str]:
        """The keys of the artifacts of a call."""
        return [key] if self.parts is None else [f"{key}-{part}" for part in arguments[self.parts]]

    def recipe(self, arguments: dict[str, Any]) -> Recipe:
        """What the key of a call is made of, as a person reads it."""
        code = read_code(self.modules).modules
        return Recipe.of(self.name, arguments, self.left_out, code, library_versions())

    def result(self, refs: Sequence[Ref]) -> Any:
        """What a call returns, given the references of its artifacts."""
        return refs[0] if self.parts is None else list(refs)


class CachedTask(Task[P, R]):
    """A Prefect task that makes artifacts, and says how to find them."""

    step: Step


def cached(
    kind: str, *modules: str, name: str, without: Iterable[str] = (), retry_after: Sequence[float] = ()
) -> Callable[[Callable[Concatenate[Path, P], None]], CachedTask[P, Ref]]:
    """A Prefect task that returns the reference of one artifact of this kind.

    The decorated function fills the folder it gets as its first argument. `modules` are the `lisor` modules whose code,
    with all that they import, decides the content; `name` is a format of the arguments that a person can read;
    `without` lists arguments, or fields of arguments (`training.trials`), that do not change the content; `retry_after`
    the seconds after which a task that needs a network is tried again."""

    def decorate(function: Callable[Concatenate[Path, P], None]) -> CachedTask[P, Ref]:
        return _make_task(function, _describe(function, kind, modules, name, without, None), retry_after)

    return decorate


def cached_block(
    kind: str, *modules: str, name: str, parts: str, without: Iterable[str] = ()
) -> Callable[[Callable[Concatenate[list[Path], P], None]], CachedTask[P, list[Ref]]]:
    """Like `cached`, for a task that makes one artifact for each member of its argument `parts`."""

    def decorate(function: Callable[Concatenate[list[Path], P], None]) -> CachedTask[P, list[Ref]]:
        return _make_task(function, _describe(function, kind, modules, name, without, parts))

    return decorate


def _describe(
    function: Callable[..., None],
    kind: str,
    modules: tuple[str, ...],
    title: str,
    without: Iterable[str],
    parts: str | None,
) -> Step:
    signature = inspect.signature(function)
    return Step(
        name=function.__name__.replace("_", "-"),
        kind=kind,
        title=title,
        modules=modules,
        left_out=frozenset(without),
        parts=parts,
        signature=signature.replace(parameters=list(signature.parameters.values())[1:]),
    )


def _make_task(function: Callable[..., None], step: Step, retry_after: Sequence[float] = ()) -> CachedTask[Any, Any]:
    run = _prepared(function, step.modules)

    def find_record(context: TaskRunContext, arguments: dict[str, Any]) -> str:
        arguments = dict(arguments)
        with store_at(arguments.pop(HOME)):
            key = step.key(arguments)
            refs = open_store().find(step.kind, step.artifact_keys(key, arguments))
        _forget_stale(key, None if refs is None else step.result(refs))
        return key

    @wraps(function)
    def body(*args: Any, home: str | None = None, **kwargs: Any) -> Any:
        arguments = step.bind(*args, **kwargs)

        def write(folders: list[Path]) -> None:
            run(folders[0] if step.parts is None else folders, **arguments)

        keys = step.artifact_keys(step.key(arguments), arguments)
        with store_at(home):
            return step.result(open_store().build(step.kind, keys, write, step.recipe(arguments).to_json()))

    where = inspect.Parameter(HOME, inspect.Parameter.KEYWORD_ONLY, default=None)
    body.__signature__ = step.signature.replace(  # type: ignore[attr-defined]
        parameters=[*step.signature.parameters.values(), where]
    )
    made: CachedTask[Any, Any] = CachedTask(
        fn=body,
        name=step.name,
        task_run_name=step.title,
        cache_key_fn=find_record,
        persist_result=True,
        result_serializer="json",
        cache_result_in_memory=False,
        retries=len(retry_after),
        retry_delay_seconds=list(retry_after) or None,
    )
    made.step = step
    return made


def _prepared(function: Callable[..., None], modules: Iterable[str]) -> Callable[..., None]:
    """The function, run when its modules are loaded, with as many threads in the numerical libraries as its argument
    `threads` says, else one."""
    needed = tuple(modules)

    def run(*args: Any, **arguments: Any) -> None:
        load("torch", *needed)  # not at the top: a run that is answered from the cache needs none of them
        import torch

        threads = int(arguments.get("threads", 1))
        torch.set_num_threads(threads)
        _libraries(needed).limit(limits=threads)  # for good, since all tasks of a run have the same number
        function(*args, **arguments)

    return run


@cache
def _libraries(modules: tuple[str, ...]) -> ThreadpoolController:
    """The libraries with threads of their own that are there once some modules are loaded. To find them takes longer
    than many a task."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


_LOADING = Lock()


def load(*modules: str) -> None:
    """Import modules, one thread at a time: two that import libraries with cycles at once, as torch and scikit-learn
    are, can see half of a module."""
    with _LOADING:
        for module in modules:
            import_module(module)


def load_ahead(*modules: str) -> None:
    """Begin to import modules beside whatever comes next, which may wait for something else."""

    def load_each() -> None:
        for module in modules:  # one by one: a task that needs the first goes on while the next is loaded
            load(module)

    Thread(target=load_each, name="load-ahead").start()


def _forget_stale(key: str, expected: Ref | list[Ref] | None) -> None:
    """Blank Prefect's record of a key unless it says what the store has; Prefect computes a blank one anew."""
    records = get_result_store()
    if not records.exists(key):
        return
    try:
        current = records.read(key).result
    except Exception:  # whatever is wrong with it, it cannot be served
        current = None
    if expected is None or current != expected:
        storage: Any = records.result_storage
        storage.write_path(key, b"", _sync=True)
