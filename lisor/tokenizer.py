"""Texts cut into words and punctuation marks."""

from __future__ import annotations

import html
import re

TOKENIZER = "words"
"""The name of `tokenize`, as automata and datasets carry it."""

_TOKEN = re.compile(r"\w+(?=n't\b)|n't\b|'(?:s|m|d|re|ve|ll)\b|\w+|[^\w\s]")

_TAG = re.compile(r"</?[A-Za-z][^<>]{0,39}>")

_REFERENCE = re.compile(r"&#[0-9]{20,};?")
"""A numeric character reference far beyond Unicode, which Python may refuse to read as a number."""


def tokenize(text: str) -> list[str]:
    """The words and punctuation marks of a text, in lower case.

    Clitics stand apart as in the Penn Treebank: "It isn't bad!" -> it is n't bad !"""
    plain = (
        _TAG.sub(" ", html.unescape(_REFERENCE.sub("\ufffd", text))).lower().replace("\u2019", "'")
    )
    return _TOKEN.findall(plain)
