from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.automata.automaton import Automaton
from lisor.errors import DataError
from lisor.extraction.probes import Probes, access_words
from lisor.sequences import Sequences
from tests.strategies import automata

Word = tuple[int, ...]

few = settings(max_examples=20)
seeds = st.integers(0, 999)
counts = st.integers(0, 12)


@st.composite
def probes(draw: st.DrawFn, *, symbols: int | None = None, most: int = 9) -> Probes:
    """Probes of any bounds, whatever the lengths of the words that they are like."""
    size = symbols or draw(st.integers(1, 3))
    some = draw(st.lists(st.lists(st.integers(0, size - 1), max_size=6), min_size=1, max_size=5))
    shortest, longest = sorted(draw(st.tuples(st.integers(0, most), st.integers(0, most))))
    return Probes(
        words=Sequences.from_lists(some), symbols=size, shortest=shortest, longest=longest
    )


def as_tuples(sequences: Sequences) -> list[Word]:
    return [tuple(sequence.tolist()) for sequence in sequences]


def edit_plainly(word: Word, symbols: int) -> set[Word]:
    """A word and all at edit distance 1 of it."""
    found = {word}
    for place in range(len(word) + 1):
        for letter in range(symbols):
            found |= {
                (*word[:place], letter, *word[place:]),
                (*word[:place], letter, *word[place + 1 :]),
            }
        found.add(word[:place] + word[place + 1 :])
    return found


def distances_plainly(automaton: Automaton) -> dict[int, int]:
    """How many symbols lead to each reachable state, by breadth-first search one level at a
    time."""
    level, found, length = {automaton.start}, {}, 0
    while level:
        found |= dict.fromkeys(level, length)
        level = {
            int(target) for state in level for target in automaton.transitions[state]
        } - found.keys()
        length += 1
    return found


def end(automaton: Automaton, word: Word) -> int:
    state = automaton.start
    for symbol in word:
        state = int(automaton.transitions[state, symbol])
    return state


# Words that lead to each state


@given(automata(max_states=9))
def test_access_words_lead_to_every_reachable_state_and_are_as_short_as_can_be(automaton):
    words, distances = (
        [tuple(word.tolist()) for word in access_words(automaton)],
        distances_plainly(automaton),
    )
    assert sorted(end(automaton, word) for word in words) == sorted(distances)
    assert all(len(word) == distances[end(automaton, word)] for word in words)


@given(automata(max_states=9))
def test_access_words_come_shortest_first_and_so_that_of_the_start(automaton):
    lengths = [len(word) for word in access_words(automaton)]
    assert lengths[0] == 0
    assert lengths == sorted(lengths)


def test_a_word_passes_through_as_many_states_as_there_are():
    """The states of a long chain, each reached by the symbol 1 alone."""
    size = 500
    table = np.stack([np.zeros(size, int), np.minimum(np.arange(1, size + 1), size - 1)], axis=1)
    chain = Automaton(
        alphabet=("0", "1"), classes=("no",), transitions=table, outputs=np.zeros(size, int)
    )
    assert [word.tolist() for word in access_words(chain)] == [
        [1] * length for length in range(size)
    ]


# What holds of all kinds


@given(probes(), seeds, counts, st.data())
def test_near_misses_and_walks_keep_to_the_lengths_and_to_the_symbols(asked, seed, count, data):
    automaton = data.draw(automata(alphabet=tuple("abc"[: asked.symbols])))
    rng = np.random.default_rng(seed)
    for words in (asked.near_misses(count, rng), asked.continued(automaton, count, rng)):
        assert len(words) <= count
        assert all(asked.shortest <= length <= asked.longest for length in words.lengths)
        assert (words.symbols < asked.symbols).all()


@given(probes(), seeds, counts)
def test_random_words_are_as_long_as_those_they_are_like(asked, seed, count):
    words = asked.random(count, np.random.default_rng(seed))
    assert len(words) == count
    assert set(words.lengths) <= set(asked.words.lengths.clip(asked.shortest, asked.longest))
    assert (words.symbols < asked.symbols).all()


