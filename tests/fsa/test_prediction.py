import io
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lisor.data.sequences import Sequences
from lisor.data.text import tokenize
from lisor.errors import AutomatonError, DataError
from lisor.fsa.automaton import Automaton
from lisor.fsa.prediction import SCHEMA, csv_writer, predict, reader, writer
from lisor.spreadsheets import original
from tests.strategies import automata


def automaton(alphabet: tuple[str, ...] = ("0", "1"), **fields) -> Automaton:
    """Words that end in the last symbol of the alphabet."""
    row = [*[0] * (len(alphabet) - 1), 1]
    usual = {"classes": ("no", "yes"), "transitions": [row, row], "outputs": [0, 1]}
    return Automaton(alphabet=alphabet, **{**usual, **fields})


def spelled(machine: Automaton, max_size: int = 8) -> st.SearchStrategy[list[list[str]]]:
    """Words over the alphabet of an automaton, empty ones among them."""
    return st.lists(st.lists(st.sampled_from(machine.alphabet), max_size=6), max_size=max_size)


# Predictions


@given(automata(), st.data())
def test_predictions_are_what_the_automaton_answers(machine, data):
    words = data.draw(spelled(machine))
    sequences = Sequences.from_lists([machine.encode(word) for word in words])
    trace = machine.trace(sequences).tolist()
    table = predict(machine, words)
    assert table.schema == SCHEMA
    assert table["state"].to_pylist() == machine.run(sequences).tolist()
    assert table["class"].to_pylist() == [machine.classes[output] for output in machine.classify(sequences)]
    paths = [[machine.start, *trace[a:b]] for a, b in pairwise(sequences.offsets)]
    assert table["path"].to_pylist() == paths


@given(automata(), st.data())
def test_predictions_in_parts_are_those_of_the_whole(machine, data):
    words = data.draw(spelled(machine))
    cut = data.draw(st.integers(0, len(words)))
    parts = pa.concat_tables([predict(machine, words[:cut]), predict(machine, words[cut:])])
    assert parts.equals(predict(machine, words))


@given(automata(), st.lists(st.text(max_size=3), max_size=6))
def test_a_foreign_symbol_is_refused_where_none_stands_for_unknown_ones(machine, word):
    foreign = [symbol for symbol in word if symbol not in machine.alphabet]
    if machine.unknown is None and foreign:
        with pytest.raises(AutomatonError) as refused:
            predict(machine, [[], word])
        assert str(refused.value).endswith(f"got {foreign[0]!r} in row 2")
    else:
        codes = Sequences.from_lists([machine.encode(word)])
        assert predict(machine, [[], word])["state"].to_pylist() == [machine.start, *machine.run(codes)]


def test_the_empty_sequence_ends_where_it_starts():
    machine = automaton(start=1)
    assert predict(machine, [""]).to_pylist() == [{"class": "yes", "state": 1, "path": [1]}]


def test_no_sequences_have_no_predictions():
    assert predict(automaton(), []).equals(SCHEMA.empty_table())


def test_an_example_worked_by_hand():
    assert predict(automaton(), ["0110", "01"]).to_pylist() == [
        {"class": "no", "state": 0, "path": [0, 0, 1, 1, 0]},
        {"class": "yes", "state": 1, "path": [0, 0, 1]},
    ]


# Texts to symbols


def test_a_text_is_read_as_words_where_the_automaton_was_made_from_words():
    read = reader(automaton(("<unk>", "bad"), unknown=0, tokenizer="words"))
    assert read("It isn't BAD!", 1) == tokenize("It isn't BAD!")


def test_a_text_is_read_character_by_character_where_each_symbol_is_one():
    assert reader(automaton())("0110", 1) == ["0", "1", "1", "0"]
    assert reader(automaton(("0", " ")))("0 0", 1) == ["0", " ", "0"]


def test_a_text_is_read_as_what_stands_between_blanks_where_a_symbol_is_longer():
    assert reader(automaton(("0", "up")))(" up 0  up\t0\n", 1) == ["up", "0", "up", "0"]


