import io
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lisor.automata.automaton import Automaton
from lisor.automata.pdfa import make_pdfa
from lisor.automata.prediction import (
    FIGURES,
    Likelihood,
    Predictions,
    csv_writer,
    predict,
    schema_of,
    writer,
)
from lisor.errors import DataError
from lisor.sequences import Sequences
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


SCHEMA = schema_of(automaton())
"""Of an automaton that answers once a sequence."""

# Predictions


def predict_words(machine: Automaton, words: list[Sequence[str]]) -> pa.Table:
    """The predictions of sequences of symbols."""
    return predict(machine, machine.alphabet.encode(words, 1))


@given(automata(), st.data())
def test_predictions_are_what_the_automaton_answers(machine, data):
    words = data.draw(spelled(machine))
    sequences = Sequences.from_lists([machine.encode(word) for word in words])
    trace = machine.trace(sequences).tolist()
    table = predict_words(machine, words)
    assert table.schema == SCHEMA
    assert table["state"].to_pylist() == machine.run(sequences).tolist()
    assert table["class"].to_pylist() == [
        machine.classes[output] for output in machine.classify(sequences)
    ]
    paths = [[machine.start, *trace[a:b]] for a, b in pairwise(sequences.offsets)]
    assert table["path"].to_pylist() == paths


@given(automata(), st.data())
def test_predictions_in_parts_are_those_of_the_whole(machine, data):
    words = data.draw(spelled(machine))
    cut = data.draw(st.integers(0, len(words)))
    parts = pa.concat_tables(
        [predict_words(machine, words[:cut]), predict_words(machine, words[cut:])]
    )
    assert parts.equals(predict_words(machine, words))


@given(automata(), st.lists(st.text(max_size=3), max_size=6))
def test_a_foreign_symbol_is_refused_where_none_stands_for_unknown_ones(machine, word):
    foreign = [symbol for symbol in word if symbol not in machine.alphabet]
    if machine.alphabet.unknown is None and foreign:
        with pytest.raises(DataError) as refused:
            predict_words(machine, [[], word])
        assert str(refused.value).endswith(f"got {foreign[0]!r} in row 2")
    else:
        codes = Sequences.from_lists([machine.encode(word)])
        assert predict_words(machine, [[], word])["state"].to_pylist() == [
            machine.start,
            *machine.run(codes),
        ]


def test_the_empty_sequence_ends_where_it_starts():
    machine = automaton(start=1)
    assert predict_words(machine, [""]).to_pylist() == [{"class": "yes", "state": 1, "path": [1]}]


def test_no_sequences_have_no_predictions():
    assert predict_words(automaton(), []).equals(SCHEMA.empty_table())


def test_an_example_worked_by_hand():
    assert predict_words(automaton(), ["0110", "01"]).to_pylist() == [
        {"class": "no", "state": 0, "path": [0, 0, 1, 1, 0]},
        {"class": "yes", "state": 1, "path": [0, 0, 1]},
    ]


@given(automata(), st.data())
def test_an_automaton_that_answers_at_each_step_says_the_class_after_each_symbol(machine, data):
    machine = replace(machine, target="step")
    words = data.draw(spelled(machine))
    table = predict_words(machine, words)
    assert table.schema == schema_of(machine)
    for row, word in zip(table.to_pylist(), words, strict=True):
        assert row["class"] == [
            machine.classes[machine.outputs[state]] for state in row["path"][1:]
        ]
        assert len(row["class"]) == len(word)


# Files


