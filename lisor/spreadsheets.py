"""Texts in CSV that no spreadsheet takes for formulas, after OWASP's page on CSV injection.

A cell that begins with one of = + - @, a tab or a line break, and is no number, gets an apostrophe
before it; so does one that begins with apostrophes and then such a character, so that `original`
undoes it for every text."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

FORMULA = r"('*[=+\-@\t\r\n])"
"""How a text begins that a spreadsheet might run, or that only escaping makes begin so."""

NUMBER = r"[+\-]?([0-9][0-9,]*\.?[0-9]*|\.[0-9]+)([eE][+\-]?[0-9]+)?%?"
"""What is a number, and stays one."""


def harmless(text: str) -> str:
    """The text as a cell that a spreadsheet shows and does not run."""
    return f"'{text}" if re.match(FORMULA, text) and not re.fullmatch(NUMBER, text) else text


def harmless_column(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same for each text of a column."""
    escaped = pc.replace_substring_regex(texts, f"^{FORMULA}", r"'\1")
    return pc.if_else(pc.match_substring_regex(texts, f"^({NUMBER})$"), texts, escaped)


def original(cell: str) -> str:
    """The text that `harmless` made this cell of."""
    return cell[1:] if re.match(f"'{FORMULA}", cell) else cell
