import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lisor.errors import ModelError
from lisor_tasks import user_code
from lisor_tasks.user_code import describe_build, describe_built

FILES = {
    "user_net.py": "import user_cells\nfrom user_parts.layers import sizes\ndef build(): return "
    "user_cells, sizes\n",
    "user_cells.py": "def cell(): return 1\n",
    "user_parts/__init__.py": "KIND = 1\n",
    "user_parts/layers.py": "from .inner import sizes\nfrom . import other as renamed\n",
    "user_parts/inner.py": "sizes = 3\n",
    "user_parts/other.py": "import torch\n",
    "user_apart.py": "words = 1\n",
}


@pytest.fixture
def digest_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The digest of a build whose files are there, after something was added to one of them."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def describe(file: str | None = None, more: str = "\nmore = 1\n") -> str:
        for name, text in FILES.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text + (more if name == file else ""))
        return describe_build("user_net:build").sha256

    return describe


@pytest.mark.parametrize("file", [file for file in FILES if file != "user_apart.py"])
def test_every_module_that_a_build_imports_counts(
    digest_after: Callable[..., str], file: str
) -> None:
    assert digest_after() == digest_after() != digest_after(file)


def test_a_module_that_it_does_not_import_counts_for_nothing(
    digest_after: Callable[..., str],
) -> None:
    assert digest_after() == digest_after("user_apart.py")


def test_a_module_that_python_cannot_read_counts_by_its_content(
    digest_after: Callable[..., str],
) -> None:
    assert digest_after("user_cells.py", "def (") != digest_after("user_cells.py", "def )")


def test_of_a_folder_of_installed_packages_only_the_build_s_own_counts(
    digest_after: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_code, "SHARED", {tmp_path.resolve()})
    assert digest_after() == digest_after("user_cells.py") != digest_after("user_net.py")


def test_a_build_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ModelError, match=r"expected package\.module:build"):
        describe_build("no_such_module_of_a_user:build")


BUILT = """
import threading
from functools import partial
import numpy as np
import torch
from torch import nn

TABLE = np.load("table.npy")


class Held:
    __slots__ = ("lock", "names", "rest", "table")

    def __init__(self):
        self.table, self.names = np.load("slots.npy"), {"b", "a"}
        self.lock, self.rest = threading.Lock(), [self]


def module():
    network = nn.GRU(2, 3)
    for value in network.parameters():
        nn.init.constant_(value, float(np.load("weights.npy")[0]))
    return network


def function():
    return partial(lambda table, word: table[len(word)], np.load("function.npy"))


def table():
    return lambda word: TABLE[len(word)]


def untrained():
    return nn.GRU(2, 3)
"""

READ = {"module": "weights", "Held": "slots", "function": "function", "table": "table"}
"""The file that each build reads."""


@pytest.fixture
def built_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The digest of what a build makes, after a number was written into one of the files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "user_built.py").write_text(BUILT)

    def describe(build: str, file: str | None = None) -> str:
        monkeypatch.delitem(sys.modules, "user_built", raising=False)
        for name in READ.values():
            np.save(tmp_path / f"{name}.npy", np.full(2, 0.5 if name == file else 0.1))
        return describe_built(f"user_built:{build}")

    return describe


@pytest.mark.parametrize("build", READ)
def test_what_a_build_reads_from_a_file_counts(built_after: Callable[..., str], build: str) -> None:
    assert built_after(build) == built_after(build) != built_after(build, READ[build])


def test_a_file_that_a_build_does_not_read_counts_for_nothing(
    built_after: Callable[..., str],
) -> None:
    assert built_after("module") == built_after("module", "slots")


def test_another_process_finds_the_same_digests(
    built_after: Callable[..., str], tmp_path: Path
) -> None:
    digests = [built_after(build) for build in READ]
    code = f"from lisor_tasks.user_code import describe_built as of\nfor name in {[*READ]}:\n"
    code += "    print(of(f'user_built:{name}'))"
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert found.stdout.split() == digests


def test_a_module_of_random_weights_is_refused(built_after: Callable[..., str]) -> None:
    with pytest.raises(ModelError, match=r"user_built:untrained makes other weights each time, so"):
        built_after("untrained")
