"""A C program of an automaton, compiled and run."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from lisor.automata.automaton import Automaton
from lisor.automata.formats.c_code import to_c

STRICT = (
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pedantic",
    "-Wconversion",
    "-Wmissing-prototypes",
    "-Wtrigraphs",
)


def run_c(
    folder: Path,
    automaton: Automaton,
    program: str,
    *,
    given: str = "",
    arguments: Sequence[bytes] = (),
) -> str:
    """What a program prints that stands after the automaton in one file; the compiler may warn of
    nothing."""
    (folder / "automaton.c").write_text(to_c(automaton) + program, encoding="ascii")
    subprocess.run(
        ["gcc", *STRICT, "-O1", "automaton.c", "-o", "automaton"], cwd=folder, check=True
    )
    return subprocess.run(
        [folder / "automaton", *arguments], input=given, capture_output=True, text=True, check=True
    ).stdout
