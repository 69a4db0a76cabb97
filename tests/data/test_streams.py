import csv
import gc
import os
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lisor.alphabet import Alphabet
from lisor.data import streams
from lisor.data.streams import ROWS, read_rows, stream_rows
from lisor.errors import DataError

TEXTS = ["good, really", "", "bad \u2019til the end", "", "NA", " two\nlines ", 'a "quoted" word']

lines = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\n\r\ufeff"), max_size=5
)
texts = st.lists(lines | st.sampled_from(["\n", "a\r\nb", '"', "NA", "null", ","]), max_size=8)
shared_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def three_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "ROWS", 3)


def write_delimited(path: Path, column: list[str | None], **columns: list[object]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        rows.writerow(["text", *columns])
        rows.writerows(zip(column, *columns.values(), strict=True))
    return path


def write_parquet(path: Path, column: pa.Array, **options: object) -> Path:
    pq.write_table(pa.table({"number": range(len(column)), "text": column}), path, **options)
    return path


def end_to_end(batches: Iterable[list[str]]) -> list[str]:
    return [text for batch in batches for text in batch]


def read(path: Path) -> list[str]:
    return end_to_end(stream_rows(path))


# Every format


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "A.CSV"])
def test_the_column_of_a_delimited_file_is_streamed(tmp_path, name):
    path = write_delimited(tmp_path / name, TEXTS, number=list(range(len(TEXTS))))
    assert read(path) == TEXTS


KINDS = {
    "strings": pa.array(TEXTS),
    "large strings": pa.array(TEXTS, pa.large_string()),
    "dictionary-encoded": pa.array(TEXTS).dictionary_encode(),
}


@pytest.mark.parametrize("column", KINDS.values(), ids=KINDS)
def test_the_column_of_a_parquet_file_is_streamed(tmp_path, column):
    assert read(write_parquet(tmp_path / "a.parquet", column)) == TEXTS


def test_pandas_categories_are_streamed_as_texts(tmp_path):
    pd.DataFrame({"text": ["b", "a", "b", None]}).astype("category").to_parquet(
        tmp_path / "a.parquet"
    )
    assert read(tmp_path / "a.parquet") == ["b", "a", "b", ""]


