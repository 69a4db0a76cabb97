"""Numbers and dates, each as a person writes it and as a form wants it: translations whose rules
are known."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from itertools import product

UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

IRREGULAR = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth"}
IRREGULAR |= {"nine": "ninth", "twelve": "twelfth"}
"""Ordinal numbers that are not the cardinal one and "th"."""

LEAP_YEAR = 2024
"""In which February has 29 days."""


def numbers(largest: int) -> Iterator[tuple[list[str], list[str]]]:
    """The numbers from 0 on in British English, and their digits: three hundred and twelve, 3 1
    2."""
    for number in range(largest + 1):
        yield in_words(number), list(str(number))


def in_words(number: int) -> list[str]:
    """A number below a million in British English."""
    if number < len(UNITS):
        return [UNITS[number]]
    if number < 100:
        tens, unit = divmod(number, 10)
        return [TENS[tens - 2], *([UNITS[unit]] if unit else [])]
    base, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    count, rest = divmod(number, base)
    joint = ["and"] if 0 < rest < 100 else []
    return [*in_words(count), name, *joint, *(in_words(rest) if rest else [])]


def ordinal(number: int) -> list[str]:
    """A number below a million in words as it counts: twenty first."""
    *first, last = in_words(number)
    regular = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return [*first, IRREGULAR.get(last, regular)]


def dates(last_month: int) -> Iterator[tuple[list[str], list[str]]]:
    """The days of the first months in the forms in which a letter has them, and their month and day
    in two digits: on tuesday , the third of may, 05 03.

    The weekday says nothing of the date."""
    for month, name in enumerate(MONTHS[:last_month], 1):
        for day in range(1, calendar.monthrange(LEAP_YEAR, month)[1] + 1):
            written = (
                ["the", *ordinal(day), "of", name],
                [*ordinal(day), "of", name],
                [str(day), name],
                [name, str(day)],
                [name, "the", *ordinal(day)],
                [name, *ordinal(day)],
            )
            begun = [[], *([weekday, ","] for weekday in WEEKDAYS)]
            for opening, weekday, date in product(([], ["on"]), begun, written):
                yield [*opening, *weekday, *date], [f"{month:02}", f"{day:02}"]
