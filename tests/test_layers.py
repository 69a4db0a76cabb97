"""The layers, one way: flows → tasks → lisor."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for layer in ("lisor", "tasks", "flows") for path in (ROOT / layer).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The top-level packages a file imports, wherever in the file it does."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0]
    forbidden = {
        "lisor": {"prefect", "mlflow", "lisor_tasks", "lisor_flows"},
        "tasks": {"lisor_flows"},
        "flows": set(),
    }[layer]
    if path.name not in ("tracking.py", "tracking_server.py", "database.py", "serving.py", "automaton_model.py"):
        forbidden = forbidden | {"mlflow"}
    assert not imported(path) & forbidden


def test_the_library_reads_no_environment_and_no_clock_and_prints_nothing() -> None:
    for path in (ROOT / "lisor").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert "print" not in names, path
        assert not attributes & {"environ", "getenv", "perf_counter", "monotonic"}, path
        assert not imported(path) & {"time", "datetime"}, path


def test_packages_run_no_code_when_imported() -> None:
    for path in (ROOT / "lisor").rglob("__init__.py"):
        if path.parent.name != "lisor":
            assert path.read_text() == "", path


def test_importing_the_library_loads_nothing_heavy() -> None:
    code = "import lisor, sys; print([m for m in ('torch', 'numpy', 'prefect', 'mlflow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
