"""Cached tasks: when a step has to run, and when its artifact is already there.

A step's key is made of its settings, the digests of its inputs, the code that it reaches and the versions of the
libraries that this code imports. The store alone decides whether there is a whole artifact of that key; Prefect shows a
task that found one as Cached."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from importlib import import_module
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
"""The argument of a cached task that says how it is executed, and is no part of its key."""

HERE = Execution()
"""How a task is executed unless it is handed to a runner: in the store of LISOR_HOME, on one thread."""

CODE = CodeBase({package.__name__: Path(package.__path__[0]) for package in (lisor, lisor_tasks)})


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a cached task makes and from what: enough to find it in the store without running anything.

    `function` is the dotted name of the task's body. `title` is a format of the arguments; of a step that makes one
    artifact for each member of an argument, `parts` is the name of that argument."""

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
        texts = [leaf if isinstance(leaf, list) else [leaf] for _, leaf in leaves(arguments)]
        names = frozenset(text for some in texts for text in some if isinstance(text, str))
        owners = frozenset(f"{owner.__module__}.{owner.__qualname__}" for owner in classes(arguments))
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
        """What a call returns, given the references of its artifacts."""
        return refs[0] if self.parts is None else list(refs)


class CachedTask(Task[P, R]):
    """A Prefect task that makes artifacts, and says how to find them."""

    step: Step


def cached(
    kind: str, *, name: str, retry_after: Sequence[float] = ()
) -> Callable[[Callable[Concatenate[Path, P], None]], CachedTask[P, Ref]]:
    """A Prefect task that returns the reference of one artifact of this kind.

    The decorated function fills the folder that it gets as its first argument; where it has an argument `execution`, it
    gets that too. `name` is a format of the arguments that a person can read; `retry_after` the seconds after which a
    task that needs a network is tried again."""

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


def _make_task(function: Callable[..., None], step: Step, retry_after: Sequence[float] = ()) -> CachedTask[Any, Any]:
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

    how = inspect.Parameter(EXECUTION, inspect.Parameter.KEYWORD_ONLY, default=HERE)
    body.__signature__ = step.signature.replace(  # type: ignore[attr-defined]
        parameters=[*step.signature.parameters.values(), how]
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
    load("torch", *sorted(modules))  # not at the top: a run that is answered from the cache needs none of them
    import torch

    torch.set_num_threads(threads)
    _libraries(modules).limit(limits=threads)  # for good, since all tasks of a run have the same number


@cache
def _libraries(modules: frozenset[str]) -> ThreadpoolController:
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
