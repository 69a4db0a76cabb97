"""What the tests of languages and of their words share."""

from __future__ import annotations

from itertools import product

from lisor.data.dataset import Split
from lisor.sequences import Sequences


def every_word(length: int, signs: str = "01") -> list[str]:
    return ["".join(letters) for letters in product(signs, repeat=length)]


def words_up_to(length: int, signs: str = "01") -> list[str]:
    return [word for n in range(length + 1) for word in every_word(n, signs)]


def as_words(rows: Split | Sequences) -> list[str]:
    """The words of a split over the alphabet 0, 1, …"""
    sequences = rows.sequences if isinstance(rows, Split) else rows
    return ["".join(map(str, sequence)) for sequence in sequences]
