"""The definitions of a module of source code: what each says, as a digest, and which names it reads.

A definition is a top-level function, class or assignment. Its digest is that of its syntax tree without comments,
layout, docstrings, annotations and the messages of errors."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from lisor_tasks.keys import digest

Definition: TypeAlias = ast.stmt | ast.expr

UNFOLLOWED = frozenset({"__import__", "eval", "exec", "globals", "importlib.import_module"})
"""Calls after which any name may be meant."""

STATEMENTS = "<statements>"
"""In the place of a definition's name: what a module does when it is imported, beside defining."""

_PARSING = Lock()
"""CPython 3.11 may raise SystemError where two threads parse at once (its issue 106905)."""


@dataclass(frozen=True)
class Reference:
    """A dotted name that a definition reads: its value, or where `looked_up` only an entry, that of a `key` or any."""

    name: str
    looked_up: bool = False
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Read:
    """What a definition says, as a digest, and what it reads: dotted names from the top, and attributes of anything."""

    digest: str
    references: frozenset[Reference]
    attributes: frozenset[str]

    @classmethod
    def of(cls, definition: Definition, module: Module) -> Read:
        visitor = _Names(module)
        if isinstance(definition, ast.FunctionDef) and any(map(_makes_task, definition.decorator_list)):
            definition = ast.FunctionDef(**{**dict(ast.iter_fields(definition)), "decorator_list": []})
        visitor.visit(definition)
        return cls(
            digest=digest([_plain(definition), sorted(visitor.meant.items())])[:12],
            references=frozenset(visitor.references),
            attributes=frozenset(visitor.attributes),
        )


@dataclass(frozen=True, kw_only=True)
class Module:
    """The definitions of a module by name, what its imports bind, and what it does beside that when it is imported."""

    name: str
    definitions: Mapping[str, list[Definition]]
    imports: Mapping[str, str]

    @classmethod
    def parse(cls, name: str, path: Path) -> Module:
        with _PARSING:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        definitions: dict[str, list[Definition]] = {}
        imports: dict[str, str] = {}
        for line in tree.body:
            if isinstance(line, ast.Import | ast.ImportFrom):
                imports |= _imported(line)
            elif not _is_text(line) and not _only_for_types(line):
                for defined in _defined(line):
                    definitions.setdefault(defined, []).append(line)
        return cls(name=name, definitions=definitions, imports=imports)

    @cached_property
    def _known(self) -> dict[int, Read]:
        return {}

    def read(self, definition: Definition) -> Read:
        """What a definition of this module says and reads."""
        if id(definition) not in self._known:
            self._known[id(definition)] = Read.of(definition, self)
        return self._known[id(definition)]

    def table(self, name: str) -> dict[str, ast.expr]:
        """The entries of a table from names to functions or classes; none where the definition is no such table."""
        lines = self.definitions[name]
        value = lines[0].value if len(lines) == 1 and isinstance(lines[0], ast.Assign | ast.AnnAssign) else None
        if not isinstance(value, ast.Dict) or not all(
            isinstance(entry, ast.Name | ast.Attribute) for entry in value.values
        ):
            return {}
        keys = [_text(key) for key in value.keys]
        return {} if None in keys else dict(zip(map(str, keys), value.values, strict=True))


