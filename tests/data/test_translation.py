"""Translations as a dataset: source, separator and target are one sequence."""

import numpy as np
import pandas as pd
import pytest

from lisor.data.dataset import Dataset
from lisor.data.translation import TranslationData, build, read_table
from lisor.errors import ConfigError, DataError, DataWarning
from lisor.settings.dataset import read_dataset
from lisor.settings.translation import TranslationSettings

HOW = {"separator": "⇒", "sizes": {}, "held_out": 0.25, "seed": 0}


def table(count: int = 40, **columns) -> pd.DataFrame:
    words = [list("ab" * (row + 1)) for row in range(count)]
    return pd.DataFrame({"source": words, "target": [word[::-1] for word in words], **columns})


def spelled(dataset: Dataset, split: str) -> list[str]:
    words = dataset.splits[split].sequences
    return ["".join(dataset.alphabet[symbol] for symbol in word) for word in words]


def test_source_and_target_stand_on_both_sides_of_the_separator():
    dataset = build(table(), **HOW)
    assert dataset.target == "next"
    assert dataset.alphabet[dataset.separator] == "⇒"
    texts = [text for split in dataset.splits for text in spelled(dataset, split)]
    assert len(texts) == len(set(texts)) == 40
    for source, target in (text.split("⇒") for text in texts):
        assert target == source[::-1]


def test_no_split_has_a_source_of_another():
    with pytest.warns(DataWarning, match="40 of 80 translations are not read: their source"):
        dataset = build(pd.concat([table(), table()], ignore_index=True), **HOW)
    sources = [text.split("⇒")[0] for split in dataset.splits for text in spelled(dataset, split)]
    assert len(sources) == len(set(sources)) == 40
    assert len(dataset.notes) == 1


def test_a_column_says_which_translations_are_for_testing():
    dataset = build(table(split=["train"] * 30 + ["test"] * 10), **HOW)
    lengths = dataset.splits["test"].sequences.lengths
    assert sorted(lengths) == [2 * 2 * (row + 1) + 1 for row in range(30, 40)]


def test_the_separator_is_read_back(tmp_path):
    dataset = build(table(), **HOW)
    dataset.write(tmp_path)
    assert Dataset.read(tmp_path).separator == dataset.separator


def test_a_separator_that_occurs_in_a_translation_is_refused():
    with pytest.raises(DataError, match=r"without the separator 'a'; set dataset\.separator"):
        build(table(), **{**HOW, "separator": "a"})


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_a_file_has_texts_cut_at_blanks_or_into_characters(tmp_path, ending):
    path = tmp_path / f"pairs.{ending}"
    frame = pd.DataFrame({"source": ["forty two", "ten"], "target": ["42", "10"], "more": [1, 2]})
    if ending == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    found = read_table(path)
    assert found["source"].tolist() == [["forty", "two"], ["ten"]]
    assert found["target"].tolist() == [["4", "2"], ["1", "0"]]
    assert list(found) == ["source", "target"]


def test_a_file_without_targets_is_refused(tmp_path):
    pd.DataFrame({"source": ["a"]}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=r"columns 'source' and 'target' in a\.csv, found 1 with"):
        read_table(tmp_path / "a.csv")


@pytest.mark.parametrize("reverse", [False, True])
def test_numbers_are_translated_in_both_directions(reverse):
    settings = read_dataset({"translation": "numbers:99", "reverse": reverse, "test": 10})
    dataset = TranslationData().build(settings, {})
    assert settings.name == ("numbers-99-reverse" if reverse else "numbers-99")
    assert len(dataset.splits["test"]) == 10
    words = dataset.splits["train"].sequences
    separators = words.symbols == dataset.separator
    assert np.add.reduceat(separators, words.offsets[:-1]).tolist() == [1] * len(words)
    digits = {dataset.alphabet.numbers[str(digit)] for digit in range(10)}
    for word in words:
        at = int(np.flatnonzero(word == dataset.separator)[0])
        assert set(word[:at] if reverse else word[at + 1 :]) <= digits


def test_a_file_is_named_by_its_stem_and_read():
    settings = TranslationSettings(translation="some/pairs.csv")
    assert (settings.name, settings.known_target) == ("pairs", "next")
    assert TranslationData().files(settings) == {"translation": "some/pairs.csv"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"translation": "numbers:0"}, "a whole number from 1 to 999,999"),
        ({"translation": "numbers:many"}, "a whole number from 1 to 999,999"),
        ({"translation": "dates:13"}, "a whole number from 1 to 12"),
        ({"translation": "a.csv", "separator": "a b"}, "without blanks"),
        ({"translation": "a.csv", "separator": ""}, "without blanks"),
        ({"translation": "a.csv", "target": "class"}, "not for translation"),
    ],
)
def test_settings_that_name_no_translations_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        read_dataset(settings)
