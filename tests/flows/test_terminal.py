"""Standard output that is full, closed, or no longer read: one line or none, no traceback."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from lisor.automata.automaton import Automaton
from lisor_flows import store
from lisor_flows.cli import app
from tests.flows.test_cli import ENDS_IN_ONE

COMMANDS = {
    "predict": "predict --automaton a.json --data words.txt",
    "export": "export --automaton long.json --format json",  # more than a pipe holds
    "store ls": "store ls",
    "help": "--help",
}
REFUSED = "lisor: standard output cannot be written: {}; free space or write elsewhere\n"
FULL = REFUSED.format("No space left on device")
CLOSED = REFUSED.format("Bad file descriptor")


@pytest.fixture
def shell(tmp_path: Path):
    """A line of bash beside an automaton and words: its status, standard output and error."""
    (tmp_path / "a.json").write_text(ENDS_IN_ONE.to_json())
    names = tuple(f"symbol {number}" for number in range(40_000))
    row = [0] * len(names)
    (tmp_path / "long.json").write_text(
        Automaton(alphabet=names, classes=("no", "yes"), transitions=[row], outputs=[0]).to_json()
    )
    (tmp_path / "words.txt").write_text("0110\n" * 50_000)

    def run(line: str) -> tuple[int, str, str]:
        environment = {**os.environ, "LISOR_HOME": str(tmp_path / "home"), "PYTHON": sys.executable}
        code = f'lisor() {{ "$PYTHON" -m lisor_flows.cli "$@"; }}; set -o pipefail; {line}'
        where = {"cwd": tmp_path, "env": environment, "timeout": 120}
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, **where)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_full_disk_is_one_line_and_status_2(shell, command: str) -> None:
    assert shell(f"lisor {command} > /dev/full") == (2, "", FULL)


@pytest.mark.parametrize("command", [COMMANDS["predict"], COMMANDS["export"]])
def test_a_reader_that_has_seen_enough_ends_it_quietly(shell, command: str) -> None:
    status, out, err = shell(f"lisor {command} | head -c 20")
    assert (status, len(out), err) == (141, 20, "")


@pytest.mark.parametrize("command", [COMMANDS["predict"], COMMANDS["help"]])
def test_a_closed_output_is_one_line_and_status_2(shell, command: str) -> None:
    assert shell(f"lisor {command} >&-") == (2, "", CLOSED)


@pytest.mark.parametrize(
    "command",
    [
        "predict --automaton a.json --data words.txt --out a.csv",
        "predict --automaton a.json --data words.txt --out a.parquet",
        "export --automaton long.json --format c --out a.c",
    ],
)
def test_a_disk_that_fills_up_is_one_line_and_leaves_no_file(
    shell, tmp_path: Path, command: str
) -> None:
    before = {path.name for path in tmp_path.iterdir()}
    status, out, err = shell(f"ulimit -f 8; lisor {command}")  # blocks of 1,024 bytes
    name = command.rpartition(" ")[2]
    assert (status, out, err) == (
        2,
        "",
        f"lisor: {name} cannot be written: File too large; give another file\n",
    )
    assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("place", ["2> /dev/full", "2>&-"])
def test_messages_that_cannot_be_shown_cost_nothing(shell, place: str) -> None:
    status, out, _ = shell(f"lisor {COMMANDS['predict']} {place}")
    assert (status, len(out.splitlines())) == (0, 50_001)


def test_an_error_beside_an_output_that_is_full_is_the_one_line(shell, tmp_path: Path) -> None:
    folder = tmp_path / "home/store/kind/key"
    folder.mkdir(parents=True)
    status, _, err = shell("lisor store verify > /dev/full")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "1 of 1 artifacts are damaged" in err


SHOW = "from lisor_flows import terminal\nwith terminal.standard_streams(): print('实验 │ é')"


def test_what_an_encoding_lacks_is_escaped(shell) -> None:
    asked = f'PYTHONIOENCODING=latin-1 "$PYTHON" -c "{SHOW}" | iconv -f latin1 -t utf8'
    assert shell(asked) == (0, "\\u5b9e\\u9a8c \\u2502 é\n", "")


def every_help() -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Each command, and the texts that its help must show."""
    for group, path in ((get_command(app), ()), (get_command(store.app), ("store",))):
        names = [command.get_short_help_str(1000) for command in group.commands.values()]
        yield path, [group.help or "", *names]
        for name, command in group.commands.items():
            if not hasattr(command, "commands"):
                texts = [
                    parameter.help for parameter in command.params if hasattr(parameter, "help")
                ]
                yield (*path, name), [command.help, *texts]


HELPS = dict(every_help())


def test_the_texts_of_help_are_found() -> None:
    assert any("[LISOR_HOME/reports/<name>/<key>]" in text for text in HELPS["run",])
    assert len(HELPS) >= 13
    assert sum(map(len, HELPS.values())) >= 60


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("command", HELPS, ids=" ".join)
def test_help_shows_every_word_of_every_text(
    command: tuple[str, ...],
    width: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert app([*command, "--help"], standalone_mode=False) == 0
    shown = "".join(capsys.readouterr().out.split())
    for text in HELPS[command]:
        assert "".join(text.split()) in shown
