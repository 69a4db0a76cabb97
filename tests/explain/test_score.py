import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.data.dataset import Split
from lisor.explain.score import (
    draw_positions,
    labels_of_steps,
    predictions_after,
    predictions_within,
    score_of,
)
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from tests.conftest import random_network
from tests.explain.conftest import with_target

WORD = st.lists(st.integers(0, 2), max_size=6)


@pytest.mark.parametrize("cell", ["gru", "mean-lstm", "attention-recurrent"])
@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=20)
@given(word=WORD)
def test_what_is_predicted_within_a_sequence_is_what_is_after_its_prefixes(
    cell: str, target: str, word: list[int]
) -> None:
    network = with_target(random_network(cell, symbols=3, classes=4), target)
    within = predictions_within(network, Sequences.from_lists([word]))
    prefixes = Sequences.from_lists([word[:length] for length in range(len(word) + 1)])
    np.testing.assert_allclose(within, predictions_after(network, prefixes), atol=1e-6)


def test_both_margins_are_the_same() -> None:
    logits = torch.randn(5, 4, dtype=torch.float64)
    classes, score = torch.tensor([0, 1, 2, 3, 0]), score_of("class")
    expected = score.through(logits, classes).numpy()
    assert score.of(logits.softmax(dim=1).numpy(), classes.numpy()) == pytest.approx(expected)
    assert np.isfinite(score.of(np.array([[0.0, 1.0]]), np.array([0]))).all()


def test_of_numbers_the_first_is_explained_and_what_is_left_falls_with_the_distance() -> None:
    score = score_of("number")
    whole = np.array([[1.0, 9.0], [3.0, 9.0]], np.float32)  # a deviation of 1
    explained = score.explained(whole)
    assert explained.tolist() == [0, 0]
    assert score.through(torch.from_numpy(whole), torch.tensor([0, 1])).tolist() == [1, 9]
    assert score.left(whole, whole, explained).tolist() == [0, 0]
    assert score.left(whole, whole + 2, explained).tolist() == [-2, -2]
    assert score.left(whole[:1], whole[:1] + 2, explained[:1]).tolist() == [-2]


def test_a_step_has_the_label_of_its_sequence_or_the_one_after_it() -> None:
    words = Sequences.from_lists([[5, 6], [], [7]])
    once = Split(sequences=words, labels=np.array([2, 3, 4]))
    assert labels_of_steps(once).tolist() == [2, 2, 4]
    by_step = Split(sequences=words, labels=np.array([1, 2, 3]), target="step")
    assert labels_of_steps(by_step).tolist() == [1, 2, 3]
    labels = np.array([5, 6, 9, 9, 7, 9])
    following = Split(sequences=words, labels=labels, target="next")
    assert labels_of_steps(following).tolist() == [6, 9, 9]


def test_a_position_is_drawn_after_a_symbol_and_the_only_one_is_the_end() -> None:
    words = Sequences.from_lists([[0] * 5, [], [0]] * 30)
    assert draw_positions(words, "class", 0).tolist() == words.lengths.tolist()
    for target in ("step", "next"):
        drawn = draw_positions(words, target, 0)
        assert (drawn <= words.lengths).all()
        assert ((drawn > 0) == (words.lengths > 0)).all()
        assert set(drawn[::3].tolist()) == {1, 2, 3, 4, 5}
