"""The user's code that builds an external network, known by the content of all its modules."""

from __future__ import annotations

import ast
import hashlib
import site
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from lisor_tasks.artifacts import Source
from lisor_tasks.keys import digest

SHARED = {Path(path).resolve() for path in (*site.getsitepackages(), sysconfig.get_paths()["stdlib"])}
"""Folders in which the packages of many people lie beside each other."""


def describe_build(build: str) -> Source:
    """The file of `package.module:callable` with the digest of the module and of those that it imports, and these
    import, from the folder in which its package lies; of a folder of installed packages from its own package alone.

    Raises:
        ModelError: there is no such module."""
    from lisor.rnn.builds import source_of  # loads torch, which most runs from the cache do without

    name, origin = build.partition(":")[0], source_of(build)
    package = name.partition(".")[0]
    root = origin.parents[name.count(".") + (origin.name == "__init__.py")]
    found: dict[str, str] = {}
    waiting = [name]
    while waiting:
        module = waiting.pop()
        path = _path(module, root)
        own = root.resolve() not in SHARED or module.partition(".")[0] == package
        if path is None or not own or module in found:
            continue
        content = path.read_bytes()
        found[module] = hashlib.sha256(content).hexdigest()
        waiting.extend(_imports(content, module if path.name == "__init__.py" else module.rpartition(".")[0]))
        waiting.append(module.rpartition(".")[0])  # a package's own code runs before its modules
    return Source(str(origin), f"build-{digest(found)}")


def _path(module: str, root: Path) -> Path | None:
    """The file of a module that lies in a folder."""
    if not module:
        return None
    place = root.joinpath(*module.split("."))
    return next((path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file()), None)


def _imports(content: bytes, package: str) -> Iterator[str]:
    """The modules, or names in them, that a module's code imports; nothing of code that Python cannot read."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):  # to import it says what is wrong
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
