"""The code that a step reaches: definitions of lisor and lisor_tasks, found by name from the task's
own body.

A definition is a top-level function, class or assignment of a module. Its digest is that of its
syntax tree without comments, layout, docstrings, annotations and the messages of errors. Every name
that it reads leads on: to definitions of its module, through imports, through `module.attribute`,
and through tables from names to functions or classes. Of a table only the entries count that an
argument names. Of an argument's class only the methods and properties count that the reached code
may call. A module whose use cannot be resolved, such as one that is passed as a value, counts whole
and is listed."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lisor_tasks.definitions import STATEMENTS, UNFOLLOWED, Definition, Module, Reference

STORE = "lisor_tasks.artifacts"
"""The module whose code is part of no key: an artifact is known by its digest, whatever code reads
it."""

_NOT_CALLED = frozenset({"__init__", "__post_init__", "__new__"})
"""Methods that ran before the object became an argument: they made its values, which are in the
key."""


@dataclass(frozen=True, kw_only=True)
class Reached:
    """Digests of definitions by dotted name, their modules, the top-level names of the libraries
    that they import, and the definitions in which a name cannot be resolved."""

    definitions: Mapping[str, str]
    modules: frozenset[str]
    libraries: frozenset[str]
    unfollowed: frozenset[str]


class CodeBase:
    """Packages of source code by their folders; each file is parsed when it is first needed."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = dict(folders)
        self._modules: dict[str, Module | None] = {}
        self._searches: dict[tuple[str, frozenset[str]], list[_Search]] = {}

    def reach(
        self,
        function: str,
        names: frozenset[str] = frozenset(),
        classes: frozenset[str] = frozenset(),
    ) -> Reached:
        """What a function of a dotted name reaches, without its decorators, when its arguments hold
        these texts and objects of these classes."""
        parts = {part for name in names for part in (name, *name.split("-"))}
        earlier = self._searches.setdefault((function, classes), [])
        for search in earlier:
            if search.is_same_for(parts):
                return search.reached
        earlier.append(_Search(self, function, parts, classes))
        return earlier[-1].reached

    def module(self, name: str) -> Module | None:
        """The module of that name; None if it is not in these packages."""
        if name not in self._modules:
            path = self._path(name)
            self._modules[name] = None if path is None else Module.parse(name, path)
        return self._modules[name]

    def split(self, name: str) -> tuple[Module, list[str]] | None:
        """The longest module that a dotted name begins with, and the rest of the name."""
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            module = self.module(".".join(parts[:length]))
            if module is not None:
                return module, parts[length:]
        return None

    def _path(self, module: str) -> Path | None:
        package, *parts = module.split(".")
        return find_module(self._folders[package], parts) if package in self._folders else None


def find_module(folder: Path, parts: Sequence[str]) -> Path | None:
    """The file of a module in a folder, by the parts of its dotted name; None if there is none."""
    path = folder.joinpath(*parts)
    return next(filter(Path.is_file, (path / "__init__.py", path.with_suffix(".py"))), None)


class _Search:
    """One search for all that a function reaches."""

    def __init__(
        self, code: CodeBase, function: str, names: set[str], classes: frozenset[str]
    ) -> None:
        self._code, self._names, self._classes = code, names, classes
        self._keys: set[str] = set()
        """Keys of the tables in which an argument may be looked up."""
        self._definitions: dict[str, list[str]] = {}
        self._modules: set[str] = set()
        self._libraries: set[str] = set()
        self._unfollowed: set[str] = set()
        self._attributes: set[str] = set()
        self._waiting: list[tuple[str, Module, Definition]] = []
        self.reached = self._run(function)

    def is_same_for(self, names: set[str]) -> bool:
        """Would a search with these names find the same?"""
        return self._keys & names == self._keys & self._names

    def _run(self, function: str) -> Reached:
        module_name, _, name = function.rpartition(".")
        module = self._code.module(module_name)
        if module is None or name not in module.definitions:
            raise KeyError(f"{function} is no function of these packages")
        self._add_definition(module, Reference(function))
        while self._waiting or self._add_methods():
            self._read(*self._waiting.pop())
        return Reached(
            definitions={
                label: "+".join(digests) for label, digests in sorted(self._definitions.items())
            },
            modules=frozenset(self._modules),
            libraries=frozenset(self._libraries),
            unfollowed=frozenset(self._unfollowed),
        )

    def _add(self, label: str, module: Module, definition: Definition) -> None:
        digest = module.read(definition).digest
        if digest not in self._definitions.setdefault(label, []):
            self._definitions[label].append(digest)
            self._modules.add(module.name)
            self._waiting.append((label, module, definition))

    def _read(self, label: str, module: Module, definition: Definition) -> None:
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
            self._add_definition(
                module, replace(reference, name=whole.name) if len(rest) == 1 else whole
            )
        elif rest and rest[0] in module.imports:
            self._resolve(
                label, replace(reference, name=".".join([module.imports[rest[0]], *rest[1:]]))
            )
        elif not rest or not rest[0].startswith("__"):
            self._unfollowed.add(label)
            self._add_whole(module)

    def _add_definition(self, module: Module, reference: Reference) -> None:
        name = reference.name.rpartition(".")[2]
        table = module.table(name)
        elsewhere = {
            key: Reference(str(entry.value).replace(":", "."))
            for key, entry in table.items()
            if isinstance(entry, ast.Constant)
        }
        if not reference.looked_up and not elsewhere:
            table = {}
        if reference.looked_up and reference.key is None:
            self._keys.update(table)
        wanted = self._names if reference.key is None else {reference.key}
        entries = {key: entry for key, entry in table.items() if key in wanted}
        if elsewhere:  # a registry: all its entries count if no argument names one
            for key in entries or elsewhere:
                self._resolve(f"{reference.name}[{key}]", elsewhere[key])
            return
        for key, entry in entries.items():
            self._add(f"{reference.name}[{key}]", module, entry)
        if not entries:
            for line in module.definitions[name]:
                self._add(reference.name, module, line)

    def _add_whole(self, module: Module) -> None:
        for name in module.definitions:
            self._add_definition(module, Reference(f"{module.name}.{name}"))

    def _add_methods(self) -> bool:
        """Add the methods of the arguments' classes that may be called; is there anything new?"""
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
        return method not in _NOT_CALLED and (special or method in self._attributes)