class _Names(ast.NodeVisitor):
    """Finds the names that a definition reads from outside itself, with what they mean."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._scopes: list[dict[str, str | None]] = []
        """What the functions around bind: what an import's name means, or None for a variable."""
        self.references: set[Reference] = set()
        self.attributes: set[str] = set()
        self.meant: dict[str, str] = {}

    def visit(self, node: ast.AST) -> None:
        """Go through a part of the definition."""
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._visit_function(node)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                self.visit(node.generators[0].iter)  # outside of the scope that the rest is in
                with self._scope(dict.fromkeys(name for part in node.generators for name in _stored(part.target))):
                    self.generic_visit(node)
            case ast.AnnAssign():
                self._visit_all([node.target, node.value])
            case ast.Raise():  # its class may be caught; what its message says changes no result
                self._visit_all([node.exc.func if isinstance(node.exc, ast.Call) else node.exc])
            case ast.Subscript():
                self._read(node.value, looked_up=True, key=_text(node.slice))
                self.visit(node.slice)
            case ast.Call(func=ast.Attribute(attr="get") as function, args=[key, *_]):
                self._read(function.value, looked_up=True, key=_text(key))
                self._visit_all([*node.args, *node.keywords])
            case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[table]):
                self.visit(node.left)
                self._read(table, looked_up=True)
            case ast.Attribute() | ast.Name():
                self._read(node)
            case _:
                self.generic_visit(node)

    def _visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        given = node.args
        self._visit_all([*getattr(node, "decorator_list", ()), *given.defaults, *given.kw_defaults])
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        scope: dict[str, str | None] = {argument.arg: None for argument in every if argument is not None}
        for line in body:
            scope |= _bound_inside(line)
        outside = {
            name for line in body for part in ast.walk(line) if isinstance(part, ast.Global) for name in part.names
        }
        with self._scope({name: meaning for name, meaning in scope.items() if name not in outside}):
            self._visit_all(body)

    @contextmanager
    def _scope(self, scope: dict[str, str | None]) -> Iterator[None]:
        self._scopes.append(scope)
        yield
        self._scopes.pop()

    def _read(self, node: ast.expr, *, looked_up: bool = False, key: str | None = None) -> None:
        """Note a dotted name, or visit what is no name."""
        attributes: list[str] = []
        base = node
        while isinstance(base, ast.Attribute):
            attributes.insert(0, base.attr)
            base = base.value
        self.attributes.update(attributes)
        if not isinstance(base, ast.Name):
            self.visit(base)
            return
        meaning = self._meaning(base.id)
        if meaning is not None:
            self.references.add(Reference(".".join([meaning, *attributes]), looked_up, key))
            self.meant[base.id] = meaning

    def _meaning(self, name: str) -> str | None:
        """What a name means where it is read: a dotted name, or None for a variable or one of Python's own."""
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        if name in self._module.imports:
            return self._module.imports[name]
        if name in self._module.definitions:
            return f"{self._module.name}.{name}"
        return name if name in UNFOLLOWED else None


def _plain(value: object) -> object:
    """A syntax tree as plain data, the same in every version of Python."""
    if isinstance(value, list):
        return [_plain(item) for item in value if not _is_text(item)]
    if not isinstance(value, ast.AST):
        return value if isinstance(value, str | int | None) else [type(value).__name__, repr(value)]
    if isinstance(value, ast.Import | ast.ImportFrom):
        return "import"  # what its names mean is followed
    fields = dict(ast.iter_fields(value))
    if isinstance(value, ast.Raise) and isinstance(value.exc, ast.Call):
        fields["exc"] = value.exc.func
    for annotation in ("annotation", "returns", "type_comment", "kind", "ctx", "type_params"):
        fields.pop(annotation, None)
    return [type(value).__name__, {name: _plain(part) for name, part in fields.items() if part not in (None, [])}]


def _imported(line: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """What each name means that an import binds."""
    if isinstance(line, ast.ImportFrom):
        return {alias.asname or alias.name: f"{line.module}.{alias.name}" for alias in line.names}
    return {
        alias.asname or alias.name.partition(".")[0]: alias.name if alias.asname else alias.name.partition(".")[0]
        for alias in line.names
    }


def _bound_inside(node: ast.AST) -> dict[str, str | None]:
    """What a part of a function binds in its scope."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return dict(_imported(node))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name: None}
    if isinstance(node, ast.Lambda):
        return {}
    bound: dict[str, str | None] = {}
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
        bound[node.id] = None
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        bound[node.name] = None
    inner: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        inner = (part for part in ast.walk(node) if isinstance(part, ast.NamedExpr))
    for part in inner:
        bound |= _bound_inside(part)
    return bound


def _defined(line: ast.stmt) -> list[str]:
    """The names that a top-level statement defines, and that of what it does beside."""
    if isinstance(line, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [line.name]
    names = [
        *_stored(line),
        *(part.name for part in ast.walk(line) if isinstance(part, ast.FunctionDef | ast.ClassDef)),
    ]
    only_defines = names and isinstance(line, ast.Assign | ast.AnnAssign | ast.AugAssign)
    return names if only_defines else [*names, STATEMENTS]


def _stored(node: ast.AST) -> list[str]:
    """The names that are assigned to in a part of the code."""
    return [part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]


def _makes_task(decorator: ast.expr) -> bool:
    """Is this the decorator of a step? What it says stands in keys by itself."""
    name = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(name, ast.Name) and name.id in ("cached", "cached_block")


def _only_for_types(line: ast.stmt) -> bool:
    """Is this an `if TYPE_CHECKING:` block, which never runs?"""
    return isinstance(line, ast.If) and isinstance(line.test, ast.Name) and line.test.id == "TYPE_CHECKING"


def _is_text(node: object) -> bool:
    """Is this a text that stands alone, a docstring of a function or an attribute?"""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _text(node: ast.expr | None) -> str | None:
    """The text that a constant is; None for any other expression."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
