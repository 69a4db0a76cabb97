from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from lisor.data import languages
from lisor.data.dataset import Dataset, Split
from lisor.data.languages import LANGUAGES
from lisor.errors import DataError
from lisor.fsa.automaton import Automaton
from tests.strategies import automata

MEMBERS = {"000": lambda word: "000" in word, "0110": lambda word: word == "0110"}
SIZES = {"train": 3000, "validation": 500, "selection": 500, "test": 500}


def every_word(length: int) -> list[str]:
    return ["".join(letters) for letters in product("01", repeat=length)]


def as_words(split: Split) -> list[str]:
    return ["".join(map(str, sequence)) for sequence in split.sequences]


def build(name: str = "000", **settings) -> Dataset:
    usual = {"sizes": SIZES, "max_length": 20, "balanced": True, "seed": 0, "fresh": languages.FRESH}
    return languages.build(LANGUAGES[name], **usual | settings)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return build()


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.parametrize("length", range(10))
def test_the_automaton_accepts_the_words_of_the_language(name, length):
    words = every_word(length)
    assert [LANGUAGES[name].automaton.accepts(word) for word in words] == [MEMBERS[name](word) for word in words]


def test_sizes_are_exact(dataset):
    assert {name: len(split) for name, split in dataset.splits.items()} == SIZES


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_a_small_size_is_exact_too(size):
    assert len(build(sizes={"train": size}).splits["train"]) == size


def test_labels_say_whether_a_word_is_in_the_language(dataset):
    assert dataset.classes == ("reject", "accept")
    for split in dataset.splits.values():
        assert split.labels.tolist() == [MEMBERS["000"](word) for word in as_words(split)]


@pytest.mark.parametrize("split", ["train", "validation"])
def test_every_length_is_drawn_equally_often(dataset, split):
    count = np.bincount(dataset.splits[split].sequences.lengths, minlength=21)
    assert len(count) == 21
    assert count.max() - count.min() <= 1


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_balanced_draw_has_as_many_members_as_others_at_each_length(dataset, split):
    lengths, labels = dataset.splits[split].sequences.lengths, dataset.splits[split].labels
    for length in range(3, 21):
        members = labels[lengths == length].sum()
        assert abs(2 * members - (lengths == length).sum()) <= 1


def test_an_unbalanced_draw_has_members_as_often_as_the_language_has():
    split = build(balanced=False, sizes={"train": 3000}).splits["train"]
    share = np.mean([MEMBERS["000"](word) for word in every_word(10)])
    at_ten = split.labels[split.sequences.lengths == 10]
    assert abs(at_ten.mean() - share) < 0.15


@pytest.mark.parametrize("split", ["train", "validation"])
def test_the_empty_word_is_in_training_and_validation(dataset, split):
    assert "" in as_words(dataset.splits[split])


@pytest.mark.parametrize("max_length", [11, 20])
def test_fresh_splits_share_no_word_with_earlier_ones(max_length):
    splits = build(max_length=max_length).splits
    earlier: set[str] = set()
    for name in SIZES:
        words = set(as_words(splits[name]))
        if name in languages.FRESH:
            assert not words & earlier
        earlier |= words


def test_a_language_with_few_words_repeats_them_in_fresh_splits():
    splits = build(max_length=5).splits
    assert set(as_words(splits["test"])) == set(as_words(splits["train"]))


def test_a_split_for_which_no_fresh_word_is_left_is_refused():
    with pytest.raises(DataError, match="selection"):
        build(sizes={"train": 100_000, "selection": 50}, max_length=11)


def test_0110_unbalanced_repeats_its_sixteen_cases():
    splits = build("0110", sizes={"train": 1000, "validation": 16, "test": 100}, balanced=False).splits
    train = Counter(as_words(splits["train"]))
    assert sorted(train) == every_word(4)
    assert set(train.values()) == {62, 63}
    assert sorted(as_words(splits["validation"])) == every_word(4)
    assert len(splits["test"]) == 100


def test_0110_balanced_is_half_members():
    assert Counter(as_words(build("0110", sizes={"train": 1000}).splits["train"]))["0110"] == 500


def test_the_same_seed_draws_the_same_words_and_another_others(dataset):
    again, other = build(), build(seed=1)
    for name, split in dataset.splits.items():
        assert as_words(split) == as_words(again.splits[name]) != as_words(other.splits[name])


def test_words_come_in_random_order(dataset):
    lengths = dataset.splits["train"].sequences.lengths
    assert abs(np.corrcoef(lengths, np.arange(len(lengths)))[0, 1]) < 0.1


@given(automata(alphabet=("0", "1")), st.integers(0, 4))
def test_paths_are_counted_as_by_listing_every_word(automaton, length):
    paths = languages.count_paths(automaton, length)
    for start in range(automaton.n_states):
        for steps in range(length + 1):
            ends = Counter(classify(automaton, word, start) for word in every_word(steps))
            assert paths[steps, start].tolist() == [ends[c] for c in range(len(automaton.classes))]


@given(automata(alphabet=("0", "1")), st.integers(0, 4), st.data())
def test_sampled_words_are_all_those_of_the_class(automaton, length, data):
    target = data.draw(st.none() | st.integers(0, len(automaton.classes) - 1))
    members = {word for word in every_word(length) if target in (None, classify(automaton, word, automaton.start))}
    if members:
        drawn = languages.sample_words(automaton, length, target, 500, np.random.default_rng(0))
        assert {"".join(map(str, word)) for word in drawn} == members


@pytest.mark.parametrize("target", [None, 0, 1])
def test_sampled_words_are_equally_likely(target):
    words = languages.sample_words(LANGUAGES["000"].automaton, 7, target, 20_000, np.random.default_rng(0))
    count = Counter(tuple(word) for word in words.tolist())
    assert chisquare(list(count.values())).pvalue > 0.001


@pytest.mark.parametrize("size", [10, 128, 300])
def test_a_group_smaller_than_its_share_is_taken_whole_as_often_as_it_fits(size):
    split = build(sizes={"train": 4 * size}, max_length=3).splits["train"]
    count = Counter(as_words(split))
    others = [count[word] for word in every_word(3) if word != "000"]
    assert max(others) - min(others) <= 1
    assert abs(count["000"] - sum(others)) <= 1


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_language_equals_its_own_minimal_automaton_and_no_other_language(name):
    for other, language in LANGUAGES.items():
        assert LANGUAGES[name].equals(language.automaton.minimized()) == (name == other)


def test_a_language_of_one_length_is_judged_on_that_length_alone():
    loops_after_0110 = Automaton(
        alphabet=("0", "1"),
        classes=languages.CLASSES,
        transitions=np.array([[1, 5], [5, 2], [5, 3], [4, 5], [4, 4], [5, 5]]),
        outputs=np.array([0, 0, 0, 0, 1, 0]),
    )
    assert loops_after_0110.accepts("01101")
    assert LANGUAGES["0110"].equals(loops_after_0110)


def classify(automaton: Automaton, word: str, state: int) -> int:
    for symbol in word:
        state = automaton.transitions[state, int(symbol)]
    return int(automaton.outputs[state])
