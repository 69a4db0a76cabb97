import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.alphabet import Alphabet
from lisor.automata.languages import LANGUAGES, Language
from lisor.data.dataset import Dataset, Split
from lisor.errors import DataError, SchemaError
from lisor.sequences import Sequences
from tests.strategies import automata, ragged_sequences

CLASSES = ("no", "yes")


@st.composite
def splits(draw: st.DrawFn) -> Split:
    sequences = draw(ragged_sequences(symbols=3).filter(len))
    labels = draw(st.lists(st.integers(0, 1), min_size=len(sequences), max_size=len(sequences)))
    return Split(sequences=sequences, labels=np.array(labels))


def dataset(**fields) -> Dataset:
    split = Split(sequences=Sequences.from_lists([[0, 2], []]), labels=np.array([1, 0]))
    return Dataset(
        **{"alphabet": ("a", "b", "ç"), "classes": CLASSES, "splits": {"train": split}} | fields
    )


def as_plain(splits: dict[str, Split]) -> dict[str, tuple[list[list[int]], list[int]]]:
    return {
        name: ([s.tolist() for s in split.sequences], split.labels.tolist())
        for name, split in splits.items()
    }


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(["train", "validation", "test"]), splits(), min_size=1))
def test_a_data_set_is_read_as_it_was_written(tmp_path_factory, splits):
    folder = tmp_path_factory.mktemp("dataset")
    written = dataset(
        splits=splits,
        alphabet=Alphabet(symbols=("a", "b", "ç"), unknown=1, tokenizer="words"),
        notes=("5 rows dropped: no text",),
    )
    written.write(folder)
    read = Dataset.read(folder)
    assert list(read.splits) == list(splits)
    assert as_plain(read.splits) == as_plain(splits)
    for name in ("alphabet", "classes", "notes"):
        assert getattr(read, name) == getattr(written, name)
    assert read.vectors is None
    assert read.language is None


@settings(max_examples=30)
@given(automata(classes=2), st.none() | st.integers(0, 9))
def test_a_language_is_read_as_it_was_written(tmp_path_factory, automaton, fixed_length):
    folder = tmp_path_factory.mktemp("dataset")
    written = Language(automaton=automaton, fixed_length=fixed_length)
    dataset(language=written).write(folder)
    assert Dataset.read(folder).language == written


def test_a_data_set_that_was_read_knows_what_is_true_of_its_words(tmp_path):
    dataset(language=LANGUAGES["0110"]).write(tmp_path)
    language = Dataset.read(tmp_path).language
    assert language.equals(LANGUAGES["0110"].automaton)
    assert not language.equals(LANGUAGES["000"].automaton)


def test_an_empty_split_is_read_as_it_was_written(tmp_path):
    empty = Split(sequences=Sequences.from_lists([]), labels=np.array([], int))
    written = dataset(splits={"train": dataset().splits["train"], "test": empty})
    written.write(tmp_path)
    assert as_plain(Dataset.read(tmp_path).splits) == as_plain(written.splits)


def test_vectors_are_read_as_they_were_written(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    dataset(vectors=vectors).write(tmp_path)
    np.testing.assert_array_equal(Dataset.read(tmp_path).vectors, vectors)


def test_equal_data_sets_are_equal_bytes(tmp_path):
    files = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        dataset().write(folder)
        files.append((folder / "dataset.parquet").read_bytes())
    assert files[0] == files[1]


def test_another_schema_is_refused(tmp_path):
    dataset().write(tmp_path)
    path = tmp_path / "dataset.parquet"
    table = pq.read_table(path)
    about = json.loads(table.schema.metadata[b"lisor"]) | {"schema": 99}
    pq.write_table(table.replace_schema_metadata({"lisor": json.dumps(about)}), path)
    with pytest.raises(SchemaError, match="schema 6, got 99"):
        Dataset.read(tmp_path)


@pytest.mark.parametrize(("tokenizer", "is_text"), [(None, False), ("words", True)])
def test_a_data_set_with_a_tokenizer_is_text(tokenizer, is_text):
    assert (
        dataset(alphabet=Alphabet(symbols=("a", "b", "ç"), tokenizer=tokenizer)).is_text == is_text
    )


def test_splits_and_labels_cannot_be_changed():
    with pytest.raises(TypeError):
        dataset().splits["test"] = dataset().splits["train"]
    with pytest.raises(ValueError, match="read-only"):
        dataset().splits["train"].labels[0] = 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"alphabet": ("a", "b")}, "'train' holds symbols outside the alphabet of 2"),
        ({"classes": ("no",)}, "'train' holds labels outside the 1 classes"),
        ({"vectors": np.zeros((2, 5))}, "3 words need as many vectors, got 2"),
    ],
)
def test_symbols_labels_and_vectors_must_fit_the_alphabet_and_classes(fields, message):
    with pytest.raises(DataError, match=message):
        dataset(**fields)


@pytest.mark.parametrize("labels", [[], [0], [0, 1, 0], [[0, 1]]])
def test_a_split_needs_a_label_for_each_sequence(labels):
    with pytest.raises(DataError, match="2 sequences need as many labels"):
        Split(sequences=Sequences.from_lists([[0], [1]]), labels=np.array(labels))
