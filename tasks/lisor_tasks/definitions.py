"""The definitions of a module of source code: the digest of each, and the names that it reads.

A definition is a top-level function, class or assignment. Its digest is that of its syntax tree
without comments, layout, docstrings, annotations and the messages of errors."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from lisor_tasks.keys import digest

Definition: TypeAlias = ast.stmt | ast.expr

UNFOLLOWED = frozenset({"__import__", "eval", "exec", "globals", "importlib.import_module"})
"""Calls that may use any name."""

STATEMENTS = "<statements>"
"""Stands for the statements of a module that do more than define a name."""

_PARSING = Lock()
"""CPython 3.11 may raise SystemError if two threads parse at the same time (its issue 106905)."""


@dataclass(frozen=True)
class Reference:
    """A dotted name that a definition reads: its value, or, where `looked_up`, only an entry: that
    of a `key`, or any."""

    name: str
    looked_up: bool = False
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Read:
    """The digest of a definition, and what it reads: dotted names, and attributes of anything."""

    digest: str
    references: frozenset[Reference]
    attributes: frozenset[str]

    @classmethod
    def of(cls, definition: Definition, module: Module) -> Read:
        names = _Names(module)
        if isinstance(definition, ast.FunctionDef) and any(
            map(_makes_task, definition.decorator_list)
        ):
            definition = ast.FunctionDef(
                **{**dict(ast.iter_fields(definition)), "decorator_list": []}
            )
        names.collect(definition)
        return cls(
            digest=digest([_plain(definition), sorted(names.meant.items())])[:12],
            references=frozenset(names.references),
            attributes=frozenset(names.attributes),
        )


@dataclass(frozen=True, kw_only=True)
class Module:
    """The definitions of a module by name, and what its imports bind."""

    name: str
    definitions: Mapping[str, list[Definition]]
    imports: Mapping[str, str]
    _known: dict[int, Read] = field(default_factory=dict, repr=False, compare=False)

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

    def read(self, definition: Definition) -> Read:
        """The digest of a definition of this module, and what it reads."""
        if id(definition) not in self._known:
            self._known[id(definition)] = Read.of(definition, self)
        return self._known[id(definition)]

    def table(self, name: str) -> dict[str, ast.expr]:
        """The entries of a table from names to functions or classes; none if the definition is no
        such table."""
        line, *more = self.definitions[name]
        value = None if more else getattr(line, "value", None)
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "Registry" and value.args:
            value = value.args[0]
        if not isinstance(value, ast.Dict) or not all(map(_is_entry, value.values)):
            return {}
        keys = [_text(key) for key in value.keys]
        return {} if None in keys else dict(zip(map(str, keys), value.values, strict=True))


class _Names:
    """Collects the names that a definition reads from outside itself, with their meanings."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._scopes: list[dict[str, str | None]] = []
        """What the enclosing functions bind: the meaning of an import, None for a variable."""
        self.references: set[Reference] = set()
        self.attributes: set[str] = set()
        self.meant: dict[str, str] = {}

    def collect(self, node: ast.AST) -> None:
        """Collect the names of a part of the definition."""
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._collect_function(node)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                self.collect(node.generators[0].iter)  # which is outside the scope of the rest
                with self._scope(
                    dict.fromkeys(name for part in node.generators for name in _stored(part.target))
                ):
                    self._collect_all(ast.iter_child_nodes(node))
            case ast.ClassDef():  # the parameter of a generic base concerns types alone
                bases = [
                    base.value if isinstance(base, ast.Subscript) else base for base in node.bases
                ]
                self._collect_all([*node.decorator_list, *bases, *node.keywords, *node.body])
            case ast.AnnAssign():
                self._collect_all([node.target, node.value])
            case ast.Raise():  # its class may be caught; its message changes no result
                self._collect_all([node.exc.func if isinstance(node.exc, ast.Call) else node.exc])
            case ast.Subscript():
                self._read(node.value, looked_up=True, key=_text(node.slice))
                self.collect(node.slice)
            case ast.Call(func=ast.Attribute(attr="get") as function, args=[key, *_]):
                self._read(function.value, looked_up=True, key=_text(key))
                self._collect_all([*node.args, *node.keywords])
            case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[table]):
                self.collect(node.left)
                self._read(table, looked_up=True)
            case ast.Attribute() | ast.Name():
                self._read(node)
            case _:
                self._collect_all(ast.iter_child_nodes(node))

    def _collect_all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.collect(node)

    def _collect_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        defaults = [*node.args.defaults, *node.args.kw_defaults]
        self._collect_all([*getattr(node, "decorator_list", ()), *defaults])
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        given += filter(None, [node.args.vararg, node.args.kwarg])
        scope: dict[str, str | None] = {argument.arg: None for argument in given}
        for line in body:
            scope |= _bound_inside(line)
        for part in (part for line in body for part in ast.walk(line)):
            for name in part.names if isinstance(part, ast.Global) else ():
                scope.pop(name, None)
        with self._scope(scope):
            self._collect_all(body)

    @contextmanager
    def _scope(self, scope: dict[str, str | None]) -> Iterator[None]:
        self._scopes.append(scope)
        yield
        self._scopes.pop()

    def _read(self, node: ast.expr, *, looked_up: bool = False, key: str | None = None) -> None:
        """Collect a dotted name, or the names in what is none."""
        attributes: list[str] = []
        base = node
        while isinstance(base, ast.Attribute):
            attributes.insert(0, base.attr)
            base = base.value
        self.attributes.update(attributes)
        if not isinstance(base, ast.Name):
            self.collect(base)
            return
        meaning = self._meaning(base.id)
        if meaning is not None:
            self.references.add(Reference(".".join([meaning, *attributes]), looked_up, key))
            self.meant[base.id] = meaning

    def _meaning(self, name: str) -> str | None:
        """The dotted name that a name means here; None for a variable or a name of Python's own."""
        for scope in (*reversed(self._scopes), self._module.imports):
            if name in scope:
                return scope[name]
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
        return "import"  # the meanings of its names are part of the digest already
    fields = dict(ast.iter_fields(value))
    if isinstance(value, ast.Raise) and isinstance(value.exc, ast.Call):
        fields["exc"] = value.exc.func
    for annotation in ("annotation", "returns", "type_comment", "kind", "ctx", "type_params"):
        fields.pop(annotation, None)
    return [
        type(value).__name__,
        {name: _plain(part) for name, part in fields.items() if part not in (None, [])},
    ]


