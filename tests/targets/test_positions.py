"""Where labels and answers stand: the positions of sequences."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lisor.registry import TARGETS
from lisor.targets.positions import Positions
from tests.strategies import ragged_sequences

kinds = st.sampled_from(sorted(TARGETS))


def plainly(kind: str, lengths: list[int]) -> list[tuple[int, int]]:
    """The sequence of each position, and how many symbols it has read."""
    if kind in ("class", "regression"):
        return list(enumerate(lengths))
    first = 0 if kind == "next" else 1
    return [(row, read) for row, length in enumerate(lengths) for read in range(first, length + 1)]


@given(kinds, ragged_sequences(symbols=2))
def test_positions_are_those_of_a_plain_loop(kind, sequences):
    positions = Positions.of(sequences, kind)
    expected = plainly(kind, sequences.lengths.tolist())
    assert positions.count == len(expected)
    assert list(zip(positions.sequence.tolist(), positions.read.tolist(), strict=True)) == expected
    prefixes = [
        (row, read) for row, length in enumerate(sequences.lengths) for read in range(length + 1)
    ]
    assert [prefixes[place] for place in positions.at] == expected


@given(kinds, ragged_sequences(symbols=2).filter(len), st.data())
def test_what_is_padded_is_filled_in_again(kind, sequences, data):
    positions = Positions.of(sequences, kind)
    values = np.arange(1, positions.count + 1)
    rows = np.array(data.draw(st.permutations(range(len(sequences)))))
    padded = positions.pad(values, rows)
    assert (padded > 0).tolist() == positions.mask(rows).tolist()
    filled = np.zeros_like(values)
    positions.fill(filled, rows, padded)
    assert filled.tolist() == values.tolist()
    assert values[positions.of_sequences(rows)].tolist() == padded[padded > 0].tolist()


@given(kinds, ragged_sequences(symbols=2).filter(len))
def test_of_the_numbers_of_all_prefixes_those_of_positions_are_taken(kind, sequences):
    positions, longest = Positions.of(sequences, kind), int(sequences.lengths.max())
    numbers = torch.arange(longest + 1)[None, :, None, None].expand(1, -1, len(sequences), 3)
    taken = TARGETS[kind].take(numbers, torch.from_numpy(sequences.lengths)[None])[0]
    read = np.zeros((positions.count, 3))
    positions.fill(read, np.arange(len(sequences)), taken.numpy())
    assert read[:, 0].tolist() == positions.read.tolist()
    assert (read == read[:, :1]).all()


@pytest.mark.parametrize("kind", TARGETS)
def test_without_sequences_there_are_no_positions(kind):
    positions = Positions(target=kind, lengths=np.empty(0, np.int64))
    assert positions.count == 0
    assert positions.pad(np.empty(0), np.empty(0, int)).shape == (0, 0)
