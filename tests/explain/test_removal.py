import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.explain import removal
from lisor.explain.removal import affordable, remove
from lisor.explain.score import predictions_after, score_of
from lisor.networks.external.stepped import SteppedNetwork
from lisor.registry import TARGETS
from lisor.sequences import Sequences
from tests.conftest import random_network
from tests.explain.conftest import Counter, values_of, with_target

WORDS = st.lists(st.lists(st.integers(0, 2), max_size=5), min_size=1, max_size=4)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=20)
@given(words=WORDS)
def test_a_symbol_counts_by_what_the_score_loses_without_it(
    target: str, words: list[list[int]]
) -> None:
    network = with_target(random_network(symbols=3, classes=4), target)
    sequences, score = Sequences.from_lists(words), score_of(target)
    found = remove(network, sequences)
    for row, word in enumerate(words):
        answer = found.explained[row : row + 1]
        whole = predictions_after(network, Sequences.from_lists([word]))
        assert answer[0] == (0 if TARGETS[target].is_numeric else whole[0].argmax())
        for at, value in enumerate(values_of(found, row)):
            without = Sequences.from_lists([word[:at] + word[at + 1 :]])
            left = score.of(predictions_after(network, without), answer)
            assert value == pytest.approx(score.of(whole, answer)[0] - left[0], abs=1e-4)


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network(symbols=3)
    rng = np.random.default_rng(0)
    words = Sequences.from_lists([rng.integers(0, 3, size) for size in (3, 0, 7, 5, 1)])
    whole = remove(network, words).values
    monkeypatch.setattr(removal, "MAX_SYMBOLS", 10)
    np.testing.assert_allclose(remove(network, words).values, whole, atol=1e-5)


def test_the_symbols_that_decide_are_those_whose_removal_counts() -> None:
    counter = SteppedNetwork(Counter(), ("0", "1"))
    found = remove(counter, Sequences.from_lists([[1, 1, 0, 0, 0, 1], [1, 0, 1]]))
    assert (values_of(found, 0) > 0).tolist() == [False, False, True, True, True, False]
    assert values_of(found, 1).tolist() == [0, 0, 0]


def test_only_so_many_sequences_are_read_without_each_symbol(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = Sequences.from_lists([[0] * 10] * 5)
    assert len(affordable(words)) == 5
    monkeypatch.setattr(removal, "MAX_READ", 200)
    assert len(affordable(words)) == 2
    monkeypatch.setattr(removal, "MAX_READ", 1)
    assert len(affordable(words)) == 1