def _imported(line: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """The meaning of each name that an import binds."""
    if isinstance(line, ast.ImportFrom):
        return {alias.asname or alias.name: f"{line.module}.{alias.name}" for alias in line.names}
    plain = {alias: alias.name.partition(".")[0] for alias in line.names}
    return {
        alias.asname or top: alias.name if alias.asname else top for alias, top in plain.items()
    }


def _bound_inside(node: ast.AST) -> dict[str, str | None]:
    """The names that a part of a function binds in its scope, with their meanings."""
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
    """The names that a top-level statement defines; with `STATEMENTS` if it does more than that."""
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
    return [
        part.id
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    ]


def _makes_task(decorator: ast.expr) -> bool:
    """Is this the decorator of a step? Its arguments are in the keys anyway."""
    name = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(name, ast.Name) and name.id in ("cached", "cached_block")


def _only_for_types(line: ast.stmt) -> bool:
    """Is this an `if TYPE_CHECKING:` block, which never runs?"""
    return (
        isinstance(line, ast.If)
        and isinstance(line.test, ast.Name)
        and line.test.id == "TYPE_CHECKING"
    )


def _is_text(node: object) -> bool:
    """Is this a string that stands alone: the docstring of a function or an attribute?"""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_entry(node: ast.expr) -> bool:
    """Is this a function or a class, or the text `module:name` of one?"""
    return isinstance(node, ast.Name | ast.Attribute) or ":" in (_text(node) or "")


def _text(node: ast.expr | None) -> str | None:
    """The value of a string constant; None for any other expression."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
