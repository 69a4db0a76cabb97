"""Writes into docs/architecture.md the picture of the house and what each file is, from the imports
and docstrings, and what its recipes print.

python -m docs.write_architecture"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pygraphviz

from lisor.automata.fonts import load_fonts

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/architecture.md"
PICTURE = ROOT / "docs/images/architecture.svg"

FOLDERS = {
    "lisor": ROOT / "lisor",
    "lisor_tasks": ROOT / "tasks/lisor_tasks",
    "lisor_flows": ROOT / "flows/lisor_flows",
}

PACKAGES = (
    "automata",
    "data",
    "networks",
    "clustering",
    "extraction",
    "evaluation",
    "anomalies",
    "explain",
    "report",
)
"""The packages of lisor: each may import those before it, and the values below all of them."""

ROOF = ("pipeline", "search", "shortcuts")
"""Modules of lisor that may import all packages. Its other modules are values, which import no
package."""

VALUES, TOP = "values", "pipeline"
"""What the picture calls the modules below all packages, and those above them."""


def name_of(path: Path) -> str:
    """The dotted name of a module."""
    top, folder = next(
        (top, folder) for top, folder in FOLDERS.items() if path.is_relative_to(folder)
    )
    parts = path.relative_to(folder).with_suffix("").parts
    return ".".join([top, *(part for part in parts if part != "__init__")])


MODULES = {
    name_of(path): path for folder in FOLDERS.values() for path in sorted(folder.rglob("*.py"))
}


@cache
def imported(path: Path) -> frozenset[str]:
    """The dotted names that a file imports, wherever in the file it does, for types alone too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def imported_modules(name: str) -> set[str]:
    """The modules of lisor, tasks and flows that one of them imports."""
    found = {one if one in MODULES else one.rpartition(".")[0] for one in imported(MODULES[name])}
    return {one for one in found if one in MODULES and one != name}


def part_of(module: str) -> str:
    """The part of the house that a module belongs to, as the picture names it."""
    top, *parts = module.split(".")
    if top != "lisor":
        return top.removeprefix("lisor_")
    if not parts or parts[0] in ROOF:
        return TOP
    return parts[0] if parts[0] in PACKAGES else VALUES


FLOORS = (VALUES, *PACKAGES, TOP, "tasks", "flows")
"""The parts of the house from the ground up."""


def draw() -> str:
    """The picture: a box for each part and an arrow for each import, but for what arrows over other
    parts say."""
    edges = {
        (part_of(name), part_of(other))
        for name in MODULES
        for other in imported_modules(name)
        if name != "lisor"
    }
    edges = {(source, target) for source, target in edges if source != target}
    graph = pygraphviz.AGraph(
        directed=True, rankdir="BT", bgcolor="transparent", nodesep=0.4, ranksep=0.45
    )
    graph.node_attr.update(
        shape="box",
        style="rounded,filled",
        fillcolor="#eef1f4",
        fontname="Helvetica",
        fontsize="12",
        color="#9aa2ab",
    )
    graph.edge_attr.update(arrowsize="0.6", color="#5b626b")
    graph.add_nodes_from(FLOORS)
    graph.add_edges_from(sorted((target, source) for source, target in edges), dir="back")
    load_fonts()
    svg: bytes = graph.tred(copy=True).draw(format="svg", prog="dot")
    return svg.decode()


def summary_of(path: Path) -> str:
    """The first sentence of a module's docstring, without what follows a colon outside quotes."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    text = " ".join(docstring.partition("\n\n")[0].split())
    sentence = re.split(r"(?<=[^.][^. ]\.) (?=[A-Z0-9`])", text, maxsplit=1)[0]
    quoted = re.sub(r'"[^"]*"|\([^)]*\)', lambda part: "_" * len(part[0]), sentence)
    return sentence[: (quoted.find(": ") + 1 or len(sentence) + 1) - 1].rstrip(".")


def tree() -> Iterator[str]:
    """A line for each file, folder by folder."""
    for folder in FOLDERS.values():
        yield f"{folder.relative_to(ROOT)}/"
        paths = [path for path in folder.rglob("*.py") if path.name != "__init__.py"]
        for path in sorted(paths, key=lambda path: (len(path.parts) > len(folder.parts) + 1, path)):
            yield f"  {path.relative_to(folder)!s:<32} {summary_of(path)}"


def fill(page: str) -> str:
    """The page with what is generated as it is now."""
    return re.sub(
        r"(?<=## Files\n\n```text\n).*?(?=```\n)",
        lambda _: "\n".join([*tree(), ""]),
        page,
        count=1,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    from docs.code_blocks import fill_outputs, read_blocks, run_blocks

    page = fill(PAGE.read_text(encoding="utf-8"))
    with TemporaryDirectory() as folder:
        page = fill_outputs(page, run_blocks(read_blocks(page), Path(folder)))
    PAGE.write_text(page, encoding="utf-8")
    PICTURE.write_text(draw(), encoding="utf-8")
