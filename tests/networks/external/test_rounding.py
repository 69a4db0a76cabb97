"""When numbers are the same but for rounding."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lisor.networks.external.rounding import EXACT, bound_of, same

numbers = st.lists(st.floats(-100, 100), min_size=1, max_size=6)


@given(numbers=numbers, share=st.floats(-0.09, 0.09))
def test_a_tenth_of_the_bound_is_allowed_to_all_numbers(numbers, share):
    one = torch.tensor(numbers, dtype=torch.float64)
    assert same(one + share * EXACT * (1 + one.abs().max()), one)


@given(numbers=numbers, share=st.floats(1.2, 100))
def test_more_than_the_bound_is_another_number(numbers, share):
    one = torch.tensor(numbers, dtype=torch.float64)
    other = one.clone()
    other[0] += share * EXACT * (1 + one.abs().max())
    assert not same(other, one)
    assert same(other, one, bound=20 * share * EXACT)


def test_a_small_number_beside_a_large_one_counts():
    assert not same(torch.tensor([1000.0, 0.0]), torch.tensor([1000.0, 1.0]))


def test_another_shape_and_nan_are_like_nothing():
    one = torch.zeros(2, 3)
    assert not same(one, one.T)
    assert not same(one, torch.full((2, 3), torch.nan))
    assert same(torch.zeros(0, 3), torch.zeros(0, 3))


@pytest.mark.parametrize(
    ("types", "bound"),
    [
        ([], EXACT),
        ([torch.float32, torch.int64], EXACT),
        ([torch.float16], 8 * 2**-10),
        ([torch.float32, torch.bfloat16], 8 * 2**-7),
    ],
)
def test_the_bound_is_that_of_the_coarsest_type(types, bound):
    assert bound_of(types) == bound
