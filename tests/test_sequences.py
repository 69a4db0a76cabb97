from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.errors import DataError
from lisor.sequences import Sequences
from tests.strategies import ragged_sequences, words


def as_lists(sequences: Sequences) -> list[list[int]]:
    return [sequence.tolist() for sequence in sequences]


@given(words())
def test_words_laid_end_to_end_are_found_again(words):
    sequences = Sequences.from_lists(words)
    assert as_lists(sequences) == words
    assert sequences.lengths.tolist() == [len(word) for word in words]


@given(words(), st.data())
def test_selecting_rows_keeps_their_order_and_repetitions(words, data):
    rows = data.draw(
        st.lists(st.integers(0, len(words) - 1), max_size=10) if words else st.just([])
    )
    selected = Sequences.from_lists(words).select(np.array(rows, int))
    assert as_lists(selected) == [words[row] for row in rows]


@given(st.lists(words(symbols=3), max_size=4))
def test_sequences_are_joined_one_part_after_the_other(parts):
    joined = Sequences.join(map(Sequences.from_lists, parts))
    assert as_lists(joined) == [word for part in parts for word in part]


@given(words(symbols=3), st.integers(0, 3))
def test_padding_puts_zeros_after_each_sequence(words, more):
    width = max(map(len, words), default=0) + more
    rectangle = Sequences.from_lists(words).padded(width)
    assert rectangle.tolist() == [word + [0] * (width - len(word)) for word in words]


@given(ragged_sequences())
def test_padding_is_as_wide_as_the_longest_sequence(sequences):
    assert sequences.padded().shape == (len(sequences), sequences.lengths.max(initial=0))


@given(words(max_length=3))
def test_keys_are_equal_where_sequences_are(words):
    keys = Sequences.from_lists(words).keys()
    assert [[a == b for a in keys] for b in keys] == [[v == w for v in words] for w in words]


def test_arrays_cannot_be_written_to():
    sequences = Sequences.from_lists([[0, 1]])
    for array in (sequences.symbols, sequences.offsets, sequences[0]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize("index", [-1, 2])
def test_an_index_beyond_the_sequences_is_refused(index):
    with pytest.raises(IndexError, match=f"sequence {index} of 2"):
        Sequences.from_lists([[0], [1]])[index]


@pytest.mark.parametrize(
    ("symbols", "offsets", "message"),
    [
        ([0, 1], [0, 1], "offsets must rise from 0 to the number of symbols"),
        ([0, 1], [1, 2], "offsets must rise"),
        ([0, 1], [0, 2, 1, 2], "offsets must rise"),
        ([0, 1], [], "one offset more than there are sequences"),
        ([[0, 1]], [0, 1], "flat array"),
        ([-1], [0, 1], "indices from 0 up, got -1"),
    ],
)
def test_a_layout_that_is_no_list_of_sequences_is_refused(symbols, offsets, message):
    with pytest.raises(DataError, match=message):
        Sequences(symbols=np.array(symbols), offsets=np.array(offsets, int))


@given(words(), st.data())
def test_numbers_go_where_their_symbols_go(words, data):
    plain = Sequences.from_lists(words)
    table = np.arange(20, dtype=np.float32).reshape(-1, 2)
    given_numbers = Sequences(
        symbols=plain.symbols, offsets=plain.offsets, numbers=table[plain.symbols]
    )
    rows = data.draw(
        st.lists(st.integers(0, len(words) - 1), max_size=10) if words else st.just([])
    )
    for made in (
        given_numbers.select(np.array(rows, int)),
        Sequences.join([given_numbers, given_numbers]),
    ):
        assert (made.numbers == table[made.symbols]).all()
    assert Sequences.join([given_numbers, plain]).numbers is None
    assert given_numbers.padded().shape == (*plain.padded().shape, 2)


def test_every_symbol_needs_a_row_of_numbers():
    with pytest.raises(DataError, match="3 symbols need as many rows of numbers"):
        Sequences(symbols=[0, 1, 0], offsets=[0, 3], numbers=np.zeros((2, 1)))


@given(ragged_sequences(symbols=3), st.data())
def test_what_a_mask_keeps_is_kept_in_order_with_its_numbers(sequences, data):
    n = len(sequences.symbols)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool)
    numbers = np.arange(2.0 * n).reshape(n, 2)
    kept = replace(sequences, numbers=numbers).keep(mask)
    assert len(kept) == len(sequences)
    assert kept.numbers is not None
    np.testing.assert_array_equal(kept.numbers, numbers[mask])
    for row in range(len(sequences)):
        here = mask[sequences.offsets[row] : sequences.offsets[row + 1]]
        assert kept[row].tolist() == sequences[row][here].tolist()
