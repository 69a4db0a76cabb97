import re
import sys
from pathlib import Path

import pytest

from lisor.automata.formats.writing import WRITERS, export
from lisor.automata.languages import LANGUAGES
from lisor.errors import AutomatonError, ConfigError

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/exports.md").read_text(encoding="utf-8")
CONTAINS_000 = LANGUAGES["000"].automaton


@pytest.mark.parametrize("form", sorted(set(WRITERS) - {"onnx", "pautomac"}))
def test_a_text_ends_with_one_line_feed(form):
    text = export(CONTAINS_000, form).decode("utf-8")
    assert text.rstrip("\n") + "\n" == text


def test_a_format_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ConfigError, match=r"one of the formats json, dot, .*, got 'yaml'"):
        export(CONTAINS_000, "yaml")


def test_where_onnx_is_missing_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(AutomatonError, match=r"pip install 'lisor\[onnx\]'"):
        export(CONTAINS_000, "onnx")


# The page


def test_every_format_is_on_the_page():
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(WRITERS)