def test_an_unknown_tokenizer_is_refused():
    with pytest.raises(AutomatonError, match="expected the tokenizer 'words' or none, got 'letters'"):
        reader(automaton(tokenizer="letters"))


@given(st.lists(st.sampled_from(["up", "down", "0"])))
def test_symbols_with_blanks_between_are_read_as_they_were(word):
    assert list(reader(automaton(("0", "up", "down")))(" ".join(word), 1)) == word


# Files


def read_back(path: Path) -> list[dict[str, object]]:
    """The predictions of a file, as `pa.Table.to_pylist` has them."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    table = pd.read_csv(path, dtype={"class": str, "state": int, "path": str}, keep_default_na=False)
    rows = table.assign(**{"class": table["class"].map(original)}).to_dict("records")
    return [row | {"path": [int(state) for state in row["path"].split()]} for row in rows]


def write(path: Path, *tables: pa.Table) -> None:
    with writer(path) as write_table:
        for table in tables:
            write_table(table)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(automata(), st.data())
def test_csv_and_parquet_hold_the_same(tmp_path, machine, data):
    tables = [predict(machine, words) for words in data.draw(st.lists(spelled(machine, 3), max_size=3))]
    written = pa.concat_tables([SCHEMA.empty_table(), *tables]).to_pylist()
    for ending in ("csv", "parquet"):
        write(tmp_path / f"a.{ending}", *tables)
        assert read_back(tmp_path / f"a.{ending}") == written


def test_the_name_of_a_class_may_hold_anything(tmp_path):
    machine = automaton(classes=('no, "never"\n', "=été"))
    for ending in ("csv", "parquet"):
        write(tmp_path / f"a.{ending}", predict(machine, ["", "1"]))
        assert [row["class"] for row in read_back(tmp_path / f"a.{ending}")] == list(machine.classes)


def test_no_class_in_csv_is_a_formula():
    file = io.BytesIO()
    with csv_writer(file) as write_table:
        write_table(predict(automaton(classes=("-1", "=1+1")), ["01", ""]))
    assert file.getvalue().decode() == '"class","state","path"\n"\'=1+1",1,"0 0 1"\n"-1",0,"0"\n'


def test_csv_has_a_line_for_each_sequence():
    file = io.BytesIO()
    with csv_writer(file) as write_table:
        write_table(predict(automaton(), ["01", ""]))
        write_table(predict(automaton(), ["1"]))
    assert file.getvalue().decode() == '"class","state","path"\n"yes",1,"0 0 1"\n"no",0,"0"\n"yes",1,"0 1"\n'


def test_a_parquet_file_has_the_documented_columns(tmp_path):
    write(tmp_path / "a.parquet", predict(automaton(), ["01"]))
    assert pq.read_schema(tmp_path / "a.parquet").equals(SCHEMA.with_metadata(None))


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "A.CSV"])
def test_a_file_is_there_when_all_is_written_and_alone(tmp_path, name):
    with writer(tmp_path / name) as write_table:
        write_table(predict(automaton(), ["01"]))
        assert not (tmp_path / name).exists()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("stop", [DataError, KeyboardInterrupt])
@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_an_error_leaves_nothing_behind(tmp_path, name, stop):
    with pytest.raises(stop), writer(tmp_path / name) as write_table:
        write_table(predict(automaton(), ["01"]))
        raise stop
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_an_error_leaves_the_old_file_as_it_was(tmp_path, name):
    write(tmp_path / name, predict(automaton(), ["01"]))
    before = (tmp_path / name).read_bytes()
    with pytest.raises(DataError), writer(tmp_path / name) as write_table:
        write_table(predict(automaton(), ["1", "0"]))
        raise DataError
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


@pytest.mark.parametrize("name", ["a.json", "a", "a.csv.gz"])
def test_another_ending_is_refused(tmp_path, name):
    with pytest.raises(DataError, match=rf"written as \.csv or \.parquet, got {name}"), writer(tmp_path / name):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected a folder to write a\.csv to"), writer(tmp_path / "absent/a.csv"):
        pass


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(DataError), writer(tmp_path / "a.csv"):
        pass
