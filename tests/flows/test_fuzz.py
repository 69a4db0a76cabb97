"""Command lines drawn from a grammar of wrong values: whatever is given, one short line, soon, in
little memory."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.settings import PREFECT_API_URL

from lisor.errors import MAX_LINE
from lisor.settings.experiment import Experiment
from lisor.settings.places import settings_by_key
from tests.flows.test_bad_input import files, link_files

__all__ = ["files"]

pytestmark = pytest.mark.slow

COMMANDS, PROCESSES = 120, 15
"""How many are drawn, and how many of them are run as processes of their own."""

SECONDS, MEMORY = 30, 1_500_000_000
"""That a command line may take of one processor, so that a busy machine does not count, and of
memory."""

PATIENCE = 120
"""Seconds after which what is still running hangs."""

KEYS = [key for key in settings_by_key(Experiment) if "." in key]

NUMBERS = [
    "0",
    "-1",
    "2147483647",
    "9" * 400,
    "9" * 5000,
    "0x" + "f" * 9000,
    "1e400",
    ".nan",
    "-.inf",
    "3",
    "0.5",
    "010",
    "1:30",
]
TEXTS = [
    "",
    "x",
    "x" * 5000,
    "a b\nc",
    "实验",
    "e\u0301tude",
    "\udcff",
    "../..",
    "-",
    "--",
    "*a",
    "[x]",
    "%s{}\\",
    "\u202e\x1b[31m",
]
STRUCTURES = [
    "true",
    "yes",
    "null",
    "[]",
    "{}",
    "[1, [2]]",
    "{a: 1}",
    "[" * 1000,
    "&a [*a]",
    "[gru, grus]",
    "{<<: 1}",
    "!!python/name:os.system",
    "[2, 2147483647]",
    "2026-01-01",
]
PLACES = [
    "", ".", "/", "folder", "absent.csv", "/dev/zero", "/dev/null", "pipe.csv", "pipe.yaml",
    "broken-disk.csv", "broken-disk.yaml", "bytes.csv", "bytes.yaml", "bytes.dot", "latin.csv",
    "empty.csv", "null.csv", "quote.csv", "wide.csv", "nothing.csv", "columns.csv",
    "columns-100000.csv", "few.csv", "split.csv", "tran.csv", "no-split.csv", "one-class.csv",
    "cut.parquet", "bomb.parquet", "rows.parquet", "values.parquet", "numbers.parquet",
    "bytes.parquet", "plain.parquet", "plain-symbols.parquet", "ragged.csv", "nan.csv",
    "digits.csv", "brackets.csv", "commas.csv", "deep.json", "twice.json", "classes.json",
    "three.json", "nowhere.json", "schema.json", "digits.json", "start.json", "reference.jff",
    "broken.dot", "half.gz", "line.txt", "x" * 300, "laughs.yaml", "words.txt", "good.csv",
    "series.csv", "letters.csv", "tiny.json",
]  # fmt: skip
CONFIGS = [
    "",
    "absent",
    "folder",
    "empty.yaml",
    "list.yaml",
    "broken.yaml",
    "latin.yaml",
    "code.yaml",
    "deep.yaml",
    "key.yaml",
    "laughs.yaml",
    "loop.yaml",
    "long.yaml",
    "bytes.yaml",
    "twice.yaml",
    "kind.yaml",
    "pipe.yaml",
    "broken-disk.yaml",
    "surrogate.yaml",
    "/dev/zero",
    "c" * 300,
]
NETWORKS = [
    "",
    ":",
    "nonsense",
    "nonsense.module:build",
    "json:loads",
    "math:pi",
    "lisor:",
    "os.path:join",
    "x" * 5000,
    "a b:c",
]


class Grammar:
    """Draws command lines, each with something wrong in it, or at least odd."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)

    def __call__(self) -> list[str]:
        kinds: list[Callable[[], list[str]]] = (
            [self.run] * 8 + [self.predict] * 4 + [self.export] * 2
        )
        kinds += [self.extract] * 2 + [self.explain, self.store, self.store, self.other]
        return self.draw.choice(kinds)()

    def value(self) -> str:
        return self.draw.choice(self.draw.choice([NUMBERS, TEXTS, STRUCTURES, PLACES]))

    def changes(self) -> list[str]:
        found = []
        for _ in range(self.draw.choice([0, 1, 1, 1, 2])):
            key, value = (
                self.draw.choice([*KEYS, "threads", "name", "runner", "runner_address", "x", ""]),
                self.value(),
            )
            if self.draw.random() < 0.5:  # a file of the right kind with the wrong content
                key = self.draw.choice(
                    ["dataset.text", "dataset.series", "dataset.symbols", "dataset.language"]
                )
                value = f"{'automaton:' * (key == 'dataset.language')}{self.draw.choice(PLACES)}"
            equals = "=" if self.draw.random() < 0.95 else ""
            found += ["--set", f"{key}{equals}{value}"]
        return found

    def out(self) -> list[str]:
        places = [
            "words.txt",
            "words.txt/inside",
            "folder",
            "/dev/null",
            "/proc/x",
            "",
            "o" * 300,
            "new.csv",
            "\udcff.csv",
        ]
        return [] if self.draw.random() < 0.6 else ["--out", self.draw.choice(places)]

    def run(self) -> list[str]:
        config = "tiny.yaml" if self.draw.random() < 0.8 else self.draw.choice(CONFIGS)
        return [
            "run",
            config,
            *self.changes(),
            *(["--plan"] if self.draw.random() < 0.3 else self.out()),
        ]

    def extract(self) -> list[str]:
        line = [
            "extract",
            "--network",
            self.draw.choice(NETWORKS),
            "--data",
            self.draw.choice(PLACES),
        ]
        for option in ("--alphabet", "--classes", "--weights"):
            if self.draw.random() < 0.4:
                line += [option, self.value()]
        return line + self.changes()

    def automaton(self) -> list[str]:
        return [
            "--automaton",
            "tiny.json" if self.draw.random() < 0.5 else self.draw.choice(PLACES),
        ]

    def predict(self) -> list[str]:
        return ["predict", *self.automaton(), "--data", self.draw.choice(PLACES), *self.out()]

    def export(self) -> list[str]:
        form = self.draw.choice(
            ["json", "dot", "aalpy", "jff", "regex", "python", "c", "onnx", "", "doc", "x" * 5000]
        )
        return ["export", *self.automaton(), "--format", form, *self.out()]

    def explain(self) -> list[str]:
        line = [
            "explain",
            "--run",
            self.draw.choice(["tiny", "", "..", "absent", "folder", "x" * 5000]),
        ]
        for option in ("--text", "--word", "--dataset", "--cell", "--trial"):
            if self.draw.random() < 0.4:
                line += [option, self.value()]
        return line

    def store(self) -> list[str]:
        command = self.draw.choice(["ls", "verify", "gc", "push", "pull", "fly", ""])
        if command == "gc":
            return [
                "store",
                "gc",
                self.draw.choice(["--forget", "--older-than", "--delete"]),
                self.value(),
            ]
        if command in ("push", "pull"):
            urls = [
                "",
                " ",
                "file:///dev/null",
                "nonsense://x",
                "memory://empty",
                "file:///proc/x",
                "x" * 5000,
            ]
            return [
                "store",
                command,
                self.draw.choice(urls),
                *self.draw.choices(["tiny", "", "..", "x"], k=1),
            ]
        return ["store", command]

    def other(self) -> list[str]:
        return self.draw.choice([
            ["track", self.value()],
            ["ui", "--port", self.draw.choice(["", "x", "-1", "99999999", "1e3", "9" * 400])],
            [self.value()], [], ["run"], ["predict"], ["--nonsense"],
            ["run", "tiny.yaml", self.value()],
        ])  # fmt: skip


