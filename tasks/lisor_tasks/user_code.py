"""The user's code that builds an external network, with digests of all its modules and of what it
builds."""

from __future__ import annotations

import ast
import hashlib
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

from lisor.errors import ModelError, one_line
from lisor_tasks.artifacts import Source
from lisor_tasks.keys import digest
from lisor_tasks.reach import find_module

SHARED = {
    Path(path).resolve() for path in (*site.getsitepackages(), sysconfig.get_paths()["stdlib"])
}
"""Folders that many packages share."""

PROTOCOL = 4
"""Of pickle, by which an object says what it is made of."""

SHOWN = 80
"""Characters of a build that a message shows."""


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


def describe_built(build: str) -> str:
    """A digest of the network that `package.module:callable` makes without a file of weights, and
    of the variables of its module: what these read from files of their own counts.

    Raises:
        ModelError: it fails, or makes a torch module of other weights each time."""
    from torch import nn

    from lisor.networks.external.builds import load

    network, again = load(build, None), load(build, None)
    if isinstance(network, nn.Module) and isinstance(again, nn.Module):
        first, second = (digest(_content(one.state_dict(), {})) for one in (network, again))
        if first != second:
            raise ModelError(
                f"{one_line(build, SHOWN)} makes other weights each time, so they are not trained: "
                "load the trained ones in it, or give their file (--weights)"
            )
    variables = vars(sys.modules[build.partition(":")[0]])
    named = {name: variables[name] for name in sorted(variables) if not name.startswith("__")}
    return digest(_content([network, named], {}))


def _content(value: Any, seen: dict[int, tuple[int, Any]]) -> Any:
    """What a value holds, as JSON can say it; code and what cannot be read count by their names,
    and what was `seen` before by its number."""
    import torch

    if value is None or isinstance(value, str | int | float):
        return value
    name = getattr(value, "__qualname__", type(value).__qualname__)
    if isinstance(value, ModuleType | type):
        return name
    if id(value) in seen:
        return [seen[id(value)][0]]
    seen[id(value)] = len(seen), value  # kept, so that nothing else gets its id
    inner: Iterable[Any]
    try:
        if isinstance(value, bytes | bytearray):
            return hashlib.sha256(value).hexdigest()
        if isinstance(value, torch.Tensor):  # what it is pickled as has addresses in it
            raw = value.detach().cpu().flatten().view(torch.uint8)
            inner = [str(value.dtype), list(value.shape), raw.numpy().tobytes()]
        elif isinstance(value, Mapping):
            inner = chain(*value.items())
        elif isinstance(value, list | tuple):
            inner = value
        elif isinstance(value, set | frozenset):
            inner = sorted(digest(_content(one, {})) for one in value)
        elif isinstance(value, FunctionType):
            inner = [value.__defaults__, *(cell.cell_contents for cell in value.__closure__ or ())]
        elif isinstance(value, MethodType):
            inner = [value.__self__]
        else:
            parts = value.__reduce_ex__(PROTOCOL)
            inner = (list(part) if isinstance(part, Iterator) else part for part in parts)
        return [name, *(_content(one, seen) for one in inner)]
    except Exception:  # open files, locks and the like
        return name


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
