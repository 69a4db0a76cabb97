"""The code blocks of a page, run one after the other, and what they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

PATTERN = re.compile(
    r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<code>.*?)^```$'
    r"(?P<shown>\n+```text\n(?P<output>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A block of a page, and what the page says that it prints."""

    language: str
    title: str | None
    """The file that the block is saved as, instead of being run."""
    code: str
    output: str | None
    line: int


def read_blocks(page: str) -> list[Block]:
    """The blocks of a page in their order; one of text right below another is what that prints."""
    return [
        Block(
            language=found["language"],
            title=found["title"],
            code=found["code"],
            output=found["output"],
            line=1 + page.count("\n", 0, found.start()),
        )
        for found in PATTERN.finditer(page)
    ]


def fill_outputs(page: str, outputs: Sequence[str]) -> str:
    """The page, showing these outputs where it shows one of a block."""
    each = iter(outputs)

    def fill(found: re.Match[str]) -> str:
        output = next(each)
        if found["shown"] is None:
            return found[0]
        begin, end = (place - found.start() for place in found.span("output"))
        return f"{found[0][:begin]}{output}{found[0][end:]}"

    return PATTERN.sub(fill, page)


def run_shell(code: str, folder: Path) -> str:
    """What a shell prints, with the programs of this Python first; it ends at the first command
    that fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", code],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"status {done.returncode}, printed: {done.stdout}")
    return done.stdout


def run_blocks(
    blocks: Sequence[Block], folder: Path, shell: Callable[[str, Path], str] = run_shell
) -> list[str]:
    """What each block prints when all are run in a folder, those of Python as cells of one notebook
    in this process.

    Raises:
        RuntimeError: a block fails; its language and line are named."""
    names: dict[str, object] = {"__name__": "__main__"}
    printed, before = [], set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        for block in blocks:
            out = StringIO()
            try:
                if block.title is not None:
                    (folder / block.title).write_text(block.code, encoding="utf-8")
                elif block.language == "python":
                    with chdir(folder), redirect_stdout(out):
                        exec(compile(block.code, f"the block of line {block.line}", "exec"), names)
                elif block.language == "sh":
                    out.write(shell(block.code, folder))
            except Exception as error:
                raise RuntimeError(
                    f"the {block.language} block of line {block.line} failed: {error}"
                ) from error
            shown = without_keys(out.getvalue().replace(f"{folder}/", ""))
            printed.append("".join(f"{line.rstrip()}\n" for line in shown.splitlines()))
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", None)).startswith(str(folder)):
                del sys.modules[name]
    return printed


def without_keys(printed: str) -> str:
    """What was printed with `<key>` for the keys of runs, which differ between machines."""
    return re.sub(r"(reports/[^/\s]+)/[0-9a-f]{12}/", r"\1/<key>/", printed)
