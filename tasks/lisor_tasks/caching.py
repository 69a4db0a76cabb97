"""Cached tasks: Prefect tasks that run only if the store does not have their artifacts.

The key of a step is made of its settings, the digests of its inputs, the code that it reaches and
the versions of the libraries that this code imports. The store alone decides whether there is a
whole artifact of that key; Prefect shows a cache hit as Cached."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from importlib import import_module
from itertools import chain
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from prefect.states import Completed
from prefect.tasks import Task

import lisor
import lisor_tasks
from lisor_tasks.artifacts import Ref, open_store, store_at
from lisor_tasks.execution import Execution
from lisor_tasks.keys import classes, leaves, library_version
from lisor_tasks.provenance import Provenance
from lisor_tasks.reach import CodeBase, Reached

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")

EXECUTION = "execution"
"""The argument of a cached task that holds its `Execution`; it is part of no key."""

HERE = Execution()
"""The execution of a task without a runner: in the store of LISOR_HOME, on one thread."""

CODE = CodeBase({package.__name__: Path(package.__path__[0]) for package in (lisor, lisor_tasks)})


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a cached task makes, and of what: enough to find it in the store without running
    anything.

    `function` is the dotted name of the task's body. `title` is a format of the arguments. If the
    step makes one artifact for each member of an argument, `parts` is the name of that argument."""

    name: str
    kind: str
    title: str
    function: str
    parts: str | None
    signature: inspect.Signature

    def bind(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The arguments of a call by name."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def reached(self, arguments: dict[str, Any]) -> Reached:
        """The code that a call reaches."""
        values = [leaf if isinstance(leaf, list) else [leaf] for _, leaf in leaves(arguments)]
        names = frozenset(value for value in chain(*values) if isinstance(value, str))
        owners = frozenset(
            f"{owner.__module__}.{owner.__qualname__}" for owner in classes(arguments)
        )
        return CODE.reach(self.function, names, owners)

    def provenance(self, arguments: dict[str, Any]) -> Provenance:
        """What the key of a call is made of."""
        reached = self.reached(arguments)
        versions = {name: library_version(name) for name in sorted(reached.libraries)}
        known = {name: version for name, version in versions.items() if version is not None}
        return Provenance.of(self.name, dict(leaves(arguments)), reached.definitions, known)

    def artifact_keys(self, key: str, arguments: dict[str, Any]) -> list[str]:
        """The keys of the artifacts of a call."""
        return [key] if self.parts is None else [f"{key}-{part}" for part in arguments[self.parts]]

    def result(self, refs: Sequence[Ref]) -> Any:
        """The result of a call, given the references of its artifacts."""
        return refs[0] if self.parts is None else list(refs)


class CachedTask(Task[P, R]):
    """A Prefect task that makes artifacts, with the step that finds them."""

    step: Step


def cached(
    kind: str, *, name: str, retry_after: Sequence[float] = ()
) -> Callable[[Callable[Concatenate[Path, P], None]], CachedTask[P, Ref]]:
    """A Prefect task that returns the reference of one artifact of this kind.

    The decorated function fills the folder that is its first argument; if it has an argument
    `execution`, it gets that too. `name` is a format of the arguments that a person can read.
    `retry_after` holds the seconds after which a task that needs the internet is tried again."""

    def decorate(function: Callable[Concatenate[Path, P], None]) -> CachedTask[P, Ref]:
        return _make_task(function, _describe(function, kind, name, None), retry_after)

    return decorate


def cached_block(
    kind: str, *, name: str, parts: str
) -> Callable[[Callable[Concatenate[list[Path], P], None]], CachedTask[P, list[Ref]]]:
    """Like `cached`, for a task that makes one artifact for each member of its argument `parts`."""

    def decorate(function: Callable[Concatenate[list[Path], P], None]) -> CachedTask[P, list[Ref]]:
        return _make_task(function, _describe(function, kind, name, parts))

    return decorate


def _describe(function: Callable[..., None], kind: str, title: str, parts: str | None) -> Step:
    signature = inspect.signature(function)
    given = [parameter for name, parameter in signature.parameters.items() if name != EXECUTION]
    return Step(
        name=function.__name__.replace("_", "-"),
        kind=kind,
        title=title,
        function=f"{function.__module__}.{function.__name__}",
        parts=parts,
        signature=signature.replace(parameters=given[1:]),
    )


def _make_task(
    function: Callable[..., None], step: Step, retry_after: Sequence[float] = ()
) -> CachedTask[Any, Any]:
    wants_execution = EXECUTION in inspect.signature(function).parameters

    @wraps(function)
    def body(*args: Any, execution: Execution = HERE, **kwargs: Any) -> Any:
        arguments = step.bind(*args, **kwargs)
        provenance = step.provenance(arguments)
        keys = step.artifact_keys(provenance.key(step.kind), arguments)
        ran = False

        def write(folders: list[Path]) -> None:
            nonlocal ran
            ran = True
            _prepare(step.reached(arguments).modules, execution.threads)
            extra = {EXECUTION: execution} if wants_execution else {}
            function(folders[0] if step.parts is None else folders, **arguments, **extra)

        with store_at(execution.home):
            made = step.result(open_store().build(step.kind, keys, write, provenance.to_json()))
        return made if ran else Completed(name="Cached", data=made)

    parameter = inspect.Parameter(EXECUTION, inspect.Parameter.KEYWORD_ONLY, default=HERE)
    body.__signature__ = step.signature.replace(  # type: ignore[attr-defined]
        parameters=[*step.signature.parameters.values(), parameter]
    )
    made: CachedTask[Any, Any] = CachedTask(
        fn=body,
        name=step.name,
        task_run_name=step.title,
        persist_result=False,
        retries=len(retry_after),
        retry_delay_seconds=list(retry_after) or None,
    )
    made.step = step
    return made


def _prepare(modules: frozenset[str], threads: int) -> None:
    """Load modules, and give the numerical libraries so many threads."""
    load("torch", *sorted(modules))  # not at the top: a run from the cache needs none of them
    import torch

    torch.set_num_threads(threads)
    # for good, since all tasks of a run have the same number
    _libraries(modules).limit(limits=threads)


@cache
def _libraries(modules: frozenset[str]) -> ThreadpoolController:
    """The loaded libraries that have threads of their own, found once for each set of modules: the
    search takes longer than many tasks."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


_LOADING = Lock()


def load(*modules: str) -> None:
    """Import modules, one thread at a time: torch and scikit-learn have import cycles, so that two
    threads could see half of a module."""
    with _LOADING:
        for module in modules:
            import_module(module)


def load_ahead(*modules: str) -> None:
    """Import modules in a thread of its own, one by one: a task that needs the first goes on while
    the next is loaded."""

    def load_each() -> None:
        for module in modules:
            load(module)

    Thread(target=load_each, name="load-ahead").start()
