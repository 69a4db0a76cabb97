"""The layers, one way: flows → tasks → lisor, and inside lisor from values up to the pipeline; no
circle anywhere."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from docs.write_architecture import (
    FLOORS,
    MODULES,
    PAGE,
    PICTURE,
    ROOT,
    draw,
    fill,
    imported,
    imported_modules,
    part_of,
)

MLFLOW = (
    "tracking.py",
    "tracking_run.py",
    "tracking_server.py",
    "database.py",
    "serving.py",
    "automaton_model.py",
)


@pytest.mark.parametrize("path", MODULES.values(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0]
    forbidden = {
        "lisor": {"prefect", "mlflow", "lisor_tasks", "lisor_flows"},
        "tasks": {"lisor_flows"},
        "flows": set(),
    }[layer]
    if path.name not in MLFLOW:
        forbidden = forbidden | {"mlflow"}
    assert not {name.partition(".")[0] for name in imported(path)} & forbidden


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_part_of_the_house_imports_those_below_it(module: str) -> None:
    own = FLOORS.index(part_of(module))
    assert not {other for other in imported_modules(module) if FLOORS.index(part_of(other)) > own}


def test_the_page_shows_the_house_as_it_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == fill(page), "make architecture"
    assert PICTURE.read_text(encoding="utf-8") == draw(), "make architecture"


def test_no_file_imports_itself_by_way_of_others() -> None:
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join([*way[way.index(name) :], name])
        if name not in done:
            for other in sorted(imported_modules(name)):
                visit(other, (*way, name))
            done.add(name)

    for name in sorted(MODULES):
        if name != "lisor":  # whose public names are imported when they are asked for
            visit(name, ())


def test_the_library_reads_no_environment_and_no_clock_and_prints_nothing() -> None:
    for path in (ROOT / "lisor").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert "print" not in names, path
        assert not attributes & {"environ", "getenv", "perf_counter", "monotonic"}, path
        assert not {name.partition(".")[0] for name in imported(path)} & {"time", "datetime"}, path


def test_packages_run_no_code_when_imported() -> None:
    for path in (ROOT / "lisor").rglob("__init__.py"):
        if path.parent.name != "lisor":
            assert path.read_text() == "", path


def test_facts_that_settings_ask_for_load_nothing_heavy() -> None:
    code = (
        "import sys; from lisor.registry import METHODS, RULES, SCORES, TARGETS\n"
        "for registry in (METHODS, RULES, SCORES, TARGETS): [registry[name] for name in registry]\n"
        "print([m for m in ('torch', 'scipy', 'numba', 'pandas', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_library_loads_nothing_heavy() -> None:
    code = (
        "import lisor, sys; print([m for m in ('torch', 'numpy', 'prefect', 'mlflow') if m in "
        "sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
