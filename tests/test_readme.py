"""What the README says is true."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_six_lines_train_extract_and_draw_an_automaton(tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in block.splitlines() if line.strip()]) <= 6
    check = (
        "\nimport sys\n"
        "assert automaton.accepts('1000') and not automaton.accepts('1001')\n"
        "assert automaton.minimized().n_states == 4\n"
        "assert not {'prefect', 'mlflow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", block + check], cwd=tmp_path, check=True, timeout=300)
    assert (tmp_path / "000.svg").read_text().count("<ellipse") >= 4


def test_every_make_target_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE))
    assert named
    assert named <= targets


def test_every_command_is_in_it() -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        assert f"lisor {command.callback.__name__}" in README


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_every_file_it_links_to_exists(link: str) -> None:
    assert (ROOT / link).exists()


def test_every_source_file_is_in_its_tree() -> None:
    for path in (ROOT / "lisor").rglob("*.py"):
        if path.name != "__init__.py":
            assert path.name in README, path
