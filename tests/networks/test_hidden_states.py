import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from lisor.data.dataset import Dataset, Split
from lisor.errors import SchemaError
from lisor.networks import hidden_states
from lisor.networks.hidden_states import HiddenStates
from lisor.networks.trained import TrainedModel
from lisor.registry import CELLS
from lisor.sequences import Sequences
from tests.conftest import random_network
from tests.strategies import WITH_CELL_STATE, ragged_sequences

WORDS = Sequences.from_lists([[0, 1, 1], [], [1], [0, 0, 0, 1], [], [1, 0], [1], [0, 1, 1, 1, 1]])


def dump(model: TrainedModel, sequences: Sequences, folder, **splits: Sequences) -> HiddenStates:
    """The hidden states of the sequences, as the validation split of a data set."""
    labelled = {
        name: Split(sequences=rows, labels=np.arange(len(rows)) % 2)
        for name, rows in {"validation": sequences, **splits}.items()
    }
    dataset = Dataset(alphabet=model.alphabet, classes=model.classes, splits=labelled)
    hidden_states.dump(model, dataset, folder)
    return HiddenStates(folder=folder)


def owner(array: np.ndarray) -> object:
    """The object whose memory an array looks at."""
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array


@pytest.mark.parametrize("cell", CELLS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(ragged_sequences())
def test_a_dump_equals_running_the_network_step_by_step(tmp_path, cell, sequences):
    model = random_network(cell)
    points = dump(model, sequences, tmp_path).read()
    place = {
        pair: i
        for i, pair in enumerate(zip(points.sequence.tolist(), points.step.tolist(), strict=True))
    }
    assert len(place) == len(points.state) == len(sequences.symbols)
    for row, sequence in enumerate(sequences):
        state = model.initial_state()
        for step, symbol in enumerate(sequence.tolist(), 1):
            state = model.step(state, symbol)
            i = place[row, step]
            assert points.symbol[i] == symbol
            np.testing.assert_allclose(points.state[i], state[0][0, 0], atol=1e-6)
            if cell in WITH_CELL_STATE:
                np.testing.assert_allclose(points.cell_state[i], state[1][0, 0], atol=1e-6)


@pytest.mark.parametrize("most", [1, 6, 1000])
def test_the_steps_of_a_sequence_stand_together_and_in_order(tmp_path, monkeypatch, most):
    monkeypatch.setattr(hidden_states, "MAX_POINTS", most)
    points = dump(random_network(), WORDS, tmp_path).read()
    begins = np.flatnonzero(points.step == 1)
    assert len(begins) == len(set(points.sequence)) == (WORDS.lengths > 0).sum()
    for group in np.split(np.arange(len(points.step)), begins[1:]):
        row = points.sequence[group[0]]
        assert (points.sequence[group] == row).all()
        assert points.step[group].tolist() == list(range(1, WORDS.lengths[row] + 1))
        assert points.symbol[group].tolist() == WORDS[row].tolist()


@pytest.mark.parametrize("cell", ["gru", "lstm", "sru"])
@pytest.mark.parametrize("most", [1, 6])
def test_row_groups_end_to_end_are_the_whole(tmp_path, monkeypatch, cell, most):
    model = random_network(cell)
    (tmp_path / "whole").mkdir()
    whole = dump(model, WORDS, tmp_path / "whole").read()
    monkeypatch.setattr(hidden_states, "MAX_POINTS", most)
    parts = dump(model, WORDS, tmp_path)
    groups = list(parts.row_groups())
    assert len(groups) > 2
    assert max(len(group.step) for group in groups) <= max(most, WORDS.lengths.max())
    for name in (
        "sequence",
        "step",
        "symbol",
        "state",
        *(["cell_state"] if cell in WITH_CELL_STATE else []),
    ):
        end_to_end = np.concatenate([getattr(group, name) for group in groups])
        np.testing.assert_array_equal(getattr(parts.read(), name), end_to_end)
        np.testing.assert_allclose(end_to_end, getattr(whole, name), atol=1e-6)


@pytest.mark.parametrize("most", [1, 6, 1000])
def test_the_matrix_is_the_states_alone(tmp_path, monkeypatch, most):
    monkeypatch.setattr(hidden_states, "MAX_POINTS", most)
    states = dump(random_network(), WORDS, tmp_path)
    assert states.matrix().dtype == np.float32
    np.testing.assert_array_equal(states.matrix(), states.read().state)


@pytest.mark.parametrize("most", [1, 6, 1000])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(sequences=ragged_sequences())
def test_the_sequences_are_those_that_were_run_in_the_order_of_the_points(
    tmp_path, most, sequences
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hidden_states, "MAX_POINTS", most)
        dumped = dump(random_network(), sequences, tmp_path)
    rows = dict.fromkeys(dumped.read().sequence.tolist())
    assert [word.tolist() for word in dumped.in_order()] == [
        sequences[row].tolist() for row in rows
    ]
    assert len(rows) == (sequences.lengths > 0).sum()


@pytest.mark.parametrize("most", [1, 6, 1000])
@pytest.mark.parametrize("cell", WITH_CELL_STATE)
def test_the_cell_states_can_be_read_alone(tmp_path, monkeypatch, cell, most):
    monkeypatch.setattr(hidden_states, "MAX_POINTS", most)
    assert dump(random_network(), WORDS, tmp_path).cell_states() is None
    states = dump(random_network(cell), WORDS, tmp_path)
    np.testing.assert_array_equal(states.cell_states(), states.read().cell_state)


def test_a_dump_of_one_row_group_is_not_copied(dumped):
    assert pq.ParquetFile(dumped.folder / "states.parquet").num_row_groups == 1
    points = dumped.read()
    for array in (dumped.matrix(), points.state, points.sequence, points.step, points.symbol):
        assert not isinstance(owner(array), np.ndarray)


@pytest.mark.parametrize("cell", CELLS)
def test_only_an_lstm_and_sru_have_a_cell_state(tmp_path, cell):
    assert (dump(random_network(cell), WORDS, tmp_path).read().cell_state is not None) == (
        cell in WITH_CELL_STATE
    )


@pytest.mark.parametrize("cell", ["gru", "lstm", "sru"])
@pytest.mark.parametrize("words", [[], [[]], [[], [], []]], ids=["none", "one", "three"])
def test_empty_sequences_leave_no_hidden_states(tmp_path, cell, words):
    states = dump(random_network(cell), Sequences.from_lists(words), tmp_path, test=WORDS)
    points = states.read()
    assert len(points.sequence) == len(points.step) == len(points.symbol) == 0
    assert points.state.shape == states.matrix().shape == (0, 4)
    assert len(states.in_order()) == 0
    assert len(states.predictions()["test"].predictions) == len(WORDS)


def test_an_lstm_that_read_nothing_left_no_cell_states(tmp_path):
    assert dump(
        random_network("lstm"), Sequences.from_lists([[], []]), tmp_path
    ).cell_states().shape == (0, 4)


@pytest.mark.parametrize("classes", [2, 3])
def test_answers_are_what_the_network_predicts_for_each_split(tmp_path, classes):
    model, other = random_network(classes=classes), Sequences.from_lists([[1, 1], []])
    answers = dump(model, WORDS, tmp_path, test=other).predictions()
    assert list(answers) == ["validation", "test"]
    for name, sequences in {"validation": WORDS, "test": other}.items():
        assert answers[name].labels.tolist() == [i % 2 for i in range(len(sequences))]
        np.testing.assert_array_equal(answers[name].probabilities, model.predict(sequences))
        np.testing.assert_array_equal(
            answers[name].predictions, answers[name].probabilities.argmax(axis=1)
        )


def test_equal_dumps_are_equal_bytes(tmp_path):
    files = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        dump(random_network(), WORDS, folder)
        files.append(
            [(folder / file).read_bytes() for file in ("states.parquet", "answers.parquet")]
        )
    assert files[0] == files[1]


def test_another_schema_is_refused(tmp_path):
    dump(random_network(), WORDS, tmp_path)
    path = tmp_path / "states.parquet"
    pq.write_table(
        pq.read_table(path).replace_schema_metadata({"lisor": json.dumps({"schema": 99})}), path
    )
    with pytest.raises(SchemaError, match="schema 1, got 99"):
        HiddenStates(folder=tmp_path)


@pytest.mark.parametrize("cell", ["gru", "lstm", "sru"])
@pytest.mark.parametrize("most", [1, 6, 1000])
def test_answers_of_the_dumped_split_are_those_that_the_network_gives(
    tmp_path, monkeypatch, cell, most
):
    monkeypatch.setattr(hidden_states, "MAX_POINTS", most)
    model = random_network(cell)
    answers = dump(model, WORDS, tmp_path, test=WORDS).predictions()
    for name in ("validation", "test"):
        np.testing.assert_allclose(answers[name].probabilities, model.predict(WORDS), atol=1e-6)
        assert answers[name].predictions.tolist() == model.predict(WORDS).argmax(axis=1).tolist()
        assert answers[name].labels.tolist() == [0, 1] * 4


@pytest.mark.parametrize("most", [1, 6, 1000])
def test_blocks_are_the_states_again_each_time(tmp_path, monkeypatch, most):
    monkeypatch.setattr(hidden_states, "MAX_POINTS", most)
    dumped = dump(random_network(), WORDS, tmp_path)
    blocks = dumped.blocks()
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate(list(blocks)), dumped.matrix())
    assert len(blocks) == len(dumped.matrix())


def test_a_disk_that_fails_is_not_passed_over(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", fail)
    with pytest.raises(OSError, match="no space left"):
        dump(random_network(), WORDS, tmp_path)
