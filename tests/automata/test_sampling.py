from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from lisor.automata.automaton import Automaton
from lisor.automata.languages import LANGUAGES
from lisor.automata.regex import compile_regex
from lisor.automata.sampling import class_sizes, count_paths, draw, near_misses, sample_words
from lisor.sequences import Sequences
from tests.data.conftest import as_words, every_word
from tests.strategies import automata

CONTAINS_000 = LANGUAGES["000"].automaton
binary = automata(alphabet=("0", "1"))
few = settings(max_examples=30)
some_lengths = st.sets(st.integers(0, 4), min_size=1)
some_words = st.sets(st.text("01", max_size=3))


def classify(automaton: Automaton, word: str, state: int | None = None) -> int:
    state = automaton.start if state is None else state
    for symbol in word:
        state = automaton.transitions[state, int(symbol)]
    return int(automaton.outputs[state])


def classes_of(automaton: Automaton) -> range:
    return range(len(automaton.classes))


def keys(words: list[str]) -> set[bytes]:
    """Words as `exclude` has them."""
    return set(Sequences.from_lists([list(map(int, word)) for word in words]).keys())


# Counting and drawing by paths


@given(binary, st.integers(0, 4))
def test_paths_are_counted_as_by_listing_every_word(automaton, length):
    paths = count_paths(automaton, length)
    for start in range(automaton.n_states):
        for steps in range(length + 1):
            ends = Counter(classify(automaton, word, start) for word in every_word(steps))
            assert paths[steps, start].tolist() == [ends[c] for c in classes_of(automaton)]


@given(binary, st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True))
def test_the_sizes_of_the_classes_are_those_of_a_list_of_every_word(automaton, lengths):
    count = Counter(classify(automaton, word) for length in lengths for word in every_word(length))
    assert class_sizes(automaton, lengths).tolist() == [count[c] for c in classes_of(automaton)]


@given(binary, st.integers(0, 4), st.data())
def test_sampled_words_are_all_those_of_the_class(automaton, length, data):
    target = data.draw(st.none() | st.sampled_from(classes_of(automaton)))
    members = {word for word in every_word(length) if target in (None, classify(automaton, word))}
    if members:
        drawn = sample_words(automaton, length, target, 500, np.random.default_rng(0))
        assert {"".join(map(str, word)) for word in drawn} == members


@pytest.mark.parametrize("target", [None, 0, 1])
def test_sampled_words_are_equally_likely(target):
    words = sample_words(CONTAINS_000, 7, target, 20_000, np.random.default_rng(0))
    count = Counter(tuple(word) for word in words.tolist())
    assert chisquare(list(count.values())).pvalue > 0.001


@pytest.mark.parametrize("target", [0, 1])
def test_words_too_long_to_be_counted_belong_to_the_class_they_are_drawn_from(target):
    (word,) = draw(
        CONTAINS_000,
        1,
        lengths=[1500],
        targets=[target],
        exclude=set(),
        rng=np.random.default_rng(0),
    )
    assert CONTAINS_000.classify(Sequences.from_lists([word])).tolist() == [target]
    assert class_sizes(CONTAINS_000, [1500]).tolist() == [np.inf, np.inf]


@given(binary, st.integers(0, 40), some_lengths, some_words, st.data())
def test_drawn_words_are_of_the_lengths_and_classes_asked_for_and_not_excluded(
    automaton, size, lengths, out, data
):
    targets = data.draw(
        st.just([None]) | st.lists(st.sampled_from(classes_of(automaton)), min_size=1, unique=True)
    )
    rng = np.random.default_rng(0)
    words = as_words(
        draw(automaton, size, lengths=sorted(lengths), targets=targets, exclude=keys(out), rng=rng)
    )
    words_there_are = [word for length in lengths for word in every_word(length)]
    members = {
        word for word in words_there_are if None in targets or classify(automaton, word) in targets
    }
    assert set(words) <= members - out
    assert len(words) == (size if members - out else 0)


# Near misses


