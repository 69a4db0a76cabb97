from collections import Counter

import numpy as np
import pytest

from lisor.automata.languages import LANGUAGES, find
from lisor.data import words
from lisor.data.dataset import Dataset
from lisor.errors import DataError, LanguageError
from lisor.settings.language import LanguageSettings
from tests.data.conftest import as_words, every_word

SIZES = {"train": 3000, "validation": 500, "selection": 500}
REACHES = ("short", "long")
TEST_SETS = tuple(f"{reach}-{kind}" for reach in REACHES for kind in ("random", "near-miss"))
SMALL = ("tomita-1", "tomita-2")
"""Languages of which few words are short."""


def build(name: str = "000", **settings) -> Dataset:
    language = LANGUAGES[name] if name in LANGUAGES else find(name)
    return words.build(
        language, **{"sizes": SIZES, "max_length": 20, "balanced": True, "seed": 0} | settings
    )


def built_with_tests(name: str, *, size: int = 60, **settings) -> Dataset:
    return build(name, sizes={"train": 300, "validation": 100, "test": size}, **settings)


def learned(dataset: Dataset) -> set[str]:
    """The words of training and validation."""
    return {word for name in ("train", "validation") for word in as_words(dataset.splits[name])}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return build()


@pytest.fixture(scope="module", params=["000", "tomita-3", "tomita-5", "tomita-6"])
def with_tests(request: pytest.FixtureRequest) -> Dataset:
    """Words of a language both of whose classes are large."""
    return built_with_tests(request.param)


# The splits


def test_sizes_are_exact(dataset):
    assert {name: len(split) for name, split in dataset.splits.items()} == SIZES


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_a_small_size_is_exact_too(size):
    assert len(build(sizes={"train": size}).splits["train"]) == size


def test_labels_say_whether_a_word_is_in_the_language(with_tests):
    assert with_tests.classes == ("reject", "accept")
    assert with_tests.alphabet == ("0", "1")
    for split in with_tests.splits.values():
        assert split.labels.tolist() == [
            with_tests.language.automaton.accepts(word) for word in as_words(split)
        ]


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
    share = np.mean(["000" in word for word in every_word(10)])
    at_ten = split.labels[split.sequences.lengths == 10]
    assert abs(at_ten.mean() - share) < 0.15


@pytest.mark.parametrize("name", [name for name in LANGUAGES if name != "0110"])
def test_the_empty_word_is_in_training_and_validation(name):
    splits = build(name, sizes={"train": 100, "validation": 30}).splits
    assert all("" in as_words(splits[split]) for split in ("train", "validation"))


@pytest.mark.parametrize("max_length", [11, 20])
def test_fresh_splits_share_no_word_with_earlier_ones(max_length):
    sizes = {**SIZES, "test": 200}
    splits = build(max_length=max_length, sizes=sizes).splits
    earlier: set[str] = set()
    for name in sizes:
        drawn = set(as_words(splits[name]))
        if name in words.FRESH:
            assert not drawn & earlier
        earlier |= drawn


def test_a_language_with_few_words_repeats_them_in_fresh_splits():
    splits = build(max_length=5, sizes={**SIZES, "test": 500}).splits
    assert set(as_words(splits["test"])) == set(as_words(splits["train"]))


def test_a_split_for_which_no_fresh_word_is_left_is_refused():
    with pytest.raises(DataError, match="selection"):
        build(sizes={"train": 100_000, "selection": 50}, max_length=11)


def test_0110_unbalanced_repeats_its_sixteen_cases():
    splits = build(
        "0110", sizes={"train": 1000, "validation": 16, "test": 100}, balanced=False
    ).splits
    train = Counter(as_words(splits["train"]))
    assert sorted(train) == every_word(4)
    assert set(train.values()) == {62, 63}
    assert sorted(as_words(splits["validation"])) == every_word(4)
    assert len(splits["test"]) == 100


def test_0110_balanced_is_half_members():
    assert Counter(as_words(build("0110", sizes={"train": 1000}).splits["train"]))["0110"] == 500


def test_the_same_seed_draws_the_same_words_and_another_others():
    once, again, other = (built_with_tests("000", seed=seed).splits for seed in (0, 0, 1))
    assert list(once) == ["train", "validation", "test", *TEST_SETS]
    for name, split in once.items():
        assert as_words(split) == as_words(again[name]) != as_words(other[name])


def test_words_come_in_random_order(dataset):
    lengths = dataset.splits["train"].sequences.lengths
    assert abs(np.corrcoef(lengths, np.arange(len(lengths)))[0, 1]) < 0.1


@pytest.mark.parametrize("size", [10, 128, 300])
def test_a_group_smaller_than_its_share_is_taken_whole_as_often_as_it_fits(size):
    split = build(sizes={"train": 4 * size}, max_length=3).splits["train"]
    count = Counter(as_words(split))
    others = [count[word] for word in every_word(3) if word != "000"]
    assert max(others) - min(others) <= 1
    assert abs(count["000"] - sum(others)) <= 1


def test_the_language_comes_with_its_words():
    assert build("tomita-3").language is LANGUAGES["tomita-3"]


