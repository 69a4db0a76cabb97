from hypothesis import given
from hypothesis import strategies as st

from lisor.pipeline import k_blocks, trial_blocks
from lisor.settings.clustering import ClusteringSettings


@given(st.integers(1, 60), st.integers(1, 60), st.booleans())
def test_blocks_of_trials_do_not_move_when_more_are_asked_for(
    few: int, more: int, of_words: bool
) -> None:
    few, more = sorted((few, more))
    blocks = trial_blocks(few, of_words=of_words)
    assert trial_blocks(more, of_words=of_words)[: len(blocks)] == blocks
    assert [trial for block in blocks for trial in block][:few] == list(range(few))


def test_the_usual_numbers_of_trials_train_nothing_more() -> None:
    for trials in (1, 3, 5, 10, 20, 30):
        assert trial_blocks(trials, of_words=False)[-1][-1] == trials - 1
        assert trials == 3 or trial_blocks(trials, of_words=True)[-1][-1] == trials - 1


@given(st.integers(2, 80), st.integers(2, 200))
def test_blocks_of_k_cover_the_grid_in_order(first: int, last: int) -> None:
    assert [k for block in k_blocks(first, last) for k in block] == list(range(first, last + 1))


def test_searches_begin_at_the_halves_of_the_largest_k() -> None:
    assert ClusteringSettings(k=(2, 65)).searched == (2, 4, 8, 16, 32, 65)
    assert ClusteringSettings(k=(5, 8)).searched == (8,)


def test_a_wider_grid_adds_blocks_at_its_end() -> None:
    assert k_blocks(2, 64)[:1] == k_blocks(2, 32)
    assert k_blocks(2, 200)[:3] == k_blocks(2, 128)
