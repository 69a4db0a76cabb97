import numpy as np
import pandas as pd
import pytest

from lisor.data.labels import number_labels
from lisor.data.splits import split_external
from lisor.data.symbols import build, number, read_table
from lisor.errors import DataError, DataWarning


@pytest.mark.parametrize(
    ("given", "alphabet", "numbers", "known"),
    [
        (["ba", "", "b"], None, [[1, 0], [], [1]], "ab"),
        (["ba", "", "b"], "bac", [[0, 1], [], [0]], "bac"),
        ([["open", "close"], ["open"]], None, [[1, 0], [1]], ("close", "open")),
        ([[2, 0], [1]], None, [[2, 0], [1]], "012"),
        ([np.array([1, 0]), np.array([], int)], "xyz", [[1, 0], []], "xyz"),
    ],
)
def test_symbols_are_numbered_in_the_order_of_the_alphabet(given, alphabet, numbers, known):
    sequences, alphabet = number(given, alphabet)
    assert [sequence.tolist() for sequence in sequences] == numbers
    assert alphabet == tuple(known)


@pytest.mark.parametrize(
    ("given", "alphabet", "reason"),
    [
        ([], None, "got none"),
        (["", ""], None, "only empty"),
        (["aaa", "a"], None, "at least two symbols"),
        (["aaa"], "a", "at least two symbols"),
        (["ab"], "aa", "different texts"),
        (["abc"], "ab", "found 'c'"),
        (
            [[0, 2]],
            "ab",
            "from 0 to 1, found 0 to 2; number the symbols from 0 up, or write them as",
        ),
        ([[-1, 0]], "ab", "found -1"),
        ([[0, "a"]], None, "found both"),
        ([[0.5, 1]], None, "a float; write them as texts"),
    ],
)
def test_what_cannot_be_numbered_is_refused(given, alphabet, reason):
    with pytest.raises(DataError, match=reason):
        number(given, alphabet)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["ab", "", "ba"], [["a", "b"], [], ["b", "a"]]),
        (["open close", "open"], [["open", "close"], ["open"]]),
        ([["open", "a b"], []], [["open", "a b"], []]),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_a_cell_is_a_list_or_is_split_at_blanks_or_into_signs(tmp_path, cells, words, ending):
    path = tmp_path / f"data.{ending}"
    table = pd.DataFrame({"time": range(len(cells)), "symbols": cells, "label": "1"})
    if ending == "parquet":
        table.to_parquet(path)
    elif isinstance(cells[0], list):
        pytest.skip("a list needs Parquet")
    else:
        table.to_csv(path, sep="," if ending == "csv" else "\t", index=False)
    read = read_table(path)
    assert list(read["symbols"]) == words
    assert list(read.columns) == ["symbols", "label"]


