"""The user's code that builds an external network, with a digest of all its modules."""

from __future__ import annotations

import ast
import hashlib
import site
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from lisor_tasks.artifacts import Source
from lisor_tasks.keys import digest
from lisor_tasks.reach import find_module

SHARED = {
    Path(path).resolve() for path in (*site.getsitepackages(), sysconfig.get_paths()["stdlib"])
}
"""Folders that many packages share."""


def describe_build(build: str) -> Source:
    """The file of `package.module:callable`, with a digest of the module and of all that it imports
    from the folder of its package; from a folder of installed packages only its own package counts.

    Raises:
        ModelError: there is no such module."""
    # loads torch, which most runs from the cache do not need
    from lisor.networks.external.builds import source_of

    name, origin = build.partition(":")[0], source_of(build)
    package = name.partition(".")[0]
    root = origin.parents[name.count(".") + (origin.name == "__init__.py")]
    digests: dict[str, str] = {}
    waiting = [name]
    while waiting:
        module = waiting.pop()
        path = find_module(root, module.split(".")) if module else None
        counts = root.resolve() not in SHARED or module.partition(".")[0] == package
        if path is None or not counts or module in digests:
            continue
        content, parent = path.read_bytes(), module.rpartition(".")[0]
        digests[module] = hashlib.sha256(content).hexdigest()
        waiting.extend(_imports(content, module if path.name == "__init__.py" else parent))
        waiting.append(parent)  # a package's own code runs before its modules
    return Source(str(origin), f"build-{digest(digests)}")


def _imports(content: bytes, package: str) -> Iterator[str]:
    """The modules that a module's code imports, and the names in them; nothing from code that
    Python cannot read."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):  # importing it will say what is wrong
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