@given(probes(symbols=2), automata(alphabet=("0", "1")), seeds, counts)
def test_the_same_seed_gives_the_same_words(asked, automaton, seed, count):
    def draw() -> list[list[Word]]:
        rng = np.random.default_rng(seed)
        kinds = (
            asked.random(count, rng),
            asked.near_misses(count, rng),
            asked.continued(automaton, count, rng),
        )
        return [as_tuples(words) for words in kinds]

    assert draw() == draw()


CHAIN = Automaton(
    alphabet=("0", "1"),
    classes=("reject", "accept"),
    transitions=np.array([[1, 0], [2, 0], [3, 0], [4, 0], [5, 0], [5, 5]]),
    outputs=np.array([0, 0, 0, 0, 0, 1]),
)
"""Accepts what contains 00000."""


def test_another_seed_gives_other_words():
    asked = Probes(
        words=Sequences.from_lists([[0, 1, 1, 0], [1, 1]]), symbols=2, shortest=0, longest=14
    )
    one, two = (np.random.default_rng(seed) for seed in (0, 1))
    assert as_tuples(asked.random(20, one)) != as_tuples(asked.random(20, two))
    assert as_tuples(asked.near_misses(20, one)) != as_tuples(asked.near_misses(20, two))
    assert as_tuples(asked.continued(CHAIN, 20, one)) != as_tuples(asked.continued(CHAIN, 20, two))


def test_symbols_are_drawn_as_often_as_they_occur_and_each_can_be():
    """0 occurs six times, 1 twice, 2 never; each is counted once more."""
    asked = Probes(
        words=Sequences.from_lists([[0, 0, 0, 1], [0, 0, 0, 1]]), symbols=3, shortest=0, longest=400
    )
    stays = Automaton(
        alphabet=tuple("abc"),
        classes=("no",),
        transitions=np.zeros((1, 3), int),
        outputs=np.array([0]),
    )
    rng = np.random.default_rng(0)
    for words in (asked.random(8000, rng), asked.continued(stays, 150, rng)):
        shares = np.bincount(words.symbols) / len(words.symbols)
        np.testing.assert_allclose(shares, [7 / 11, 3 / 11, 1 / 11], atol=0.015)


# Near misses


@given(probes(), seeds, counts)
def test_a_near_miss_is_at_most_one_edit_away_from_one_of_the_words(asked, seed, count):
    near = set().union(*(edit_plainly(word, asked.symbols) for word in as_tuples(asked.words)))
    assert near.issuperset(as_tuples(asked.near_misses(count, np.random.default_rng(seed))))


@given(probes(symbols=2, most=0), seeds, counts)
def test_no_near_miss_is_missing_where_every_edit_keeps_to_the_lengths(asked, seed, count):
    wide = Probes(
        words=asked.words, symbols=2, shortest=0, longest=int(asked.words.lengths.max()) + 1
    )
    assert len(wide.near_misses(count, np.random.default_rng(seed))) == count


def test_every_edit_of_a_word_is_drawn():
    word = (0, 2, 1)
    asked = Probes(words=Sequences.from_lists([word]), symbols=3, shortest=0, longest=4)
    assert set(as_tuples(asked.near_misses(2000, np.random.default_rng(0)))) == edit_plainly(
        word, 3
    )


def test_of_words_of_one_length_near_misses_are_too():
    words = list(product((0, 1), repeat=4))
    asked = Probes.like(Sequences.from_lists(words[:5]), symbols=2, is_text=False, fixed_length=4)
    found = as_tuples(asked.near_misses(500, np.random.default_rng(0)))
    near = set().union(*(edit_plainly(word, 2) for word in words[:5]))
    assert set(found) == {word for word in words if word in near}


# Walks