def distance(one: str, other: str) -> int:
    """The fewest insertions, deletions and substitutions between two words (Wagner & Fischer,
    1974)."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        above, row = row, [i]
        for j, b in enumerate(other, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
    return row[-1]


def misses(
    automaton: Automaton, size: int, lengths, *, out: set[str] = frozenset(), seed: int = 0
) -> list[str]:
    rng = np.random.default_rng(seed)
    return as_words(
        near_misses(automaton, size, lengths=list(lengths), exclude=keys(sorted(out)), rng=rng)
    )


@pytest.mark.parametrize("lengths", [range(1, 21), range(21, 51)])
@pytest.mark.parametrize("name", [name for name in LANGUAGES if name != "0110"])
def test_near_misses_are_pairs_one_edit_apart_of_which_one_is_in_the_language(name, lengths):
    automaton = LANGUAGES[name].automaton
    words = misses(automaton, 60, lengths)
    assert len(words) == 60
    for one, other in zip(words[::2], words[1::2], strict=True):
        assert distance(one, other) == 1
        assert automaton.accepts(one) != automaton.accepts(other)
    assert {len(word) for word in words} <= set(lengths)


@given(binary, st.integers(0, 12), some_lengths, some_words)
def test_near_misses_differ_in_class_and_are_of_the_lengths_asked_for_and_not_excluded(
    automaton, size, lengths, out
):
    words = misses(automaton, size, sorted(lengths), out=out)
    assert len(words) <= size
    assert not set(words) & out
    assert {len(word) for word in words} <= lengths
    for one, other in zip(words[::2], words[1::2], strict=False):
        assert distance(one, other) == 1
        assert classify(automaton, one) != classify(automaton, other)


@few
@given(binary, some_lengths, some_words)
def test_near_misses_are_found_where_there_are_any(automaton, lengths, out):
    words = [word for length in lengths for word in every_word(length) if word not in out]
    there_are = any(
        distance(one, other) == 1 and classify(automaton, one) != classify(automaton, other)
        for one in words
        for other in words
    )
    assert bool(misses(automaton, 20, sorted(lengths), out=out)) == there_are


@pytest.mark.parametrize("size", [2, 10, 40])
def test_a_few_near_misses_among_many_lengths_are_found_too(size):
    assert len(misses(CONTAINS_000, size, range(101, 121))) == size


def test_every_kind_of_edit_is_among_near_misses():
    words = misses(CONTAINS_000, 1000, range(1, 21))
    kinds = Counter(
        len(edited) - len(word) for word, edited in zip(words[::2], words[1::2], strict=True)
    )
    assert set(kinds) == {-1, 0, 1}
    assert min(kinds.values()) > 500 / 10


def test_either_class_is_met_by_an_edit():
    words = misses(CONTAINS_000, 400, range(1, 21))
    assert 50 < sum("000" in word for word in words[::2]) < 150


def test_near_misses_of_one_length_are_substitutions():
    words = misses(CONTAINS_000, 40, [6])
    assert {len(word) for word in words} == {6}
    assert len(words) == 40


def test_an_odd_number_of_near_misses_ends_with_half_a_pair():
    assert len(misses(CONTAINS_000, 7, range(1, 9))) == 7


@pytest.mark.parametrize("expression", ["01", "(0|10|1110)0?"])
def test_a_finite_language_has_no_near_misses_beyond_its_words(expression):
    automaton = compile_regex(expression, ("0", "1"))
    assert misses(automaton, 20, range(8, 20)) == []
    assert misses(automaton, 20, range(1, 20))


def test_no_near_misses_are_drawn_where_every_word_is_excluded():
    assert misses(CONTAINS_000, 10, [3, 4], out={*every_word(3), *every_word(4)}) == []


def test_the_same_seed_gives_the_same_near_misses_and_another_others():
    once, again, other = (misses(CONTAINS_000, 100, range(1, 21), seed=seed) for seed in (3, 3, 4))
    assert once == again != other


def test_near_misses_of_a_large_alphabet_are_found():
    letters = "abcdefghijklmnopqrstuvwxyz"
    automaton = compile_regex(f"[{letters}]*foo[{letters}]*", tuple(letters))
    words = near_misses(
        automaton, 20, lengths=list(range(3, 12)), exclude=set(), rng=np.random.default_rng(0)
    )
    texts = ["".join(automaton.alphabet[symbol] for symbol in word) for word in words]
    for one, other in zip(texts[::2], texts[1::2], strict=True):
        assert distance(one, other) == 1
        assert ("foo" in one) != ("foo" in other)
