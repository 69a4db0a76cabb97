"""Words that people have rated as negative or positive."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=1)
def valences() -> dict[str, float]:
    """The mean rating of each word, from −4 (most negative) to 4 (most positive), by ten raters.

    Hutto & Gilbert (2014), "VADER: a parsimonious rule-based model for sentiment analysis of social
    media text", from the package vaderSentiment."""
    text = files("vaderSentiment").joinpath("vader_lexicon.txt").read_text(encoding="utf-8")
    fields = (line.split("\t") for line in text.splitlines() if line.strip())
    return {word: float(mean) for word, mean, *_ in fields}
