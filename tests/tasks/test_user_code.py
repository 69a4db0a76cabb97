from collections.abc import Callable
from pathlib import Path

import pytest

from lisor.errors import ModelError
from lisor_tasks import user_code
from lisor_tasks.user_code import describe_build

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
