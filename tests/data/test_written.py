"""Numbers and dates in words and in the form that a computer wants."""

import calendar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.data.written import LEAP_YEAR, TENS, UNITS, dates, in_words, numbers, ordinal


def value(words: list[str]) -> int:
    """The number that words say, read from the left."""
    total = part = 0
    for word in words:
        if word == "thousand":
            total, part = 1000 * part, 0
        elif word == "hundred":
            part *= 100
        elif word in TENS:
            part += 10 * (TENS.index(word) + 2)
        elif word != "and":
            part += UNITS.index(word)
    return total + part


@given(st.integers(0, 999_999))
def test_the_words_of_a_number_say_its_value(number):
    assert value(in_words(number)) == number


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (40, "forty"),
        (100, "one hundred"),
        (312, "three hundred and twelve"),
        (1001, "one thousand and one"),
        (12_345, "twelve thousand three hundred and forty five"),
    ],
)
def test_numbers_are_written_as_in_british_english(number, words):
    assert " ".join(in_words(number)) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "first"), (12, "twelfth"), (20, "twentieth"), (21, "twenty first"), (30, "thirtieth")],
)
def test_ordinal_numbers_end_as_they_should(number, words):
    assert " ".join(ordinal(number)) == words


def test_digits_are_those_of_the_number():
    for number, (words, digits) in enumerate(numbers(120)):
        assert (words, "".join(digits)) == (in_words(number), str(number))


@pytest.mark.parametrize("months", [1, 2])
def test_each_day_has_its_date_in_many_forms(months):
    pairs = list(dates(months))
    assert len({tuple(source) for source, _ in pairs}) == len(pairs)
    days = sum(calendar.monthrange(LEAP_YEAR, month)[1] for month in range(1, months + 1))
    targets = [tuple(target) for _, target in pairs]
    assert len(set(targets)) == days
    assert {targets.count(target) for target in targets} == {len(pairs) // days}
    assert (["on", "sunday", ",", "the", "third", "of", "january"], ["01", "03"]) in pairs
