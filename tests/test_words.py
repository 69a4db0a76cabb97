"""One term for each thing: words that stand for another term appear in no name and in no text.

What to write instead stands beside each. A word that plain English needs, such as "place" in "in
place of", is listed for names alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path for folder in ("lisor", "tasks", "flows") for path in (ROOT / folder).rglob("*.py")
)
PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs").glob("*.py")),
    *sorted((ROOT / "configs").glob("*.yaml")),
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "prefect.yaml", "Makefile")),
]

NAMES = {
    "a result, an index, a mask, a batch": {
        *("found", "place", "places", "some", "every", "mine", "own", "how", "asked", "held"),
        *("thing", "things", "met", "told", "said", "say", "brought", "wished"),
    },
    "a character": {"sign", "signs"},
    "a variant (method, rule, k), or a path": {"way", "ways"},
    "a trace, a path": {"walk", "walks", "walked"},
    "a t-SNE embedding, a projection": {"plane", "planes"},
    "a feature map": {"space", "placed", "beside"},
    "an iteration": {"passes", "descend"},
    "transitions": {"follow", "followed"},
    "complete the transitions": {"settle", "settled"},
    "a split": {"deal", "dealt"},
    "a forward pass": {"visit"},
    "an association": {"link", "links"},
    "a completeness error": {"misses"},
    "a deletion or insertion curve": {"decisiveness"},
    "provenance": {"recipe", "recipes", "shelf"},
    "an artifact": {"holdings", "collectable"},
    "an automaton": {"machine", "machines"},
    "a prediction, an output": {"answer", "answers", "mind"},
    "a label": {"truth"},
    "an alphabet": {"vocabulary"},
}

LIMITS = re.compile(r"_?(MOST|LEAST|FEW|FEWEST|ENOUGH|HEAVY)(_|$)")
"""Of constants that are called MAX_… and MIN_…"""

TEXTS = {
    "dataset": r"\bdata[ -]sets?\b",
    "character": r"(?<!minus )(?<!np\.)\bsigns?\b(?![- ]flip)",
    "alphabet": r"\bvocabular(y|ies)\b",
    "compare with": r"\b(held|hold|holds) against\b",
    "external": r"\bbrought\b|\bbring along\b",
    "log to MLflow": r"\btell(s|ing)? MLflow\b|\btold\b",
    "confidence interval": r"\bhalf[ -]widths?\b",
    "distinguish": r"\btell(s|ing)?( \w+)? apart\b",
    "embedding, projection": r"(?<!\")\bplanes?\b",
    "deletion or insertion curve": r"\bdecisiveness\b",
    "attribution": r"\bwhat counts\b",
    "label": r"\bthe truth\b",
    "prediction": r"\bmind\b",
    "trace, path": r"(?<!ast\.)\bwalk(s|ed|ing)?\b",
    "split": r"\bdea(l|ls|lt)\b",
    "provenance": r"\bshel(f|ves)\b",
    "artifact": r"\b(holdings|collectable)\b",
    "known vulnerabilities": r"\bknown holes\b",
    "gate activations": r"\bopen gates\b",
    "complete the transitions": r"\bsettle[ds]?\b",
    "run": r"\bsay: |\bsay `",
    "compute": r"\bcrunched\b",
    "request": r"\bwished\b",
}


WITH_TRIALS = re.compile(r"\S+ \([\d–, ]+\)")
"""Words of the data, as tables print them: each with the trials that it comes from."""


def names_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The names that code gives to functions, classes, arguments and variables."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()):
                yield node.lineno, name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_are_the_terms_of_the_field(path: Path) -> None:
    instead = {word: term for term, words in NAMES.items() for word in words}
    wrong = []
    for line, name in names_of(ast.parse(path.read_text(encoding="utf-8"))):
        if LIMITS.match(name):
            wrong.append(f"{line}: {name} → MAX_…, MIN_…")
        elif name.strip("_").lower() in instead:
            wrong.append(f"{line}: {name} → {instead[name.strip('_').lower()]}")
    assert not wrong


@pytest.mark.parametrize("path", [*SOURCES, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_use_one_term_for_each_thing(path: Path) -> None:
    text = WITH_TRIALS.sub("", path.read_text(encoding="utf-8"))
    flat = re.sub(r"\s+", " ", text)
    wrong = [
        f"{flat[max(0, match.start() - 30) : match.end() + 20]!r} → {term}"
        for term, pattern in TEXTS.items()
        for match in re.finditer(pattern, flat, re.IGNORECASE)
    ]
    assert not wrong
