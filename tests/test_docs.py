"""The site of the documentation, built as `make docs` builds it."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
MODULES = sorted(path for path in (ROOT / "lisor").rglob("*.py") if path.name != "__init__.py")


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site; no warning is allowed while it is built."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, "WARNING" in done.stderr) == (0, False), done.stderr
    return folder


def test_every_public_function_and_class_of_every_module_is_in_the_reference(site: Path) -> None:
    for path in MODULES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        page = (site / f"reference/{module}.html").read_text(encoding="utf-8")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        defined = [
            node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)
        ]
        for name in ("", *(f".{name}" for name in defined if not name.startswith("_"))):
            assert f'id="{module}{name}"' in page, module + name


def test_the_first_page_of_the_reference_names_every_module(site: Path) -> None:
    page = (site / "reference/index.html").read_text(encoding="utf-8")
    for path in MODULES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        assert re.search(rf'<td><a href="{module}.html">{module}</a></td>\n<td>\w', page), module


def test_every_page_of_the_repository_is_in_the_site_and_no_script(site: Path) -> None:
    for path in PAGES:
        name = (
            "index.html"
            if path == ROOT / "README.md"
            else path.relative_to(ROOT).with_suffix(".html").as_posix()
        )
        assert (site / name.replace("README", "index")).exists(), name
    assert not list(site.rglob("*.py"))


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(
            r'<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)="([^"]*)"', text
        )
        assert loaded
        assert not [place for place in loaded if re.match(r"(\w+:)?//", place)], page.name
        assert 'class="mermaid"' not in text  # the one thing that the theme's script would fetch
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(.?(\w+:)?//|@import", sheet.read_text(encoding="utf-8")), (
            sheet.name
        )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_lists_stand_apart_so_that_every_dialect_of_markdown_shows_them(path: Path) -> None:
    text = re.sub(
        r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    paragraphs = re.findall(r"^(?![-*#|<]|\d+\. | ).+\n(?:[-*] |\d+\. ).*", text, re.MULTILINE)
    assert not paragraphs
