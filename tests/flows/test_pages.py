"""What the pages show can be done as it stands there, and prints what stands there."""

import gzip
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from docs.code_blocks import Block, fill_outputs, read_blocks, run_blocks, run_shell, without_keys
from lisor.automata.formats.writing import export
from lisor.automata.languages import LANGUAGES
from lisor.registry import CELLS, KINDS, METHODS, RULES, TARGETS
from lisor.settings.dataset import DATASETS
from tests.flows.test_cli import command_line

__all__ = ["command_line"]

ROOT = Path(__file__).parents[2]
NUMBER = r"(\d+\.\d+)"
pytestmark = pytest.mark.filterwarnings("default::lisor.errors.DataWarning")


def page(name: str) -> list[Block]:
    return read_blocks((ROOT / name).read_text(encoding="utf-8"))


def alike(shown: str, printed: str) -> bool:
    """Whether both are the same text, where a number with decimals may be off by one in its last
    place."""
    one, other = re.split(NUMBER, shown), re.split(NUMBER, printed)
    near = zip(one[1::2], other[1::2], strict=False)
    return one[::2] == other[::2] and all(
        abs(float(a) - float(b)) < 1.5 * 0.1 ** len(a.split(".")[1]) for a, b in near
    )


def assert_shown(blocks: list[Block], printed: list[str]) -> None:
    for block, output in zip(blocks, printed, strict=True):
        assert block.output is None or alike(block.output, output), (
            f"line {block.line} printed:\n{output}"
        )


@pytest.fixture
def shell(command_line: Callable[..., tuple[int, str, str]]) -> Callable[[str, Path], str]:
    """Runs shell code, but our own commands in this process, where they need not start a server
    each."""

    def run(code: str, folder: Path) -> str:
        printed = ""
        for line in code.splitlines():
            if not line.startswith("lisor "):
                printed += run_shell(line, folder)
                continue
            status, out, err = command_line(*shlex.split(line)[1:])
            assert status == 0, err
            printed += out
        return printed

    return run


@pytest.fixture
def folder(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, with the store of the commands in its usual place."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    home.mkdir(exist_ok=True)
    (tmp_path / ".lisor").symlink_to(home)
    return tmp_path


@pytest.mark.slow
def test_the_tutorial_as_a_newcomer_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LISOR_HOME", raising=False)
    blocks = page("docs/tutorial.md")
    assert not any(
        "lisor" in block.code
        for block in blocks
        if block.title is not None and block.language == "python"
    )
    assert_shown(blocks, run_blocks(blocks, tmp_path))


def test_the_recipes_of_the_house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for table in (CELLS, DATASETS, KINDS, METHODS, RULES, TARGETS):
        monkeypatch.setattr(table, "_entries", dict(table._entries))
    blocks = page("docs/architecture.md")
    files = [block.title for block in blocks if block.title is not None]
    assert len(files) == 6  # one each, two for a kind of data
    assert_shown(blocks, run_blocks(blocks, tmp_path))


def test_exports(folder: Path, shell: Callable[[str, Path], str]) -> None:
    pytest.importorskip("onnxruntime", reason="pip install lisor[onnx]")
    selected = folder / ".lisor/reports/quickstart/latest/automata/selected"
    selected.mkdir(parents=True)
    (selected / "000-gru-0.json").write_bytes(export(LANGUAGES["000"].automaton, "json"))
    blocks = page("docs/exports.md")
    assert_shown(blocks, run_blocks(blocks, folder, shell))


def test_every_run_of_the_readme_can_be_planned(folder: Path, command_line) -> None:
    (folder / "reviews.csv").write_text("text,label\n" + "good,1\nbad,0\n" * 50)
    labels = [0, 1] * 50
    pd.DataFrame({"symbols": ["5 22", "5 9"] * 50, "label": labels}).to_parquet(
        folder / "events.parquet"
    )
    pd.DataFrame({"series": [[0.1] * 96, [0.2] * 96] * 50, "label": labels}).to_parquet(
        folder / "beats.parquet"
    )
    pd.DataFrame({"symbols": ["the dog", "a dog"] * 50, "labels": ["DET NOUN"] * 100}).to_parquet(
        folder / "tags.parquet"
    )
    vectors = "".join(f"{word} {' '.join(['0.1'] * 100)}\n" for word in ("the", "a", "dog"))
    (folder / "glove.txt.gz").write_bytes(gzip.compress(vectors.encode()))
    lines = [
        line
        for block in page("README.md")
        if block.language == "sh"
        for line in block.code.splitlines()
    ]
    runs = [line for line in lines if line.startswith("lisor run ")]
    assert len(runs) >= 6
    for line in runs:
        status, out, err = command_line(*shlex.split(line)[1:], "--plan")
        assert (status, err) == (0, ""), line
        assert re.search(r"^\d+ tasks: 0 cached", out, re.MULTILINE), line


# How blocks are read

PAGE = """# Title
```python title="one.py"
x = 1
```

```python
from one import x
print(x)
```

```text
2
```
Words.
```sh
echo $((1 + 1)); cat one.py
```

```text
```
"""


def test_blocks_of_a_page_run_in_order_and_are_compared_with_what_it_shows(tmp_path: Path) -> None:
    blocks = read_blocks(PAGE)
    assert [(block.language, block.title, block.output, block.line) for block in blocks] == [
        ("python", "one.py", None, 2),
        ("python", None, "2\n", 6),
        ("sh", None, "", 15),
    ]
    printed = run_blocks(blocks, tmp_path)
    assert printed == ["", "1\n", "2\nx = 1\n"]
    with pytest.raises(AssertionError, match="line 6 printed"):
        assert_shown(blocks, printed)
    filled = read_blocks(fill_outputs(PAGE, printed))
    assert_shown(filled, printed)
    assert [block.code for block in filled] == [block.code for block in blocks]
    assert "one" not in sys.modules


@pytest.mark.parametrize("code", ["```python\nprint(y)\n```\n", "```sh\nfalse\necho on\n```\n"])
def test_a_block_that_fails_is_named(tmp_path: Path, code: str) -> None:
    with pytest.raises(RuntimeError, match="block of line 3 failed"):
        run_blocks(read_blocks("# Title\n\n" + code), tmp_path)


def test_the_keys_of_runs_differ_between_machines_and_are_not_shown() -> None:
    printed = "report   .lisor/reports/tiny/0123456789ab/report.html\nreports/tiny/latest/x"
    assert without_keys(printed) == printed.replace("0123456789ab", "<key>")


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a 0.59\n", "a 0.60\n", True),
        ("a 0.59\n", "a 0.61\n", False),
        ("a 0.59\n", "b 0.59\n", False),
        ("4\n", "5\n", False),
        ("0.5\n", "0.5 0.5\n", False),
    ],
)
def test_numbers_with_decimals_may_be_off_by_one_in_the_last_place(
    shown: str, printed: str, same: bool
) -> None:
    assert alike(shown, printed) == same