def test_the_data_set_of_some_settings_is_the_one_they_describe():
    config = LanguageSettings(
        language="regex:(a|b|c)*ab(a|b|c)*",
        alphabet="abc",
        train=60,
        validation=30,
        test=20,
        max_length=8,
        seed=5,
    )
    dataset = words.from_settings(config)
    assert dataset.alphabet == ("a", "b", "c")
    sizes = {name: len(split) for name, split in dataset.splits.items()}
    assert sizes == {"train": 60, "validation": 30, "selection": 500, "test": 20} | dict.fromkeys(
        TEST_SETS, 20
    )
    for split in dataset.splits.values():
        texts = ["".join("abc"[int(symbol)] for symbol in word) for word in as_words(split)]
        assert split.labels.tolist() == ["ab" in text for text in texts]


@pytest.mark.parametrize("language", ["regex:(0|1)*", "regex:(0", "automaton:absent.json"])
def test_settings_of_a_language_that_cannot_be_used_are_refused(language):
    with pytest.raises(LanguageError):
        words.from_settings(LanguageSettings(language=language))


# The test sets


@pytest.mark.parametrize("kind", TEST_SETS)
def test_a_test_set_is_as_large_as_the_test_split_and_half_of_it_are_members(with_tests, kind):
    split = with_tests.splits[kind]
    assert len(split) == len(with_tests.splits["test"])
    assert 2 * split.labels.sum() == len(split)


@pytest.mark.parametrize("kind", TEST_SETS)
def test_test_sets_share_no_word_with_training_and_validation(with_tests, kind):
    assert not set(as_words(with_tests.splits[kind])) & learned(with_tests)


@pytest.mark.parametrize("name", [name for name in LANGUAGES if name != "0110"])
def test_words_of_a_long_test_set_are_longer_than_any_in_training(name):
    splits = built_with_tests(name, size=60, max_length=12).splits
    for kind in TEST_SETS:
        lengths = splits[kind].sequences.lengths
        shortest, longest = (1, 12) if kind.startswith("short") else (13, 34)
        assert shortest <= lengths.min() <= lengths.max() <= longest


@pytest.mark.parametrize("reach", REACHES)
def test_random_words_have_even_and_odd_lengths_of_every_size(reach):
    lengths = built_with_tests("tomita-6", size=300).splits[f"{reach}-random"].sequences.lengths
    count = np.bincount(lengths)
    assert abs(count[::2].sum() - count[1::2].sum()) < 30
    assert set(lengths) >= set(range(12, 21) if reach == "short" else range(21, 51))


@pytest.mark.parametrize("name", SMALL)
def test_words_of_a_small_class_are_repeated_in_the_test_sets(name):
    dataset = built_with_tests(name, size=120)
    for kind in TEST_SETS:
        split = dataset.splits[kind]
        members = [word for word, label in zip(as_words(split), split.labels, strict=True) if label]
        assert len(members) == 60
        assert len(set(members)) <= 30
    assert set(as_words(dataset.splits["short-random"])) & learned(dataset)


@pytest.mark.parametrize("kind", TEST_SETS)
def test_a_test_set_of_an_odd_size_is_balanced_but_for_one(kind):
    split = built_with_tests("000", size=51).splits[kind]
    assert len(split) == 51
    assert split.labels.sum() in (25, 26)


def test_an_unbalanced_data_set_has_balanced_test_sets():
    splits = built_with_tests("tomita-1", balanced=False, size=60).splits
    assert [splits[kind].labels.sum() for kind in TEST_SETS] == [30] * 4


def test_words_of_one_length_have_no_test_sets():
    dataset = build("0110", sizes={"train": 32, "validation": 16, "test": 20})
    assert list(dataset.splits) == ["train", "validation", "test"]
    assert dataset.notes == ()


def test_without_a_test_split_there_are_no_test_sets(dataset):
    assert list(dataset.splits) == list(SIZES)


def test_test_sets_do_not_change_what_is_drawn_for_training():
    with_test, without = build(sizes={**SIZES, "test": 50}), build()
    for name in SIZES:
        assert as_words(with_test.splits[name]) == as_words(without.splits[name])


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("regex:01|1|0000", ("long-random", "long-near-miss")),  # no member is long
        ("regex:(0|1){9}(0|1)*1", ("short-random", "short-near-miss")),  # no member is short
        ("regex:(0|1){0,6}", ("long-random", "long-near-miss")),  # every other word is long
    ],
)
def test_a_test_set_that_would_lack_a_class_is_left_out_and_noted(name, missing):
    dataset = built_with_tests(name, size=20, max_length=8)
    assert [kind for kind in TEST_SETS if kind not in dataset.splits] == list(missing)
    assert [
        note for kind in missing for note in dataset.notes if f"no test set {kind}:" in note
    ] == list(dataset.notes)
    assert len(dataset.notes) == len(missing)
    for kind in set(TEST_SETS) - set(missing):
        assert 2 * dataset.splits[kind].labels.sum() == len(dataset.splits[kind])


@pytest.mark.parametrize("name", ["regex:1*0[01]{30}", "regex:(0|1)*0"])
def test_words_of_one_symbol_are_the_shortest_data_set(name):
    dataset = build(name, sizes={"train": 20, "test": 4}, max_length=1)
    assert {len(word) for word in as_words(dataset.splits["train"])} == {0, 1}
    for kind in set(TEST_SETS) & set(dataset.splits):
        assert 2 * dataset.splits[kind].labels.sum() == len(dataset.splits[kind])
