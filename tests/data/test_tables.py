from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lisor.data import tables
from lisor.data.splits import split_names, split_stratified
from lisor.data.tables import name_columns, read_columns, unpacked_bytes
from lisor.errors import DataError

LABELS = np.array([0, 1] * 20)


def write(path: Path, **columns: pa.Array) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


# Reading


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_the_columns_that_are_asked_for_are_read_and_all_are_named(
    tmp_path: Path, ending: str
) -> None:
    table, path = (
        pd.DataFrame({"b": ["1", "2"], "text": ["x", "y"], "a": ["3", "4"]}),
        tmp_path / f"x.{ending}",
    )
    if ending == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, sep="\t" if ending == "tsv" else ",", index=False)
    found, names = read_columns(path, ("text", "label", "a"))
    assert names == ["b", "text", "a"]
    assert found.to_dict("list") == {"text": ["x", "y"], "a": ["3", "4"]}


TEXT, BYTES = pa.array(["a", "b"]), pa.array([b"a", b"\xff"])
LISTS = pa.array([["a"], ["b"]])


@pytest.mark.parametrize(
    ("name", "column", "good"),
    [
        ("text", TEXT, True),
        ("text", TEXT.dictionary_encode(), True),
        ("text", pa.array([1, 2]), False),
        ("text", pa.array([1.5, None]), False),
        ("text", BYTES, False),
        ("text", LISTS, False),
        ("label", TEXT, True),
        ("label", pa.array([1, 2]), True),
        ("label", pa.array([True, False]), True),
        ("label", pa.array([1.0, None]), True),
        ("label", BYTES, False),
        ("label", BYTES.dictionary_encode(), False),
        ("label", LISTS, False),
        ("label", pa.array([1, 2], pa.timestamp("s")), False),
        ("split", TEXT, True),
        ("split", pa.array([1, 2]), False),
        ("symbols", TEXT, True),
        ("symbols", LISTS, True),
        ("symbols", pa.array([[1], [2]]), True),
        ("symbols", pa.array([1, 2]), False),
        ("symbols", pa.array([[b"\xff"], [b"a"]]), False),
        ("symbols", pa.array([{"a": 1}, {"a": 2}]), False),
        ("series", pa.array([[[1.0, 2.0]], [[3.0, 4.0]]]), True),
        ("series", pa.array([[1, 2], [3, 4]], pa.list_(pa.int64(), 2)), True),
        ("series", pa.array([1.5, 2.5]), False),
        ("series", pa.array([[True], [False]]), False),
    ],
)
def test_a_column_is_refused_that_cannot_be_what_its_name_says(
    tmp_path: Path, name: str, column: pa.Array, good: bool
) -> None:
    path = write(tmp_path / "x.parquet", **{name: column})
    if good:
        assert len(read_columns(path, (name,))[0]) == 2
    else:
        with pytest.raises(DataError, match=f"in the column '{name}' of x.parquet, found"):
            read_columns(path, (name,))


def test_what_is_small_on_disk_and_large_in_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_BYTES", 10_000)
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), ["a" * 1000])
    path = write(tmp_path / "x.parquet", text=repeated)
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match="more than 10,000 bytes when it is unpacked"):
        read_columns(path, ("text",))
    lists = pa.ListArray.from_arrays(pa.array([0, 1000]), repeated.dictionary_decode())
    with pytest.raises(DataError, match="more than 10,000 bytes when it is unpacked"):
        read_columns(write(tmp_path / "x.parquet", symbols=lists), ("symbols",))


def test_more_values_than_are_read_are_refused_before_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_VALUES", 99)
    path = write(tmp_path / "x.parquet", symbols=pa.array([[0] * 100]))
    with pytest.raises(DataError, match=r"x\.parquet has 100 values of .* at most 99"):
        read_columns(path, ("symbols",))
    assert len(read_columns(path, ("label",))[1]) == 1  # what is not asked for does not count


def test_the_bytes_of_an_array_are_those_without_dictionaries() -> None:
    texts = pa.array(["abc", None, "abc", "d"])
    for array in (texts.dictionary_encode(), pa.chunked_array([texts.dictionary_encode()])):
        assert unpacked_bytes(array) == 7
    assert unpacked_bytes(pa.array([[1, 2], [3]], pa.list_(pa.int64()))) == 24


@pytest.mark.parametrize("rows", ["a,b,x\nb,a,y\n", "a,x\nb,a,y\n"])
def test_rows_of_more_cells_than_the_header_are_refused(tmp_path: Path, rows: str) -> None:
    (tmp_path / "x.csv").write_text(f"symbols,label\n{rows}")
    with pytest.raises(DataError, match=r"more cells than its header|line 3"):
        read_columns(tmp_path / "x.csv", ("symbols",))


def test_a_file_of_carriage_returns_has_no_more_columns_than_its_header(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"text,label\r" + b"a,x\r" * 20_000)
    assert len(read_columns(tmp_path / "x.csv", ("text",))[0]) == 20_000


def test_of_many_columns_some_are_named() -> None:
    assert name_columns([]) == "none"
    assert name_columns("abcdefgh") == "'a', 'b', 'c', 'd', 'e', 'f' and 2 others"


# Splits


@pytest.mark.parametrize(
    ("cell", "found"),
    [("tran", "found 'tran' in row 2"), (None, "found none in row 2"), ("", "found '' in row 2")],
)
def test_a_row_without_a_split_is_named(cell: str | None, found: str) -> None:
    with pytest.raises(DataError, match=found):
        split_names(pd.Series(["train", cell, "test"], dtype=object))


def test_the_usual_names_of_splits_are_known_whatever_their_case_and_blanks() -> None:
    given = pd.Series(["Train ", "TEST", " dev", "valid", "val", "validation"])
    assert split_names(given).tolist() == ["train", "test", *["validation"] * 4]


def test_a_column_of_one_split_is_read() -> None:
    how = {"sizes": {}, "held_out": 0.5, "folds": None, "fold": 0, "seed": 0}
    every = split_stratified(pd.DataFrame({"split": ["train"] * 40}), LABELS, **how)
    assert {name: len(rows) for name, rows in every.items()} == {
        "train": 10,
        "validation": 5,
        "selection": 5,
        "test": 20,
    }
    with pytest.raises(DataError, match="no rows are left for the split 'train'"):
        split_stratified(pd.DataFrame({"split": ["test"] * 40}), LABELS, **how)
