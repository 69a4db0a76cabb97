"""What the key of an artifact is made of: settings, the digests of inputs, code, and the versions of libraries."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import lisor
from lisor_tasks.artifacts import Ref, Source

LIBRARIES = ("torch", "numpy", "scikit-learn")
"""Their versions are part of every key."""

_PARSING = Lock()
"""CPython 3.11 may raise SystemError where two threads parse at once (its issue 106905)."""


class Code(NamedTuple):
    """The code that a step runs: a digest of all of it, and one of each module."""

    digest: str
    modules: Mapping[str, str]


def digest(value: object) -> str:
    """The SHA-256 of a value made of strings, numbers, lists and dicts, in 32 hex digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]


def canonical(value: Any, left_out: frozenset[str], path: str = "") -> Any:
    """A value as plain data that says the same in every process.

    Raises:
        TypeError: it is, or holds, something whose text may differ between processes."""
    if isinstance(value, Ref):
        return [value.kind, value.sha256]
    if isinstance(value, Source):
        return value.sha256
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        inner = {name: f"{path}.{name}".lstrip(".") for name in value}
        return {name: canonical(value[name], left_out, inner[name]) for name in value if inner[name] not in left_out}
    if isinstance(value, list | tuple):
        return [canonical(item, left_out, path) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a {type(value).__name__} cannot be part of a key: pass settings, references or plain values")


@lru_cache(maxsize=1)
def library_versions() -> dict[str, str]:
    """The versions of the libraries that decide the numbers."""
    return {name: version(name) for name in LIBRARIES}


@lru_cache(maxsize=64)
def read_code(modules: tuple[str, ...], root: Path = Path(lisor.__path__[0]).parent) -> Code:
    """The code of `lisor` modules and of all they import from `lisor`, comments and docstrings apart."""
    texts = {name: _read_module(name, root)[0] for name in sorted(import_graph(modules, root))}
    return Code(digest(texts), {name: digest(text) for name, text in texts.items()})


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
    with _PARSING:
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