LINES = [Grammar(seed)() for seed in range(COMMANDS)]


@pytest.fixture(scope="module")
def environment(prefect_server: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    api = {
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "MLFLOW_TRACKING_URI": "",
        "LANG": "C.UTF-8",
    }
    return {**os.environ, **api, "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL"}


@pytest.fixture(scope="module")
def server(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process that runs command lines."""
    command = [sys.executable, "-m", "tests.flows.command_server"]
    started = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with started as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def folder(tmp_path: Path, files: Path, finished_store: Path, tiny: dict[str, Any]) -> Path:
    """A folder with good and bad files and a store in which `tiny` has run."""
    link_files(files, tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    shutil.copytree(finished_store, tmp_path / "home", symlinks=True)
    (selected,) = (tmp_path / "home/reports/tiny/latest/automata/selected").glob("*.json")
    shutil.copyfile(selected, tmp_path / "tiny.json")
    return tmp_path


@pytest.mark.parametrize("number", range(COMMANDS))
def test_any_command_line_ends_soon_in_a_short_line(
    server: subprocess.Popen[str], folder: Path, number: int
) -> None:
    asked = {
        "arguments": LINES[number],
        "folder": str(folder),
        "seconds": PATIENCE,
        "fresh": number < PROCESSES,
    }
    assert server.stdin is not None and server.stdout is not None
    server.stdin.write(json.dumps(asked) + "\n")
    server.stdin.flush()
    status, seconds, memory = json.loads(server.stdout.readline())
    out, err = (
        (folder / name).read_bytes().decode("utf-8", "backslashreplace") for name in ("out", "err")
    )
    assert status in (0, 2), err[-2000:]
    assert "Traceback" not in err
    lines = err.splitlines() + (out.splitlines() if status else [])
    assert max(map(len, lines), default=0) <= MAX_LINE
    if status:
        assert [line for line in err.splitlines()[-1:] if line.startswith("lisor: ")], err[-2000:]
    assert seconds <= SECONDS
    assert memory <= MEMORY
