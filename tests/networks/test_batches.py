import torch
from hypothesis import given
from hypothesis import strategies as st

from lisor.networks.batches import equal_batches
from tests.strategies import ragged_sequences


@given(ragged_sequences(symbols=3), st.integers(1, 20))
def test_batches_of_one_length_hold_each_sequence_that_is_not_empty_once(sequences, most):
    rows = []
    for index, read in equal_batches(sequences, torch.device("cpu"), most):
        assert read.numel() <= most or len(index) == 1
        for row, symbols in zip(index, read[0], strict=True):
            assert symbols.tolist() == sequences[row].tolist()
            rows.append(row)
    assert sorted(rows) == [row for row, word in enumerate(sequences) if len(word)]
