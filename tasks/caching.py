"""Cached tasks: when a step has to run, and when its artifact is already there.

A step's key is made of its kind, its settings, the digests of its inputs, the code of the `lisor` modules it runs, and
the versions of the libraries that decide its numbers. Prefect looks the key up among its result records; the store
decides whether the artifact behind the record is whole."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache, wraps
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any, Concatenate, ParamSpec

from prefect import task
from prefect.context import TaskRunContext
from prefect.results import get_result_store
from prefect.tasks import Task

import lisor
from tasks.artifacts import Ref, Source, open_store

P = ParamSpec("P")

LIBRARIES = ("torch", "numpy", "scikit-learn")
"""Their versions are part of every key."""


def cached(
    kind: str, *modules: str, name: str, without: Iterable[str] = ()
) -> Callable[[Callable[Concatenate[Path, P], None]], Task[P, Ref]]:
    """A Prefect task that returns the reference of one artifact of this kind.

    The decorated function fills the folder it gets as its first argument. `modules` are the `lisor` modules whose code,
    with all that they import, decides the content; `name` is a format of the arguments that a person can read;
    `without` lists arguments, or fields of arguments (`training.trials`), that do not change the content."""

    def decorate(function: Callable[Concatenate[Path, P], None]) -> Task[P, Ref]:
        run = _prepared(function, modules)

        def body(key: str, arguments: dict[str, Any]) -> list[Ref]:
            return open_store().build(kind, [key], lambda folders: run(folders[0], **arguments))

        return _make_task(function, kind, modules, name, without, body, lambda key, arguments: [key], one=True)

    return decorate


def cached_block(
    kind: str, *modules: str, name: str, parts: str, without: Iterable[str] = ()
) -> Callable[[Callable[Concatenate[list[Path], P], None]], Task[P, list[Ref]]]:
    """Like `cached`, for a task that makes one artifact for each member of its argument `parts`."""

    def decorate(function: Callable[Concatenate[list[Path], P], None]) -> Task[P, list[Ref]]:
        run = _prepared(function, modules)

        def keys(key: str, arguments: dict[str, Any]) -> list[str]:
            return [f"{key}-{part}" for part in arguments[parts]]

        def body(key: str, arguments: dict[str, Any]) -> list[Ref]:
            return open_store().build(kind, keys(key, arguments), lambda folders: run(folders, **arguments))

        return _make_task(function, kind, modules, name, without, body, keys, one=False)

    return decorate


def _make_task(
    function: Callable[..., None],
    kind: str,
    modules: tuple[str, ...],
    name: str,
    without: Iterable[str],
    build: Callable[[str, dict[str, Any]], list[Ref]],
    part_keys: Callable[[str, dict[str, Any]], list[str]],
    *,
    one: bool,
) -> Task[Any, Any]:
    signature = inspect.signature(function)
    signature = signature.replace(parameters=list(signature.parameters.values())[1:])
    left_out = frozenset(without)

    def key_of(arguments: Mapping[str, Any]) -> str:
        return digest([kind, _canonical(arguments, left_out), source_digest(modules), library_versions()])

    def find_record(context: TaskRunContext, arguments: dict[str, Any]) -> str:
        key = key_of(arguments)
        refs = open_store().find(kind, part_keys(key, arguments))
        _forget_stale(key, refs if refs is None or not one else refs[0])
        return key

    @wraps(function)
    def body(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        refs = build(key_of(bound.arguments), dict(bound.arguments))
        return refs[0] if one else refs

    body.__signature__ = signature  # type: ignore[attr-defined]
    return task(
        name=function.__name__.replace("_", "-"),
        task_run_name=name,
        cache_key_fn=find_record,
        persist_result=True,
        result_serializer="json",
        cache_result_in_memory=False,
    )(body)


def _prepared(function: Callable[..., None], modules: Iterable[str]) -> Callable[..., None]:
    """The function, run when its modules are loaded, with as many threads in the numerical libraries as its argument
    `threads` says, else one."""

    def run(*args: Any, **arguments: Any) -> None:
        load("torch", *modules)  # not at the top: a run that is answered from the cache needs none of them
        import torch
        from threadpoolctl import threadpool_limits

        threads = int(arguments.get("threads", 1))
        torch.set_num_threads(threads)
        threadpool_limits(threads)  # for good, since all tasks of a run have the same number
        function(*args, **arguments)

    return run


_LOADING = Lock()


def load(*modules: str) -> None:
    """Import modules, one thread at a time: two that import libraries with cycles at once, as torch and scikit-learn
    are, can see half of a module."""
    with _LOADING:
        for module in modules:
            import_module(module)


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


def digest(value: object) -> str:
    """The SHA-256 of a value made of strings, numbers, lists and dicts, in 32 hex digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]


def _canonical(value: Any, left_out: frozenset[str], path: str = "") -> Any:
    """A value as plain data that says the same in every process."""
    if isinstance(value, Ref):
        return [value.kind, value.sha256]
    if isinstance(value, Source):
        return value.sha256
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        inner = {name: f"{path}.{name}".lstrip(".") for name in value}
        return {name: _canonical(value[name], left_out, inner[name]) for name in value if inner[name] not in left_out}
    if isinstance(value, list | tuple):
        return [_canonical(item, left_out, path) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a {type(value).__name__} cannot be part of a key: pass settings, references or plain values")


@lru_cache(maxsize=1)
def library_versions() -> dict[str, str]:
    """The versions of the libraries that decide the numbers."""
    return {name: version(name) for name in LIBRARIES}


@lru_cache(maxsize=64)
def source_digest(modules: tuple[str, ...], root: Path = Path(lisor.__path__[0]).parent) -> str:
    """A digest of the code of `lisor` modules and of all they import from `lisor`, comments and docstrings apart."""
    return digest({name: _read_module(name, root)[0] for name in sorted(import_graph(modules, root))})


def import_graph(modules: Iterable[str], root: Path) -> set[str]:
    """The `lisor` modules that these run: themselves and what they import, imports for type checking apart."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_read_module(name, root)[1])
    return found


@lru_cache(maxsize=256)
def _read_module(name: str, root: Path) -> tuple[str, frozenset[str]]:
    """The code of a module as text, without docstrings, comments and layout, and the `lisor` modules it imports."""
    tree = _without_type_checking(ast.parse(_path(name, root).read_text(encoding="utf-8")))
    imports = frozenset(_imports(tree, root))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):  # a text that stands alone is a docstring, of a function or of an attribute
            node.body = [line for line in body if not _is_text(line)] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.dump(tree, annotate_fields=False), imports


def _imports(tree: ast.Module, root: Path) -> Iterable[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if _is_module(name, root) else str(node.module) for name in names]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] == "lisor" and _is_module(name, root))


def _without_type_checking(tree: ast.Module) -> ast.Module:
    """The module without `if TYPE_CHECKING:` blocks, which never run."""
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING")
    ]
    return tree


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _path(module: str, root: Path) -> Path:
    path = root.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _is_module(name: str, root: Path) -> bool:
    return _path(name, root).is_file()