@given(probes(symbols=2, most=20), automata(alphabet=("0", "1")), seeds, counts)
def test_a_walk_is_missing_only_where_a_state_is_too_far(asked, automaton, seed, count):
    walks = asked.continued(automaton, count, np.random.default_rng(seed))
    if asked.longest >= max(distances_plainly(automaton).values()):
        assert len(walks) == count


@few
@given(automata(alphabet=("0", "1"), max_states=4), seeds)
def test_each_access_word_is_at_times_a_walk_of_its_own(automaton, seed):
    asked = Probes(words=Sequences.from_lists([[1, 1]]), symbols=2, shortest=0, longest=3)
    walks = asked.continued(automaton, 500, np.random.default_rng(seed))
    assert {tuple(word.tolist()) for word in access_words(automaton)} <= set(as_tuples(walks))


def test_walks_begin_at_each_state_alike():
    """Of words like 1111… one in a thousand symbols is 0: only what begins with 00000 comes to the
    last state."""
    asked = Probes(words=Sequences.from_lists([[1] * 999]), symbols=2, shortest=0, longest=9)
    walks = as_tuples(asked.continued(CHAIN, 3000, np.random.default_rng(0)))
    deepest = [
        next((place for place, symbol in enumerate(walk) if symbol), len(walk)) for walk in walks
    ]
    np.testing.assert_allclose(
        np.bincount(deepest, minlength=6)[:6] / len(walks), np.full(6, 1 / 6), atol=0.03
    )


def test_walks_are_of_every_length_that_is_allowed():
    asked = Probes(words=Sequences.from_lists([[0, 1]]), symbols=2, shortest=2, longest=9)
    walks = asked.continued(CHAIN, 500, np.random.default_rng(0))
    assert set(walks.lengths) == set(range(2, 10))


# Which lengths matter

some_words = st.lists(st.lists(st.integers(0, 1), max_size=9), min_size=1, max_size=6).map(
    Sequences.from_lists
)


def bounds(asked: Probes) -> tuple[int, int]:
    return asked.shortest, asked.longest


@given(some_words)
def test_a_language_is_asked_for_words_twice_as_long_too(words):
    asked = Probes.like(words, symbols=2, is_text=False, fixed_length=None)
    assert bounds(asked) == (0, 2 * max(words.lengths) + 10)
    assert asked.words is words
    assert asked.symbols == 2


@given(some_words)
def test_texts_are_not_empty_nor_longer_than_the_longest(words):
    longest = max(words.lengths)
    assert bounds(Probes.like(words, symbols=2, is_text=True, fixed_length=None)) == (
        min(1, longest),
        longest,
    )


@given(st.integers(0, 4), seeds)
def test_a_language_of_one_length_is_asked_for_words_of_that_length_alone(length, seed):
    every = Sequences.from_lists(list(product((0, 1), repeat=length)))
    asked, rng = (
        Probes.like(every, symbols=2, is_text=False, fixed_length=length),
        np.random.default_rng(seed),
    )
    assert bounds(asked) == (length, length)
    for words in (asked.random(9, rng), asked.near_misses(9, rng), asked.continued(CHAIN, 9, rng)):
        assert set(words.lengths) <= {length}


# What is refused


@pytest.mark.parametrize("fixed_length", [None, 4])
@pytest.mark.parametrize("is_text", [False, True])
def test_no_words_are_refused(is_text, fixed_length):
    with pytest.raises(DataError, match="expected words to draw others like them, got none"):
        Probes.like(Sequences.from_lists([]), symbols=2, is_text=is_text, fixed_length=fixed_length)


@pytest.mark.parametrize(("shortest", "longest"), [(3, 2), (-1, 2), (-2, -1)])
def test_lengths_that_no_word_has_are_refused(shortest, longest):
    with pytest.raises(DataError, match=f"0 ≤ shortest ≤ longest, got {shortest} … {longest}"):
        Probes(words=Sequences.from_lists([[0]]), symbols=2, shortest=shortest, longest=longest)
