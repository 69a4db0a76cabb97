"""Write into docs/tutorial.md what its blocks print, run in an empty folder, and the picture it
shows."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from docs.code_blocks import fill_outputs, read_blocks, run_blocks

PAGE = Path(__file__).parent / "tutorial.md"


def main() -> None:
    """Run every block, then fill in the outputs."""
    page = PAGE.read_text(encoding="utf-8")
    with TemporaryDirectory() as folder:
        PAGE.write_text(
            fill_outputs(page, run_blocks(read_blocks(page), Path(folder))), encoding="utf-8"
        )
        shutil.copyfile(Path(folder) / "acceptor.svg", PAGE.parent / "images/tutorial.svg")


if __name__ == "__main__":
    main()
