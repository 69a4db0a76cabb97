import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lisor import tokenizer
from lisor.data import text
from lisor.data.dataset import Dataset
from lisor.data.vectors import Word2Vec
from lisor.errors import DataError, DataWarning
from lisor.targets.next import END

SPLITS = ("train", "validation", "selection", "test")
RAW = pd.DataFrame({"text": ["good, really", "bad \u2019til the end"], "label": ["pos", "neg"]})
PARQUET = RAW.to_parquet(index=False, compression=None)


def raw(rows: int = 100, **columns) -> pd.DataFrame:
    """Texts that are all different, of two classes by turns."""
    texts = [f"text number {i}" for i in range(rows)]
    return pd.DataFrame(
        {"text": texts, "label": [("neg", "pos")[i % 2] for i in range(rows)]} | columns
    )


def prepared(rows: dict[str, list[tuple[str, str]]]) -> pd.DataFrame:
    """A table as `prepare` makes it, from (text, label) by split; the other splits are filled
    up."""
    filler = [("good", "pos"), ("bad", "neg")]
    filled = {name: rows.get(name, filler) for name in SPLITS}
    return pd.DataFrame(
        [(text, label, name) for name, rows in filled.items() for text, label in rows],
        columns=["text", "label", "split"],
    )


def build(table: pd.DataFrame, **options) -> Dataset:
    return text.build(table, **{"max_length": 60, "min_count": 1} | options)


def read_back(dataset: Dataset, split: str) -> list[str]:
    return [" ".join(dataset.alphabet[i] for i in row) for row in dataset.splits[split].sequences]


# Cutting into words


def test_a_reference_to_a_character_beyond_unicode_is_no_character():
    for digits in ("9" * 7, "9" * 30, "9" * 5000, "0" * 5000 + "65"):
        assert tokenizer.tokenize(f"good &#{digits}; film") == ["good", "\ufffd", "film"]
    assert tokenizer.tokenize("&#65;&#0000000000065;&#x41;") == ["aaa"]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("It isn't bad!", "it is n't bad !"),
        ("can't won't don't", "ca n't wo n't do n't"),
        ("it's I'm you'd they're we've he'll", "it 's i 'm you 'd they 're we 've he 'll"),
        ("it\u2019s n\u2019t", "it 's n't"),
        ("rock 'n' roll", "rock ' n ' roll"),
        ("the dogs' day", "the dogs ' day"),
        ("good.<br /><br />Bad", "good . bad"),
        ("<b>bold</b> text", "bold text"),
        ("Tom &amp; Jerry &lt;3", "tom & jerry < 3"),
        ("well-made, 9/10 ...", "well - made , 9 / 10 . . ."),
        ("Crème brûlée, ÄRGER, 東京 😀", "crème brûlée , ärger , 東京 😀"),
        ("  \t\n ", ""),
        ("", ""),
    ],
)
def test_a_text_is_cut_into_words_and_marks(raw, words):
    assert tokenizer.tokenize(raw) == words.split()


def test_a_comparison_is_not_a_tag():
    assert tokenizer.tokenize("3 < 4 and 5 > 2") == ["3", "<", "4", "and", "5", ">", "2"]


@given(st.text())
def test_words_are_never_empty_and_hold_no_space(raw):
    for word in tokenizer.tokenize(raw):
        assert word
        assert not re.search(r"\s", word)


# Reading


TABLES = {
    "csv": ("a.csv", lambda path: RAW.to_csv(path, index=False)),
    "tsv": ("a.tsv", lambda path: RAW.to_csv(path, index=False, sep="\t")),
    "csv with a byte order mark": (
        "a.csv",
        lambda path: RAW.to_csv(path, index=False, encoding="utf-8-sig"),
    ),
    "csv with more columns": (
        "a.csv",
        lambda path: RAW.assign(stars=3)[["stars", "label", "text"]].to_csv(path),
    ),
    "parquet": ("a.parquet", lambda path: RAW.to_parquet(path, index=False)),
    "parquet with a foreign index": (
        "a.parquet",
        lambda path: RAW.set_index(pd.Index([7, 7])).to_parquet(path),
    ),
    "parquet indexed by text": ("a.parquet", lambda path: RAW.set_index("text").to_parquet(path)),
    "parquet of categories": ("a.parquet", lambda path: RAW.astype("category").to_parquet(path)),
}


@pytest.mark.parametrize(("name", "write"), TABLES.values(), ids=TABLES)
def test_a_table_is_read_from_a_file(tmp_path, name, write):
    write(tmp_path / name)
    table = text.read_table(tmp_path / name)
    assert table["text"].tolist() == RAW["text"].tolist()
    assert table["label"].tolist() == RAW["label"].tolist()


