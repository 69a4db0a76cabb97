"""What the README says is true."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.code_blocks import read_blocks
from lisor_flows.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


SIX, OWN, NEXT = (block.code for block in read_blocks(README) if block.language == "python")


@pytest.mark.parametrize("code", [SIX, OWN, NEXT])
def test_six_lines_are_six(code: str) -> None:
    assert len([line for line in code.splitlines() if line.strip()]) <= 6


def test_the_six_lines_train_extract_and_draw_an_automaton(tmp_path: Path) -> None:
    check = (
        "\nimport sys\n"
        "assert automaton.accepts('1000') and not automaton.accepts('1001')\n"
        "assert automaton.minimized().n_states == 4\n"
        "assert not {'prefect', 'mlflow'} & set(sys.modules)\n"
    )
    program = SIX + check
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=300)
    assert (tmp_path / "000.svg").read_text().count("<ellipse") >= 4


@pytest.mark.slow
def test_six_lines_extract_an_exact_automaton_from_a_network_of_ones_own(tmp_path: Path) -> None:
    plain = (ROOT / "tests/plain.py").read_text(encoding="utf-8")
    assert "lisor" not in plain
    made = (
        "\nfrom itertools import product\n"
        "torch.manual_seed(0)\n"
        "network = train(Acceptor())\n"
        "words = [''.join(word) for length in range(1, 8) for word in product('01', "
        "repeat=length)]\n"
    )
    (tmp_path / "acceptor.py").write_text(plain + made, encoding="utf-8")
    check = (
        "\nfrom lisor.automata.languages import LANGUAGES\n"
        "assert LANGUAGES['000'].equals(automaton) and automaton.n_states == 4\n"
    )
    program = OWN + check
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=300)
    assert (tmp_path / "acceptor.svg").exists()


@pytest.mark.slow
def test_few_lines_extract_the_two_states_of_a_language_model(tmp_path: Path) -> None:
    program = NEXT + "\nassert automaton.n_states == 2\n"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=300)


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
