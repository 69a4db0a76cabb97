import numpy as np
import pytest

from lisor.data.symbols import number
from lisor.errors import DataError


@pytest.mark.parametrize(
    ("given", "alphabet", "numbers", "known"),
    [
        (["ba", "", "b"], None, [[1, 0], [], [1]], "ab"),
        (["ba", "", "b"], "bac", [[0, 1], [], [0]], "bac"),
        ([["open", "close"], ["open"]], None, [[1, 0], [1]], ("close", "open")),
        ([[2, 0], [1]], None, [[2, 0], [1]], "012"),
        ([np.array([1, 0]), np.array([], int)], "xyz", [[1, 0], []], "xyz"),
    ],
)
def test_symbols_are_numbered_in_the_order_of_the_alphabet(given, alphabet, numbers, known):
    sequences, vocabulary = number(given, alphabet)
    assert [sequence.tolist() for sequence in sequences] == numbers
    assert vocabulary == tuple(known)


@pytest.mark.parametrize(
    ("given", "alphabet", "reason"),
    [
        ([], None, "got none"),
        (["", ""], None, "only empty"),
        (["aaa", "a"], None, "at least two symbols"),
        (["aaa"], "a", "at least two symbols"),
        (["ab"], "aa", "different texts"),
        (["abc"], "ab", "found 'c'"),
        ([[0, 2]], "ab", "from 0 to 1, found 0 to 2"),
        ([[-1, 0]], "ab", "found -1"),
        ([[0, "a"]], None, "found both"),
        ([[0.5, 1]], None, "a float"),
    ],
)
def test_what_cannot_be_numbered_is_refused(given, alphabet, reason):
    with pytest.raises(DataError, match=reason):
        number(given, alphabet)
