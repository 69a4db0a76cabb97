"""What the site of `make docs` is made of: the repository's pages where they lie, and a page for
each module of lisor.

The site has the layout of the repository, so that a link that works in one works in the other."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
FIRST = ["README.md", "docs/tutorial.md"]
NOT_PAGES = (
    "docs/images/**/*.svg",
    "docs/images/*.png",
    "docs/site.css",
    "configs/*.yaml",
    "configs/*.json",
    "automations.yaml",
    "LICENSE",
)
REFERENCE = "reference/index.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The settings, with the pages in their order."""
    packages: dict[str, list[str]] = {}
    for name in modules():
        packages.setdefault(package_of(name), []).append(page_of(name))
    config.nav = [
        *FIRST,
        {"Guides and results": [page for page in listed("docs/*.md") if page not in FIRST]},
        {"Reference": [REFERENCE, *({package: pages} for package, pages in packages.items())]},
        {"Decisions": listed("docs/decisions/*.md")},
        {"Project": [*listed("*/README.md"), "CHANGELOG.md"]},
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The files of the theme, those of the repository, and the reference."""
    for file in list(files):
        if Path(file.abs_src_path or "").is_relative_to(config.docs_dir):
            files.remove(file)
    shown: list[Any] = ["*.md", "docs/**/*.md", "*/README.md", *NOT_PAGES]
    for path in (path for pattern in shown for path in listed(pattern)):
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    files.append(File.generated(config, REFERENCE, content=overview()))
    for name in modules():
        files.append(
            File.generated(
                config, page_of(name), content=f"---\ntitle: {name}\n---\n\n::: {name}\n"
            )
        )
    return files


def modules() -> list[str]:
    """The dotted names of the library's modules, those of a package together."""
    paths = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / "lisor").rglob("*.py"))
    named = sorted((path.parent, path.name) for path in paths if path.name != "__init__")
    return ["lisor", *(".".join((*package.parts, name)) for package, name in named)]


def package_of(module: str) -> str:
    """The package that a module is listed under."""
    return module.rpartition(".")[0] or module


def page_of(module: str) -> str:
    """Where in the site a module's page is."""
    return f"reference/{module}.md"


def overview() -> str:
    """A page with what each module says of itself, by package."""
    lines, package = ["# Reference"], None
    for name in modules():
        if package_of(name) != package:
            package = package_of(name)
            lines += ["", f"## {package}", "", "| module | |", "|---|---|"]
        lines.append(f"| [{name}]({name}.md) | {first_line(name)} |")
    return "\n".join(lines) + "\n"


def first_line(module: str) -> str:
    """The first line of a module's docstring."""
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    source = path if path.exists() else path.with_suffix("") / "__init__.py"
    said = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return said.partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def listed(pattern: str) -> list[str]:
    """The files of the repository that match, relative to it, hidden folders apart."""
    paths = (path.relative_to(ROOT) for path in ROOT.glob(pattern))
    return sorted(path.as_posix() for path in paths if not path.parts[0].startswith("."))