def read_back(path: Path) -> list[dict[str, object]]:
    """The predictions of a file, as `pa.Table.to_pylist` has them."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    table = pd.read_csv(
        path, dtype={"class": str, "state": int, "path": str}, keep_default_na=False
    )
    rows = table.assign(**{"class": table["class"].map(original)}).to_dict("records")
    return [row | {"path": [int(state) for state in row["path"].split()]} for row in rows]


def write(path: Path, *tables: pa.Table) -> None:
    with writer(path, SCHEMA) as write_table:
        for table in tables:
            write_table(table)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(automata(), st.data())
def test_csv_and_parquet_hold_the_same(tmp_path, machine, data):
    tables = [
        predict_words(machine, words)
        for words in data.draw(st.lists(spelled(machine, 3), max_size=3))
    ]
    written = pa.concat_tables([SCHEMA.empty_table(), *tables]).to_pylist()
    for ending in ("csv", "parquet"):
        write(tmp_path / f"a.{ending}", *tables)
        assert read_back(tmp_path / f"a.{ending}") == written


def test_the_name_of_a_class_may_hold_anything(tmp_path):
    machine = automaton(classes=('no, "never"\n', "=été"))
    for ending in ("csv", "parquet"):
        write(tmp_path / f"a.{ending}", predict_words(machine, ["", "1"]))
        assert [row["class"] for row in read_back(tmp_path / f"a.{ending}")] == list(
            machine.classes
        )


def test_no_class_in_csv_is_a_formula():
    file = io.BytesIO()
    with csv_writer(file, SCHEMA) as write_table:
        write_table(predict_words(automaton(classes=("-1", "=1+1")), ["01", ""]))
    assert file.getvalue().decode() == '"class","state","path"\n"\'=1+1",1,"0 0 1"\n"-1",0,"0"\n'


def test_csv_has_a_line_for_each_sequence():
    file = io.BytesIO()
    with csv_writer(file, SCHEMA) as write_table:
        write_table(predict_words(automaton(), ["01", ""]))
        write_table(predict_words(automaton(), ["1"]))
    assert (
        file.getvalue().decode()
        == '"class","state","path"\n"yes",1,"0 0 1"\n"no",0,"0"\n"yes",1,"0 1"\n'
    )


def test_a_parquet_file_has_the_documented_columns(tmp_path):
    write(tmp_path / "a.parquet", predict_words(automaton(), ["01"]))
    assert pq.read_schema(tmp_path / "a.parquet").equals(SCHEMA.with_metadata(None))


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "A.CSV"])
def test_a_file_is_there_when_all_is_written_and_alone(tmp_path, name):
    with writer(tmp_path / name, SCHEMA) as write_table:
        write_table(predict_words(automaton(), ["01"]))
        assert not (tmp_path / name).exists()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("stop", [DataError, KeyboardInterrupt])
@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_an_error_leaves_nothing_behind(tmp_path, name, stop):
    with pytest.raises(stop), writer(tmp_path / name, SCHEMA) as write_table:
        write_table(predict_words(automaton(), ["01"]))
        raise stop
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_an_error_leaves_the_old_file_as_it_was(tmp_path, name):
    write(tmp_path / name, predict_words(automaton(), ["01"]))
    before = (tmp_path / name).read_bytes()
    with pytest.raises(DataError), writer(tmp_path / name, SCHEMA) as write_table:
        write_table(predict_words(automaton(), ["1", "0"]))
        raise DataError
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


@pytest.mark.parametrize("name", ["a.json", "a", "a.csv.gz"])
def test_another_ending_is_refused(tmp_path, name):
    with (
        pytest.raises(DataError, match=rf"written as \.csv or \.parquet, got {name}"),
        writer(tmp_path / name, SCHEMA),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_refused(tmp_path):
    with (
        pytest.raises(DataError, match=r"expected a folder to write a\.csv to"),
        writer(tmp_path / "absent/a.csv", SCHEMA),
    ):
        pass


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(DataError), writer(tmp_path / "a.csv", SCHEMA):
        pass


# Automata with distributions

COIN = make_pdfa(("a b", "c"), [[1, 0], [1, 0]], [[0.5, 0.25, 0.25], [0.0, 0.5, 0.5]])


def test_a_pdfa_gives_the_probability_and_the_perplexity_of_each_sequence():
    table = predict_words(COIN, [["a b", "c"], [], ["a b", "a b"]])
    assert table.schema == schema_of(COIN)
    logs, perplexities = (table[name].to_pylist() for name in FIGURES)
    assert logs[:2] == pytest.approx([math.log(0.5 * 0.5 * 0.25), math.log(0.25)])
    assert perplexities[:2] == pytest.approx([0.0625 ** (-1 / 3), 4])
    assert (logs[2], perplexities[2]) == (-math.inf, math.inf)


def test_the_perplexity_of_all_is_that_of_their_steps_and_says_what_cannot_be():
    likelihood = Likelihood()
    assert str(likelihood) == "perplexity –"
    for words in ([["a b", "c"], []], [["c"]]):
        sequences = COIN.alphabet.encode(words)
        likelihood.add(predict(COIN, sequences), sequences)
    shares = 0.5 * 0.5 * 0.25 * 0.25 * 0.25 * 0.25
    assert str(likelihood) == f"perplexity {shares ** (-1 / 6):.3f}"
    impossible = COIN.alphabet.encode([["a b", "a b"]])
    likelihood.add(predict(COIN, impossible), impossible)
    assert str(likelihood).startswith("perplexity ∞: 1 sequences have the probability 0, ")


def test_classes_whose_names_have_blanks_are_lists_of_json_in_csv(tmp_path):
    reader = Predictions.of(COIN)
    with writer(tmp_path / "a.csv", reader.schema, reader.as_json) as write_table:
        write_table(predict_words(COIN, [["a b"]]))
    (row,) = pd.read_csv(tmp_path / "a.csv").to_dict("records")
    assert json.loads(row["class"]) == ["a b", "c"]
    assert row["log_probability"] == pytest.approx(math.log(0.25))
