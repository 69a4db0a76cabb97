from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.evaluation import ngrams
from lisor.evaluation.ngrams import NGram
from lisor.sequences import Sequences
from lisor.targets.next import following
from tests.strategies import ragged_sequences


def plainly(train: Sequences, word: list[int], symbols: int, order: int) -> list[float]:
    """The probability of what follows each prefix of a word, by counting."""
    begin, probabilities = symbols, []
    padded = [begin] * (order - 1) + word + [symbols]
    for at in range(order - 1, len(padded)):
        share = 1 / (symbols + 1)
        for length in range(order):
            context = padded[at - length : at]
            counts: Counter[int] = Counter()
            for other in train:
                read = [begin] * (order - 1) + other.tolist() + [symbols]
                for spot in range(order - 1, len(read)):
                    if read[spot - length : spot] == context:
                        counts[read[spot]] += 1
            if counts:
                types = len(counts)
                share = (counts[padded[at]] + types * share) / (counts.total() + types)
        probabilities.append(share)
    return probabilities


@given(ragged_sequences(), ragged_sequences(), st.integers(1, 4))
def test_probabilities_are_those_of_counting(train, words, order):
    if not len(train):
        return
    logs = NGram.fit(train, 2, order).log_probabilities(words)
    right = [share for word in words for share in plainly(train, word.tolist(), 2, order)]
    np.testing.assert_allclose(np.exp(logs), right)


@given(ragged_sequences(symbols=3), st.integers(1, 3))
def test_probabilities_of_all_that_may_follow_are_one_in_sum(train, order):
    if not len(train):
        return
    ngram = NGram.fit(train, 3, order)
    totals = 0.0
    for symbol in range(3):
        word = Sequences.from_lists([[0, symbol]])
        totals += np.exp(ngram.log_probabilities(word)[1])
    totals += np.exp(ngram.log_probabilities(Sequences.from_lists([[0]]))[1])
    assert totals == pytest.approx(1)


def test_the_order_is_chosen_on_validation():
    alternating = Sequences.from_lists([[0, 1, 1] * 6] * 20)
    assert ngrams.best(alternating, alternating, 2).order >= 3
    rng = np.random.default_rng(0)
    train, validation = (
        Sequences.from_lists([rng.integers(4, size=5) for _ in range(60)]) for _ in range(2)
    )
    assert ngrams.best(train, validation, 4).order == 1


def test_a_large_alphabet_has_shorter_ngrams():
    words = Sequences.from_lists([[0, 1], [1, 0]])
    assert ngrams.best(words, words, 1_000_000).order <= 3


def test_what_follows_each_prefix():
    words = Sequences.from_lists([[0, 1], [], [1]])
    assert following(words, 2).tolist() == [0, 1, 2, 2, 1, 2]
