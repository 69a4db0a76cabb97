"""Write into README.md what the quickstart prints, run on this machine, and the picture it shows.

make readme        runs the quickstart twice in an empty store
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
PICTURE = "automata/selected/000-gru-2.svg"


def main() -> None:
    """Run, then fill the marked places of the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    with TemporaryDirectory() as home:
        for mark in ("first run", "second run"):
            text = fill(text, mark, run(Path(home)))
        shutil.copyfile(Path(home) / "reports/quickstart" / PICTURE, ROOT / "docs/images/000-gru.svg")
    (ROOT / "README.md").write_text(text, encoding="utf-8")


def run(home: Path) -> str:
    """What the quickstart prints, with the store's place made short and the seconds it took."""
    started = time.monotonic()
    done = subprocess.run(
        ["lisor", "run", "quickstart"],
        cwd=ROOT,
        env={**os.environ, "LISOR_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds = time.monotonic() - started
    return f"{done.stdout.strip().replace(str(home), '.lisor')}\n({seconds:.0f} seconds)"


def fill(text: str, mark: str, content: str) -> str:
    """The text with the block that follows `<!-- mark -->` replaced."""
    pattern = rf"(<!-- {mark} -->\n```text\n).*?(```)"
    assert re.search(pattern, text, re.DOTALL), mark
    return re.sub(pattern, lambda found: f"{found[1]}{content}\n{found[2]}", text, flags=re.DOTALL)


if __name__ == "__main__":
    main()