@pytest.mark.parametrize("last", ["", "\n"], ids=["no final newline", "final newline"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_the_lines_of_a_text_file_are_streamed(tmp_path, newline, last):
    path = tmp_path / "a.txt"
    path.write_bytes(
        newline.join(["0110", "", " café ", "1"]).encode() + last.replace("\n", newline).encode()
    )
    assert read(path) == ["0110", "", " café ", "1"]


def test_a_quoted_newline_ends_no_row(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'label,text\r\nx,"one\ntwo"\r\ny,"one\r\ntwo"\r\n')
    assert read(path) == ["one\ntwo", "one\r\ntwo"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_a_row_without_a_text_is_the_empty_sequence(tmp_path, name):
    assert read(write_delimited(tmp_path / name, ["a", None, "b"], number=[1, 2, 3])) == [
        "a",
        "",
        "b",
    ]
    assert read(write_delimited(tmp_path / name, [None, None], number=[1, 2])) == ["", ""]


@pytest.mark.parametrize("encoded", [False, True], ids=["strings", "dictionary-encoded"])
def test_a_null_is_the_empty_sequence(tmp_path, encoded):
    column = pa.array(["a", None, "b", None])
    path = write_parquet(tmp_path / "a.parquet", column.dictionary_encode() if encoded else column)
    assert read(path) == ["a", "", "b", ""]


def test_a_row_that_ends_before_the_text_is_the_empty_sequence(tmp_path):
    (tmp_path / "a.csv").write_text("label,text\nx\ny,b\n")
    assert read(tmp_path / "a.csv") == ["", "b"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", b"text,label\n"), ("a.tsv", b"text\n"), ("a.txt", b"")],
    ids=["csv", "tsv", "txt"],
)
def test_a_file_without_rows_has_no_sequences(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert read(tmp_path / name) == []


def test_a_parquet_file_without_rows_has_no_sequences(tmp_path):
    assert read(write_parquet(tmp_path / "a.parquet", pa.array([], pa.string()))) == []


BYTE_ORDER_MARKS = [
    ("a.csv", "text\n0\n"),
    ("a.txt", "0\n"),
]


@pytest.mark.parametrize(("name", "content"), BYTE_ORDER_MARKS)
def test_a_byte_order_mark_is_no_part_of_the_texts(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8-sig")
    assert read(tmp_path / name) == ["0"]


def test_a_text_of_nothing_but_blanks_is_a_row(tmp_path):
    assert read(write_delimited(tmp_path / "a.csv", ["a", " ", "b"])) == ["a", " ", "b"]


# Batches


@shared_folder
@given(column=texts, name=st.sampled_from(["a.csv", "a.tsv"]))
@example(column=["a"] * 6, name="a.csv")
def test_batches_of_a_delimited_file_are_the_column_end_to_end(
    tmp_path, three_rows_at_a_time, column, name
):
    path = write_delimited(tmp_path / name, column, number=list(range(len(column))))
    batches = list(stream_rows(path))
    whole = pd.read_csv(
        path, sep="\t" if name == "a.tsv" else ",", dtype=str, keep_default_na=False
    )
    assert end_to_end(batches) == column == whole["text"].tolist()
    assert all(len(batch) == 3 for batch in batches[:-1])


@shared_folder
@given(st.lists(st.none() | lines, max_size=8), st.booleans(), st.integers(1, 8))
def test_batches_of_a_parquet_file_are_the_column_end_to_end(
    tmp_path, three_rows_at_a_time, column, encoded, group
):
    array = pa.array(column, pa.string())
    path = tmp_path / "a.parquet"
    write_parquet(path, array.dictionary_encode() if encoded else array, row_group_size=group)
    batches = list(stream_rows(path))
    assert end_to_end(batches) == [text or "" for text in pq.read_table(path)["text"].to_pylist()]
    assert all(len(batch) <= 3 for batch in batches)


@shared_folder
@given(st.lists(lines, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_batches_of_a_text_file_are_the_lines_end_to_end(
    tmp_path, three_rows_at_a_time, column, newline
):
    path = tmp_path / "a.txt"
    path.write_bytes("".join(line + newline for line in column).encode())
    batches = list(stream_rows(path))
    assert end_to_end(batches) == column
    assert all(len(batch) == 3 for batch in batches[:-1])


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.parquet"])
def test_a_file_of_more_rows_than_fit_is_read_in_several_batches(tmp_path, name):
    column = [f"text {i}" for i in range(2 * ROWS + 1)]
    path = tmp_path / name
    if name == "a.txt":
        path.write_text("\n".join(column))
    elif name == "a.parquet":
        write_parquet(path, pa.array(column))
    else:
        write_delimited(path, column)
    batches = list(stream_rows(path))
    assert [len(batch) for batch in batches] == [ROWS, ROWS, 1]
    assert end_to_end(batches) == column


OPEN_FILES = [
    "a.csv",
    "a.txt",
]


@pytest.mark.parametrize("name", OPEN_FILES)
def test_a_file_is_closed_where_reading_stops_early(tmp_path, name):
    (tmp_path / name).write_text("text\n0\n1\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stream = stream_rows(tmp_path / name)
        next(stream)
        stream.close()
        del stream
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


# Files that cannot be read

whole = pa.BufferOutputStream()
pq.write_table(pa.table({"text": TEXTS, "label": TEXTS}), whole, compression=None)
PARQUET = whole.getvalue().to_pybytes()

NO_SEQUENCES = {
    "suffix": (
        "a.json",
        b"[]",
        r"expected a \.csv, \.tsv, \.parquet or \.txt file of sequences, got a\.json",
    ),
    "no suffix": ("a", b"text\n", "file of sequences, got a"),
    "no column": (
        "a.csv",
        b"review,label\na,b\n",
        r"expected the column 'text' in a\.csv, found 'review', 'label'",
    ),
    "separator": (
        "a.tsv",
        b"text,label\na,b\n",
        r"expected the column 'text' in a\.tsv, found 'text,label'",
    ),
    "empty": ("a.csv", b"", r"expected the column 'text' in a\.csv, found none"),
    "latin-1": ("a.csv", "text\ncafé\n".encode("latin-1"), r"a\.csv cannot be read as CSV"),
    "latin-1 lines": ("a.txt", "café\n".encode("latin-1"), r"a\.txt cannot be read as TXT"),
    "open quote": ("a.csv", b'text,label\n"a,b\n', r"a\.csv cannot be read as CSV"),
    "empty parquet": ("a.parquet", b"", r"a\.parquet cannot be read as PARQUET"),
    "no parquet": ("a.parquet", b"PAR1 and nothing else PAR1", "cannot be read as PARQUET"),
    "parquet cut short": ("a.parquet", PARQUET[:-20], "cannot be read as PARQUET"),
    "parquet damaged": (
        "a.parquet",
        b"PAR1" + b"\xff" * 60 + PARQUET[64:],
        "cannot be read as PARQUET",
    ),
}


@pytest.mark.parametrize(("name", "content", "message"), NO_SEQUENCES.values(), ids=NO_SEQUENCES)
def test_a_file_that_holds_no_sequences_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.txt"])
def test_a_missing_file_is_refused(tmp_path, name):
    with pytest.raises(
        DataError, match=rf"expected a file of sequences, but .*{name} does not exist"
    ):
        read(tmp_path / name)


def test_a_pipe_is_refused_as_what_it_is(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(DataError, match=r"a\.csv is a pipe or a device"):
        read(tmp_path / "a.csv")


NO_TEXTS = {
    "numbers": (pa.array([1]), "expected texts in the column 'text' .* found int64"),
    "dictionary of numbers": (pa.array([1]).dictionary_encode(), "found "),
    "lists": (pa.array([["a"]]), "found list"),
    "nothing": (pa.nulls(2), "found null"),
    "no unicode": (pa.array([b"\xff\xfe"]).view(pa.string()), "cannot be read as PARQUET"),
}


@pytest.mark.parametrize(("column", "message"), NO_TEXTS.values(), ids=NO_TEXTS)
def test_a_parquet_column_that_holds_no_texts_is_refused(tmp_path, column, message):
    with pytest.raises(DataError, match=message):
        read(write_parquet(tmp_path / "a.parquet", column))


@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_a_line_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.setattr(streams, "MAX_CELL", 100)
    (tmp_path / name).write_text("text\n" + "a" * 100)
    assert read(tmp_path / name)[-1] == "a" * 100
    (tmp_path / name).write_text("text\n" + "a" * 101)
    with pytest.raises(DataError, match=r"line 2 of a\..* has more than 100 characters"):
        read(tmp_path / name)


def test_a_cell_of_many_lines_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "MAX_CELL", 100)
    (tmp_path / "a.csv").write_text('text\n"' + "a\n" * 51 + '"\n')
    with pytest.raises(DataError, match="field larger than field limit"):
        read(tmp_path / "a.csv")


def test_rows_that_would_fill_the_memory_are_refused_before_they_are_unpacked(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(streams, "MAX_BATCH", 10_000)
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * 100, pa.int32()), ["a" * 1000])
    path = write_parquet(tmp_path / "a.parquet", repeated)
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match="100 rows of more than 10,000 bytes"):
        read(path)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
def test_a_null_is_refused_where_training_refuses_it_too(tmp_path, name):
    (tmp_path / name).write_bytes(b"text\na\nb\0c\n")
    with pytest.raises(DataError, match=r"line 3 holds the character U\+0000"):
        read(tmp_path / name)


def test_a_parquet_file_without_the_column_is_refused(tmp_path):
    pq.write_table(pa.table({"review": ["a"], "label": ["b"]}), tmp_path / "a.parquet")
    with pytest.raises(
        DataError, match=r"expected the column 'text' in a\.parquet, found 'review', 'label'"
    ):
        read(tmp_path / "a.parquet")


def test_a_parquet_file_with_the_column_twice_is_refused(tmp_path):
    pq.write_table(
        pa.table([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]), tmp_path / "a.parquet"
    )
    with pytest.raises(DataError):
        read(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    "content",
    [
        "text\nwell\nwell, no\n",
        "text\nwell, yes\nwell, no\n",
        "text,label\nwell, yes,pos\nwell, no,neg\n",
    ],
    ids=["one row", "every row", "every row, two columns"],
)
def test_rows_longer_than_the_header_are_refused(tmp_path, content):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DataError):
        read(tmp_path / "a.csv")


@shared_folder
@given(st.binary(max_size=200), st.sampled_from([".csv", ".tsv", ".txt", ".parquet"]))
def test_no_bytes_crash_the_reader(tmp_path, content, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    read_or_refuse(path)


@shared_folder
@given(st.data())
def test_no_damage_to_parquet_crashes_the_reader(tmp_path, data):
    damaged = bytearray(PARQUET)
    for place in data.draw(st.lists(st.integers(0, len(PARQUET) - 1), min_size=1, max_size=5)):
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "a.parquet"
    path.write_bytes(damaged)
    read_or_refuse(path)


def read_or_refuse(path: Path) -> None:
    """Read a file, whatever it holds: anything but texts or a DataError is a crash."""
    try:
        column = read(path)
    except DataError:
        return
    assert all(isinstance(text, str) for text in column)


# Lists of symbols

ALPHABET = Alphabet(symbols=("0", "1", "open"))

KINDS = {
    "texts": (pa.list_(pa.string()), ["0", "1", "open"]),
    "large lists": (pa.large_list(pa.large_string()), ["0", "1", "open"]),
    "numbers": (pa.list_(pa.int8()), [0, 1]),
    "a dictionary": (pa.list_(pa.dictionary(pa.int32(), pa.string())), ["0", "1", "open"]),
}


@shared_folder
@given(st.data(), st.sampled_from([*KINDS]), st.integers(1, 4))
def test_lists_of_symbols_are_read_in_parts(tmp_path, three_rows_at_a_time, data, kind, most):
    type_, symbols = KINDS[kind]
    lists = data.draw(st.lists(st.none() | st.lists(st.sampled_from(symbols), max_size=most)))
    array = pa.array(lists, type_)
    pq.write_table(pa.table({"symbols": array}), tmp_path / "a.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "MAX_SYMBOLS", most)
        batches = list(stream_rows(tmp_path / "a.parquet", ("symbols",)))
    read = [read_rows(ALPHABET, batch, 1) for batch in batches]
    assert all(len(sequences.symbols) <= most for sequences in read)
    assert [sequences[row].tolist() for sequences in read for row in range(len(sequences))] == [
        [ALPHABET.numbers[str(symbol)] for symbol in one or ()] for one in lists
    ]


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        ([["0"], ["1", "shut"]], "got 'shut' in row 8"),
        ([[0], [1, 2]], "got '2' in row 8"),
        ([["0"], ["1", None]], "got an empty cell in row 8"),
        ([[0.5]], "expected texts or whole numbers as symbols, found double"),
        ([[b"0"]], "expected texts or lists in the column 'symbols'"),
        ([["0"] * 6], "expected sequences of at most 5 symbols, found one of 6"),
    ],
)
def test_a_list_that_is_none_of_symbols_is_refused(tmp_path, monkeypatch, lists, says):
    monkeypatch.setattr(streams, "MAX_SYMBOLS", 5)
    pq.write_table(pa.table({"symbols": pa.array(lists)}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=re.escape(says)):
        for batch in stream_rows(tmp_path / "a.parquet", ("symbols",)):
            read_rows(ALPHABET, batch, 7)


def test_an_empty_cell_of_a_list_is_no_unknown_symbol(tmp_path):
    known = Alphabet(symbols=("<unknown>", "0"), unknown=0)
    read = read_rows(known, pa.array([["0", "other"]]), 1)
    assert read.symbols.tolist() == [1, 0]
    with pytest.raises(DataError, match="got an empty cell in row 1"):
        read_rows(known, pa.array([["0", None]]), 1)
