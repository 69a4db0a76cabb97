"""Write into README.md what the quickstart prints, run on this machine, and the picture it shows.

make readme        runs the quickstart twice in an empty store, and explains a sentence
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from docs.code_blocks import without_keys

ROOT = Path(__file__).parent.parent
PICTURE = "automata/selected/000-gru-2.svg"


def main() -> None:
    """Run, then fill the marked places of the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    with TemporaryDirectory() as home:
        for mark in ("first run", "second run"):
            text = fill(text, mark, timed(Path(home)))
        (command,) = re.findall(r"^lisor (explain .*)$", text, re.MULTILINE)
        text = fill(text, "explain", run(Path(home), *shlex.split(command)))
        report = Path(home) / "reports/quickstart/latest"
        shutil.copyfile(report / PICTURE, ROOT / "docs/images/000-gru.svg")
    (ROOT / "README.md").write_text(text, encoding="utf-8")


def timed(home: Path) -> str:
    """What the quickstart prints, and the seconds it took."""
    started = time.monotonic()
    printed = run(home, "run", "quickstart")
    return f"{printed}\n({time.monotonic() - started:.0f} seconds)"


def run(home: Path, *arguments: str) -> str:
    """What a command prints, with the store's place made short."""
    environment = {**os.environ, "LISOR_HOME": str(home)}
    done = subprocess.run(
        ["lisor", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return without_keys(done.stdout.strip().replace(str(home), ".lisor"))


def fill(text: str, mark: str, content: str) -> str:
    """The text with the block that follows `<!-- mark -->` replaced."""
    pattern = rf"(<!-- {mark} -->\n```text\n).*?(```)"
    assert re.search(pattern, text, re.DOTALL), mark
    return re.sub(pattern, lambda found: f"{found[1]}{content}\n{found[2]}", text, flags=re.DOTALL)


if __name__ == "__main__":
    main()
