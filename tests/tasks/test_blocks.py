from hypothesis import given
from hypothesis import strategies as st

from tasks.fsa import k_blocks, searched_ks
from tasks.rnn import trial_blocks


@given(st.integers(1, 60), st.integers(1, 60))
def test_blocks_of_trials_do_not_move_when_more_are_asked_for(few: int, more: int) -> None:
    few, more = sorted((few, more))
    assert trial_blocks(more)[: len(trial_blocks(few))] == trial_blocks(few)
    assert [trial for block in trial_blocks(few) for trial in block][:few] == list(range(few))


def test_the_usual_numbers_of_trials_train_nothing_more() -> None:
    for trials in (1, 3, 5, 10, 20, 30):
        assert trial_blocks(trials)[-1][-1] == trials - 1


@given(st.integers(2, 80), st.integers(2, 200))
def test_blocks_of_k_cover_the_grid_in_order(first: int, last: int) -> None:
    assert [k for block in k_blocks(first, last) for k in block] == list(range(first, last + 1))


def test_searches_begin_at_the_halves_of_the_largest_k() -> None:
    assert searched_ks(2, 65) == (2, 4, 8, 16, 32, 65)
    assert searched_ks(5, 8) == (8,)


def test_a_wider_grid_adds_blocks_at_its_end() -> None:
    assert k_blocks(2, 64)[:2] == k_blocks(2, 32)
