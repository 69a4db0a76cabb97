import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from lisor.automata.automaton import Automaton
from lisor.explain.agreement import agreement, state_changes
from lisor.explain.attributions import Attributions
from lisor.sequences import Sequences
from tests.explain.conftest import values_of
from tests.strategies import automata

words = st.lists(st.lists(st.integers(0, 1), max_size=8), min_size=1, max_size=6)

TOGGLE = Automaton(
    alphabet=("0", "1"),
    classes=("no", "yes"),
    transitions=np.array([[0, 1], [1, 0]]),
    outputs=np.array([0, 1]),
    start=0,
)
"""A 1 changes the state, a 0 does not."""


def attributions(some: list[list[int]], values: np.ndarray) -> Attributions:
    sequences = Sequences.from_lists(some)
    none = np.zeros(len(some), np.int32)
    return Attributions(
        method="saliency",
        sequences=sequences,
        values=values,
        explained=none,
        whole=np.zeros((len(some), 2)),
    )


def drawn(some: list[list[int]], seed: int) -> Attributions:
    count = sum(map(len, some))
    return attributions(some, np.random.default_rng(seed).normal(size=count).astype(np.float32))


@given(automata(alphabet=("0", "1")), words)
def test_changes_of_state_are_those_of_each_word_from_the_start(
    automaton: Automaton, some: list[list[int]]
) -> None:
    plainly = []
    for word in some:
        state = automaton.start
        for symbol in word:
            after = int(automaton.transitions[state, symbol])
            plainly.append(after != state)
            state = after
    assert state_changes(automaton, drawn(some, 0)).tolist() == plainly


@given(words, st.integers(0, 99))
def test_the_correlation_is_spearmans_over_words_that_have_both_kinds_of_steps(
    some: list[list[int]], seed: int
) -> None:
    given_ones, plainly = drawn(some, seed), []
    for row, word in enumerate(some):
        if 0 < sum(word) < len(word):
            plainly.append(spearmanr(np.abs(values_of(given_ones, row)), word).statistic)
    found = agreement(TOGGLE, given_ones)
    assert found.sequences == len(plainly)
    if plainly:
        assert found.correlation == pytest.approx(np.mean(plainly))
    else:
        assert np.isnan(found.correlation)


def test_attributions_of_what_moves_the_automaton_agree_and_shuffled_ones_do_not() -> None:
    rng = np.random.default_rng(0)
    some = [rng.integers(0, 2, 12).tolist() for _ in range(40)]
    found = agreement(TOGGLE, attributions(some, np.concatenate(some) - 0.3))
    assert found.correlation == pytest.approx(1)
    assert abs(found.shuffled) < 4 * found.deviation


def test_attributions_that_are_all_alike_say_nothing() -> None:
    assert agreement(TOGGLE, attributions([[0, 1, 1]], np.ones(3, np.float32))).sequences == 0
