"""The code that a step reaches: definitions of lisor and lisor_tasks, followed by name from the task's own body.

A definition is a top-level function, class or assignment of a module. It is known by a digest of its syntax tree
without comments, layout, docstrings, annotations and the messages of errors. From it every name that it reads is
followed: to definitions of its module, through imports anywhere in it, through `module.attribute`, and through tables
from names to functions or classes, of which those entries count that an argument names. Objects that arrive as
arguments count by the methods and properties that the reached code may call. What cannot be followed, such as a module
that is passed on as a value, counts whole and is listed."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lisor_tasks.definitions import STATEMENTS, UNFOLLOWED, Definition, Module, Reference

STORE = "lisor_tasks.artifacts"
"""The module whose code is not followed: an artifact is what its digest says, whatever code reads it."""

_NOT_CALLED = frozenset({"__init__", "__post_init__", "__new__"})
"""Methods of an argument that ran before it became one: what they made are its values, which the key has."""


@dataclass(frozen=True, kw_only=True)
class Reached:
    """Digests of definitions by dotted name, the modules in which they stand, the top-level names of the libraries that
    they import, and the definitions in which something cannot be followed."""

    definitions: Mapping[str, str]
    modules: frozenset[str]
    libraries: frozenset[str]
    unfollowed: frozenset[str]


class CodeBase:
    """Packages of source code by the folders in which they lie, each file parsed when it is first needed."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = dict(folders)
        self._modules: dict[str, Module | None] = {}
        self._searches: dict[tuple[str, frozenset[str]], list[_Search]] = {}

    def reach(
        self, function: str, names: frozenset[str] = frozenset(), classes: frozenset[str] = frozenset()
    ) -> Reached:
        """What a function of a dotted name reaches, its own decorators apart, when its arguments hold these texts and
        objects of these classes."""
        parts = {part for name in names for part in (name, *name.split("-"))}
        earlier = self._searches.setdefault((function, classes), [])
        for search in earlier:
            if search.would_go_alike(parts):
                return search.reached
        earlier.append(_Search(self, function, parts, classes))
        return earlier[-1].reached

    def module(self, name: str) -> Module | None:
        """The module of that name; None where it is not in these packages."""
        if name not in self._modules:
            path = self._path(name)
            self._modules[name] = None if path is None else Module.parse(name, path)
        return self._modules[name]

    def split(self, name: str) -> tuple[Module, list[str]] | None:
        """The module that a dotted name begins with, as long as possible, and what of the name is left."""
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            module = self.module(".".join(parts[:length]))
            if module is not None:
                return module, parts[length:]
        return None

    def _path(self, module: str) -> Path | None:
        package, *parts = module.split(".")
        if package not in self._folders:
            return None
        path = self._folders[package].joinpath(*parts)
        places = (path / "__init__.py", path.with_suffix(".py"))
        return next((place for place in places if place.is_file()), None)


class _Search:
    """One search for all that a function reaches."""

    def __init__(self, code: CodeBase, function: str, names: set[str], classes: frozenset[str]) -> None:
        self._code, self._names, self._classes = code, names, classes
        self._keys: set[str] = set()
        """Of the tables in which an argument may be looked up."""
        self._definitions: dict[str, list[str]] = {}
        self._modules: set[str] = set()
        self._libraries: set[str] = set()
        self._unfollowed: set[str] = set()
        self._attributes: set[str] = set()
        self._waiting: list[tuple[str, Module, Definition]] = []
        self.reached = self._run(function)

    def would_go_alike(self, names: set[str]) -> bool:
        """Would a search with other names find the same?"""
        return self._keys & names == self._keys & self._names

    def _run(self, function: str) -> Reached:
        module_name, _, name = function.rpartition(".")
        module = self._code.module(module_name)
        if module is None or name not in module.definitions:
            raise KeyError(f"{function} is no function of these packages")
        self._add_definition(module, Reference(function))
        while self._waiting or self._add_methods():
            self._follow(*self._waiting.pop())
        return Reached(
            definitions={label: "+".join(found) for label, found in sorted(self._definitions.items())},
            modules=frozenset(self._modules),
            libraries=frozenset(self._libraries),
            unfollowed=frozenset(self._unfollowed),
        )

    def _add(self, label: str, module: Module, definition: Definition) -> None:
        known, own = self._definitions.setdefault(label, []), module.read(definition).digest
        if own not in known:
            known.append(own)
            self._modules.add(module.name)
            self._waiting.append((label, module, definition))

    def _follow(self, label: str, module: Module, definition: Definition) -> None:
        read = module.read(definition)
        self._attributes |= read.attributes
        for line in module.definitions.get(STATEMENTS, ()):
            self._add(f"{module.name}.{STATEMENTS}", module, line)
        for reference in read.references:
            if reference.name in UNFOLLOWED:
                self._unfollowed.add(label)
                self._add_whole(module)
            self._resolve(label, reference)

    def _resolve(self, label: str, reference: Reference) -> None:
        split = self._code.split(reference.name)
        if split is None:
            self._libraries.add(reference.name.partition(".")[0])
            return
        module, rest = split
        if module.name == STORE:
            return
        if rest and rest[0] in module.definitions:
            whole = Reference(f"{module.name}.{rest[0]}")
            self._add_definition(module, replace(reference, name=whole.name) if len(rest) == 1 else whole)
        elif rest and rest[0] in module.imports:
            self._resolve(label, replace(reference, name=".".join([module.imports[rest[0]], *rest[1:]])))
        elif not rest or not rest[0].startswith("__"):
            self._unfollowed.add(label)
            self._add_whole(module)

    def _add_definition(self, module: Module, reference: Reference) -> None:
        name = reference.name.rpartition(".")[2]
        table = module.table(name) if reference.looked_up else {}
        if reference.key is None:
            self._keys.update(table)
        wanted = self._names if reference.key is None else {reference.key}
        entries = {key: entry for key, entry in table.items() if key in wanted}
        for key, entry in entries.items():
            self._add(f"{reference.name}[{key}]", module, entry)
        if not entries:
            for line in module.definitions[name]:
                self._add(reference.name, module, line)

    def _add_whole(self, module: Module) -> None:
        for name in module.definitions:
            self._add_definition(module, Reference(f"{module.name}.{name}"))

    def _add_methods(self) -> bool:
        """Add what may be called of the arguments' classes; is there anything new?"""
        for full in self._classes:
            split = self._code.split(full)
            if split is None or len(split[1]) != 1:
                continue
            module, (name,) = split
            for line in module.definitions[name]:
                for method in line.body if isinstance(line, ast.ClassDef) else ():
                    if isinstance(method, ast.FunctionDef) and self._may_be_called(method.name):
                        self._add(f"{full}.{method.name}", module, method)
        return bool(self._waiting)

    def _may_be_called(self, method: str) -> bool:
        special = method.startswith("__") and method.endswith("__")
        return method in self._attributes or (special and method not in _NOT_CALLED)