def test_a_file_without_the_column_is_refused(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("word\nab\n")
    with pytest.raises(DataError, match=r"column 'symbols' in data\.csv, found 1 with 'word'"):
        read_table(path)
    with pytest.raises(DataError, match=r"expected a \.csv"):
        read_table(tmp_path / "none.txt")


def test_every_row_is_in_one_split():
    table = pd.DataFrame({"symbols": [["a"]] * 100})
    rows = split_external(table, sizes={}, seed=0)
    assert {name: len(some) for name, some in rows.items()} == {
        "validation": 50,
        "selection": 25,
        "test": 25,
    }
    assert sorted(np.concatenate(list(rows.values()))) == list(range(100))
    given = table.assign(split=["train"] * 60 + ["validation"] * 20 + ["test"] * 20)
    rows = split_external(given, sizes={"test": 5}, seed=0)
    assert {name: len(some) for name, some in rows.items()} == {
        "train": 60, "validation": 10, "selection": 10, "test": 5
    }  # fmt: skip
    with pytest.raises(DataError, match="too few"):
        split_external(table[:2], sizes={}, seed=0)


def test_the_classes_that_are_given_have_the_order_in_which_they_are():
    table = pd.DataFrame({"symbols": [["a"], ["b"]] * 20, "label": ["x", "y"] * 20})
    how = {"order": None, "sizes": {}, "held_out": 0.3, "seed": 0}
    plain, turned = (build(table, classes=classes, **how) for classes in (None, ["y", "x", "z"]))
    assert (plain.classes, turned.classes) == (("x", "y"), ("y", "x", "z"))
    for dataset in (plain, turned):
        for split in dataset.splits.values():
            read = [dataset.alphabet[word[0]] for word in split.sequences]
            assert [dataset.classes[label] for label in split.labels] == [
                {"a": "x", "b": "y"}[word] for word in read
            ]
    with pytest.raises(DataError, match="among the 2 classes 'x', 'z', found 'y'"):
        build(table, classes=["x", "z"], **how)


def test_an_alphabet_is_not_made_of_all_numbers_up_to_a_huge_one():
    with pytest.raises(DataError, match="from 0 to 1,000,000, found 2147483647"):
        number([[0, 1], [2**31 - 1]])
    with pytest.raises(DataError, match="from 0 to 1,000,000, found a number of about 401 digits"):
        number([[0, 10**400]])


def test_classes_of_thousands_of_digits_are_ordered_by_name():
    labels = pd.Series(["9" * 5000, "10", "9"])
    assert number_labels(labels, None)[1] == ("10", "9", "9" * 5000)


def test_labels_are_numbered_in_the_order_of_the_classes():
    labels = pd.Series(["10", "9", "10"])
    assert number_labels(labels, None)[1] == ("9", "10")
    assert number_labels(labels, ["10", "9"])[0].tolist() == [0, 1, 0]
    with pytest.raises(DataError, match="found '10'"):
        number_labels(labels, ["9", "8"])
    with pytest.raises(DataError, match="1 without"):
        number_labels(pd.Series(["a", None]), None)


@pytest.mark.parametrize("target", ["class", "step", "next"])
def test_columns_of_labels_that_a_target_does_not_read_are_noted(target):
    table = pd.DataFrame(
        {
            "symbols": ["ab", "ba", "aa", "bb"] * 10,
            "label": ["0", "1", "1", "0"] * 10,
            "labels": ["01", "10", "00", "11"] * 10,
        }
    )
    table["symbols"], table["labels"] = table["symbols"].map(list), table["labels"].map(list)
    sizes = {"train": None, "validation": None, "selection": None, "test": None}
    how = {"order": None, "classes": None, "sizes": sizes, "held_out": 0.25, "seed": 0}
    unread = {"class": ["labels"], "step": ["label"], "next": ["label", "labels"]}[target]
    with pytest.warns(DataWarning, match=f"is not read: dataset.target is {target}"):
        dataset = build(table, target=target, **how)
    notes = [f"the column {name!r} is not read: dataset.target is {target}" for name in unread]
    assert list(dataset.notes) == notes


def test_whole_numbers_of_a_file_that_are_no_numbers_of_symbols_are_refused_with_the_way_out(
    tmp_path,
):
    path = tmp_path / "data.parquet"
    pd.DataFrame({"symbols": [[1, 2, 10], [2, 1]] * 20, "label": ["a", "b"] * 20}).to_parquet(path)
    sizes = {"train": None, "validation": None, "selection": None, "test": None}
    how = {"order": None, "classes": None, "sizes": sizes, "held_out": 0.25, "seed": 0}
    with pytest.raises(DataError, match="found 1 to 10; number the symbols from 0 up, or write th"):
        build(read_table(path), **how)


@pytest.mark.parametrize(("column", "other"), [("text", "symbols"), ("label", "labels")])
def test_lists_in_a_column_of_texts_are_refused_with_the_column_for_them(tmp_path, column, other):
    path = tmp_path / "data.parquet"
    table = {"symbols": ["ab", "ba"], "label": ["a", "b"]} | {column: [[1, 2], [2]]}
    table = {name: cells for name, cells in table.items() if (name, column) != ("symbols", "text")}
    pd.DataFrame(table).to_parquet(path)
    with pytest.raises(DataError, match=f"column '{column}' .*; lists are for a column '{other}'"):
        read_table(path)


# Numbers


def test_numbers_are_learned_of_whole_sequences_and_after_each_symbol():
    words = [["a"] * (1 + n % 3) + ["b"] * (n % 2) for n in range(60)]
    table = pd.DataFrame(
        {
            "symbols": words,
            "label": [len(word) / 2 for word in words],
            "labels": [[float(n) for n in range(len(word))] for word in words],
        }
    )
    options = {"order": None, "classes": None, "sizes": {}, "held_out": 0.2, "seed": 0}
    with pytest.warns(DataWarning, match="is not read"):
        whole = build(table, target="regression", **options)
        each = build(table, target="number", **options)
    for split in whole.splits.values():
        np.testing.assert_array_equal(split.labels[:, 0], split.sequences.lengths / 2)
    for split in each.splits.values():
        np.testing.assert_array_equal(split.labels[:, 0], split.positions.read - 1)


def test_labels_that_are_no_numbers_are_refused_where_numbers_are_predicted():
    table = pd.DataFrame({"symbols": [["a"], ["b"], ["a"]], "label": ["1.5", "2", "high"]})
    options = {"order": None, "classes": None, "sizes": {}, "held_out": 0.2, "seed": 0}
    with pytest.raises(DataError, match=r"column 'label', .* found 'high' in its entry 3"):
        build(table, target="regression", **options)