def test_texts_that_look_like_missing_values_are_texts(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\nNA,None\nnull,nan\n")
    assert text.read_table(path).to_numpy().tolist() == [["NA", "None"], ["null", "nan"]]


def test_a_folder_is_read_as_the_imdb_reviews_are_laid_out(tmp_path):
    for place in (
        "train/pos/0_9.txt",
        "train/neg/1_1.txt",
        "train/unsup/2_0.txt",
        "test/pos/0_10.txt",
    ):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(place, encoding="utf-8")
    (tmp_path / "train" / "urls_pos.txt").write_text("http://example.org")
    rows = text.read_table(tmp_path).to_numpy().tolist()
    assert sorted(rows) == [
        ["test/pos/0_10.txt", "pos", "test"],
        ["train/neg/1_1.txt", "neg", "train"],
        ["train/pos/0_9.txt", "pos", "train"],
    ]


NO_TABLES = {
    "suffix": (
        "a.doc",
        b"text,label\na,b\n",
        r"expected a \.csv, \.tsv or \.parquet file or a folder.*got a\.doc",
    ),
    "no text": (
        "a.csv",
        b"review,label\na,b\n",
        r"'text' and 'label' in a\.csv, found 'review', 'label'",
    ),
    "no label": ("a.csv", b"text,stars\na,b\n", "found 'text', 'stars'"),
    "separator": ("a.tsv", b"text,label\na,b\n", "found 'text,label'"),
    "empty": ("a.csv", b"", r"a\.csv cannot be read as CSV"),
    "no rows": ("a.csv", b"text,label\n", r"a\.csv has no rows"),
    "binary": ("a.csv", bytes(range(256)), "cannot be read as CSV"),
    "latin-1": ("a.csv", "text,label\ncafé,b\n".encode("latin-1"), "cannot be read as CSV"),
    "open quote": ("a.csv", b'text,label\n"a,b\n', "cannot be read as CSV"),
    "a longer row": ("a.csv", b"text,label\na,b\nwell, no,b\n", "cannot be read as CSV: .*line 3"),
    "rows longer than the header": (
        "a.csv",
        b"text,label\nwell, yes,pos\nwell, no,neg\n",
        r"a\.csv",
    ),
    "empty parquet": ("a.parquet", b"", r"a\.parquet cannot be read as Parquet"),
    "no parquet": ("a.parquet", b"PAR1 and nothing else PAR1", "cannot be read as Parquet"),
    "parquet cut short": ("a.parquet", PARQUET[:-20], "cannot be read as Parquet"),
    "parquet without label": ("a.parquet", RAW[["text"]].to_parquet(index=False), "found 'text'"),
}


@pytest.mark.parametrize(("name", "content", "message"), NO_TABLES.values(), ids=NO_TABLES)
def test_a_file_that_is_no_table_of_labelled_texts_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        text.read_table(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"reviews\.csv does not exist"):
        text.read_table(tmp_path / "reviews.csv")


def test_a_folder_without_texts_is_refused(tmp_path):
    with pytest.raises(DataError, match="train/pos and test/neg"):
        text.read_table(tmp_path)


@pytest.mark.parametrize(
    ("text_column", "label_column"),
    [
        (pa.array([b"\xff\xfe", b"good"]).view(pa.string()), pa.array(["a", "b"])),
        (pa.array([["good"], ["bad"]]), pa.array(["a", "b"])),
        (pa.array(["good", "bad"]), pa.array([["a"], ["b"]])),
    ],
    ids=["no unicode", "texts are lists", "labels are lists"],
)
def test_parquet_columns_of_the_wrong_kind_are_refused(tmp_path, text_column, label_column):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": text_column, "label": label_column}), path)
    with pytest.raises(DataError, match=r"a\.parquet"):
        text.read_table(path)


def read_or_refuse(path) -> None:
    """Read a file, whatever it holds: anything but a table or a DataError is a crash."""
    try:
        table = text.read_table(path)
    except DataError:
        return
    assert {"text", "label"} <= set(table.columns)
    assert len(table)


csv_like = st.text(alphabet='ab,\t\n\r"\0 é').map(lambda body: f"text,label{body}".encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | csv_like, st.sampled_from([".csv", ".tsv", ".parquet"]))
def test_no_bytes_crash_the_reader(tmp_path, content, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    read_or_refuse(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_to_parquet_crashes_the_reader(tmp_path, data):
    damaged = bytearray(PARQUET)
    for place in data.draw(st.lists(st.integers(0, len(PARQUET) - 1), min_size=1, max_size=5)):
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "a.parquet"
    path.write_bytes(damaged)
    read_or_refuse(path)


cells = st.sampled_from(
    ["good", "bad.", "<br />", '""', " ", "", "1", "1.0", "nan", "train", "dev", "test", "a,b"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore::lisor.errors.DataWarning")
@given(
    st.lists(st.tuples(cells, cells, cells), max_size=12),
    st.sampled_from([".csv", ".tsv"]),
    st.booleans(),
)
def test_any_table_becomes_a_data_set_or_is_refused(tmp_path, rows, suffix, repeated):
    """Read, split and number whatever a table holds: anything but a data set or a DataError is a
    crash."""
    path, separator = tmp_path / f"a{suffix}", "," if suffix == ".csv" else "\t"
    lines = [("text", "label", "split"), *rows * (9 if repeated else 1)]
    path.write_text("\n".join(map(separator.join, lines)))
    try:
        table, notes = text.prepare(text.read_table(path), sizes={}, seed=0)
        dataset = build(table, notes=notes)
    except DataError:
        return
    assert all(len(dataset.splits[name]) for name in SPLITS)


# Splits


def test_rows_without_split_are_dealt_70_15_15_and_half_of_validation_is_selection():
    table, notes = text.prepare(raw(200), sizes={}, seed=0)
    assert table["split"].value_counts().to_dict() == {
        "train": 140,
        "test": 30,
        "validation": 15,
        "selection": 15,
    }
    assert notes == []


@given(st.integers(14, 120), st.integers(0, 5))
def test_splits_are_disjoint_and_complete(rows, seed):
    table = text.prepare(raw(rows), sizes={}, seed=seed)[0]
    assert sorted(table["text"]) == sorted(raw(rows)["text"])
    assert set(table["split"]) == set(SPLITS)
    assert (table["label"] == table["text"].map(dict(raw(rows).to_numpy()))).all()


def test_the_same_seed_deals_alike_and_another_otherwise():
    one, again, other = (text.prepare(raw(), sizes={}, seed=seed)[0] for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(one, again)
    assert not one.equals(other)


def test_given_splits_are_kept():
    given_splits = ["train"] * 40 + ["valid"] * 20 + [" Test "] * 40
    table = text.prepare(raw(split=given_splits), sizes={}, seed=0)[0]
    numbers = table["text"].str.split().str[-1].astype(int)
    ranges = {
        name: (group.min(), group.max(), len(group))
        for name, group in numbers.groupby(table["split"])
    }
    assert ranges["train"] == (0, 39, 40)
    assert ranges["test"] == (60, 99, 40)
    both = numbers[table["split"].isin(["validation", "selection"])]
    assert sorted(both) == list(range(40, 60))
    assert (table["split"] == "selection").sum() == 10


@pytest.mark.parametrize(
    ("split", "counts"),
    [
        (
            ["train"] * 60 + ["test"] * 40,
            {"train": 51, "validation": 5, "selection": 4, "test": 40},
        ),
        (
            ["train"] * 60 + ["dev"] * 40,
            {"train": 51, "validation": 20, "selection": 20, "test": 9},
        ),
        (["train"] * 100, {"train": 72, "validation": 7, "selection": 6, "test": 15}),
    ],
)
def test_splits_that_are_not_given_are_taken_from_training(split, counts):
    table = text.prepare(raw(split=split), sizes={}, seed=0)[0]
    assert table["split"].value_counts().to_dict() == counts


def test_sizes_cap_the_splits():
    table = text.prepare(
        raw(200), sizes={"train": 10, "validation": 3, "selection": None, "test": 1000}, seed=0
    )[0]
    assert table["split"].value_counts().to_dict() == {
        "train": 10,
        "validation": 3,
        "selection": 15,
        "test": 30,
    }


def test_rows_without_text_or_label_are_dropped_counted_and_noted():
    table = raw(60)
    table.loc[[0, 1], "text"] = [None, "  "]
    table.loc[[1, 2, 3, 4], "label"] = None
    with pytest.warns(DataWarning) as caught:
        kept, notes = text.prepare(table, sizes={}, seed=0)
    assert notes == ["2 of 60 rows dropped: no text", "3 of 60 rows dropped: no label"]
    assert [str(warning.message) for warning in caught] == notes
    assert sorted(kept["text"]) == sorted(table["text"][5:])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (raw(label="pos"), "at least two classes in the column 'label', found 'pos'"),
        (
            raw(split="training"),
            "'train', 'validation' or 'test' in the column 'split', found 'training'",
        ),
        (raw(split=["train"] * 99 + [None]), "in the column 'split', found"),
        (raw(split="test"), "no rows are left for the split 'train'"),
        (raw(3), "3 rows are too few"),
    ],
)
def test_a_table_that_cannot_be_split_is_refused(table, message):
    with pytest.raises(DataError, match=message):
        text.prepare(table, sizes={}, seed=0)


@pytest.mark.filterwarnings("ignore::lisor.errors.DataWarning")
def test_a_table_of_nothing_but_empty_texts_is_refused():
    with pytest.raises(DataError, match="at least two classes in the column 'label', found none"):
        text.prepare(raw(text=""), sizes={}, seed=0)


# Numbering the words


def test_the_vocabulary_is_ordered_by_frequency_in_training_then_alphabet():
    dataset = build(
        prepared(
            {"train": [("b a c c", "pos"), ("c b a d", "neg")], "test": [("e e e e e", "pos")]}
        )
    )
    assert dataset.alphabet == ("<pad>", "<unk>", "c", "a", "b", "d")
    assert (dataset.alphabet.unknown, dataset.alphabet.tokenizer, dataset.is_text) == (
        1,
        "words",
        True,
    )


def test_words_that_are_rare_or_unseen_in_training_are_unknown():
    rows = {"train": [("a a b", "pos"), ("c c", "neg")], "test": [("a b c d", "pos")]}
    dataset = build(prepared(rows), min_count=2)
    assert dataset.alphabet == ("<pad>", "<unk>", "a", "c")
    assert read_back(dataset, "train") == ["a a <unk>", "c c"]
    assert read_back(dataset, "test") == ["a <unk> c <unk>"]


def test_no_more_than_the_first_words_of_a_text_are_read():
    dataset = build(prepared({"train": [("a b c d", "pos"), ("a", "neg")]}), max_length=2)
    assert dataset.alphabet == ("<pad>", "<unk>", "a", "b")
    assert read_back(dataset, "train") == ["a b", "a"]


def test_the_last_words_of_a_text_may_be_read_instead():
    rows = {"train": [("a b c d", "pos"), ("a", "neg")], "test": [("b c , d !", "pos")]}
    dataset = build(prepared(rows), max_length=2, keep="last")
    assert dataset.alphabet == ("<pad>", "<unk>", "a", "c", "d"), (
        "words that are cut off are not counted"
    )
    assert read_back(dataset, "train") == ["c d", "a"]
    assert read_back(dataset, "test") == ["d <unk>"]


@given(st.lists(st.sampled_from("abc"), max_size=6), st.integers(1, 7))
def test_the_last_words_are_the_first_of_the_text_read_backwards(words, length):
    forwards, backwards = (
        build(
            prepared({"train": [(" ".join(row), "pos"), ("a b c", "neg")]}),
            max_length=length,
            keep=keep,
        )
        for keep, row in (("last", words), ("first", words[::-1]))
    )
    assert read_back(forwards, "train")[0].split() == read_back(backwards, "train")[0].split()[::-1]


def test_a_text_of_nothing_but_mark_up_is_an_empty_sequence():
    assert read_back(build(prepared({"test": [("<br />", "pos")]})), "test") == [""]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["pos", "neg"], ("neg", "pos")),
        (["10", "9"], ("9", "10")),
        ([1.0, 0.0], ("0", "1")),
        ([-1, 1], ("-1", "1")),
        ([True, False], ("False", "True")),
        (
            ["ENTY", "ABBR", "HUM", "DESC", "LOC", "NUM"],
            ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"),
        ),
    ],
)
def test_classes_are_in_order_and_labels_point_to_them(labels, classes):
    rows = [(f"word {label}", label) for label in labels]
    dataset = build(prepared(dict.fromkeys(SPLITS, rows)))
    assert dataset.classes == classes
    for split in dataset.splits.values():
        assert [dataset.classes[label] for label in split.labels] == [
            str(int(label)) if isinstance(label, float) else str(label) for label in labels
        ]


def test_one_class_in_training_is_refused():
    with pytest.raises(DataError, match="two classes among the training rows"):
        build(prepared({"train": [("good", "pos"), ("better", "pos")]}))


def test_notes_are_handed_on():
    assert build(prepared({}), notes=["1 of 2 rows dropped: no text"]).notes == (
        "1 of 2 rows dropped: no text",
    )


# Word vectors

WORD2VEC = Word2Vec(size=3, seed=0)


def test_a_data_set_carries_its_vectors(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("good 1 2 3\nbad 3 4 5\n")
    dataset = build(prepared({}), vectors=path)
    assert dataset.vectors[dataset.alphabet.index("good")].tolist() == [1, 2, 3]


def test_vectors_are_trained_on_the_whole_texts_of_training():
    training = [("good film , good end", "pos"), ("bad film , bad end", "neg")]
    dataset = build(prepared({"train": training}), max_length=2, vectors=WORD2VEC)
    assert dataset.alphabet == ("<pad>", "<unk>", "film", "bad", "good")
    whole = [tokenizer.tokenize(raw) for raw, _ in training]
    np.testing.assert_array_equal(dataset.vectors, WORD2VEC.train(whole, dataset.alphabet))
    assert dataset.vectors[1].any(), "the words that were cut off count as unknown"


def test_other_splits_have_no_part_in_the_vectors():
    one, other = (
        build(prepared({"test": [(raw, "pos")]}), vectors=WORD2VEC)
        for raw in ("good bad", "bad bad bad")
    )
    np.testing.assert_array_equal(one.vectors, other.vectors)


def test_a_data_set_of_trained_vectors_is_read_as_it_was_written(tmp_path):
    dataset = build(prepared({}), vectors=WORD2VEC)
    dataset.write(tmp_path)
    np.testing.assert_array_equal(Dataset.read(tmp_path).vectors, dataset.vectors)


def test_vectors_of_nothing_but_empty_texts_are_refused():
    with pytest.raises(DataError):
        build(prepared({"train": [("<br />", "pos"), ("<hr />", "neg")]}), vectors=WORD2VEC)


# Sequences that training did not have


def test_test_sequences_that_training_had_are_set_apart():
    seen, new = [("good", "pos")] * 3, [("bad day", "neg"), ("day", "neg")]
    data = build(
        prepared({"train": [*seen, ("bad", "neg"), ("day good", "pos")], "test": [*seen, *new]})
    )
    assert read_back(data, "unseen") == ["bad day", "day"]
    assert list(data.splits["unseen"].labels) == [0, 0]
    assert len(data.splits["test"]) == 5


@pytest.mark.parametrize(
    "test", [[("bad good", "neg")] * 60 + [("good", "pos")], [("good", "pos")] * 4]
)
def test_where_few_or_all_are_repeated_nothing_is_set_apart(test):
    assert "unseen" not in build(prepared({"test": test})).splits


# Numbers


def test_the_label_of_a_text_may_be_a_number():
    rows = {"train": [("good", "4.5"), ("bad", "-1")], "test": [("good bad", "2")]}
    table = prepared(rows).replace({"label": {"pos": "5", "neg": "1"}})
    dataset = build(table, target="regression")
    assert dataset.target == "regression"
    assert dataset.splits["train"].labels.tolist() == [[4.5], [-1.0]]
    assert dataset.splits["test"].labels.tolist() == [[2.0]]
    with pytest.raises(DataError, match="found 'pos' in its entry 3"):
        build(prepared(rows), target="regression")


# Language models


def test_texts_whose_next_word_is_learned_need_no_labels(tmp_path):
    raw(60).drop(columns="label").to_csv(tmp_path / "texts.csv", index=False)
    table, notes = text.prepare(
        text.read_table(tmp_path / "texts.csv", needs_labels=False), sizes={}, seed=0
    )
    assert notes == []
    dataset = build(table, target="next")
    assert dataset.target == "next"
    assert dataset.classes == (*dataset.alphabet, END)
    split = dataset.splits["train"]
    (first, *_), labels = split.sequences, split.labels.tolist()
    assert labels[: len(first) + 1] == [*first.tolist(), len(dataset.alphabet)]
    assert dataset.learns_vectors


def test_where_a_text_is_cut_it_ends_and_a_note_says_so():
    table = prepared({"test": [("one two three", "pos")]}).drop(columns="label")
    with_note = build(table, max_length=2, target="next")
    assert with_note.notes == (
        "1 of 7 texts have more than 2 words: for the network they end there (dataset.max_length)",
    )
    assert not build(table, target="next").notes


@pytest.mark.filterwarnings("ignore::lisor.errors.DataWarning")
def test_texts_without_a_word_are_refused():
    with pytest.raises(DataError, match="expected texts in the column 'text', found 60 empty"):
        text.prepare(raw(60, text=" ").drop(columns="label"), sizes={}, seed=0)
