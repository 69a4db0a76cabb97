import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisor.errors import SchemaError
from lisor.report import embedding
from lisor.report.embedding import Embedding, project
from tests.conftest import random_network

NETWORK = random_network()


def states(count: int, hidden: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, hidden)).astype(np.float32)


def assert_same(one: Embedding, two: Embedding) -> None:
    for name in ("rows", "positions", "predictions"):
        left, right = getattr(one, name), getattr(two, name)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


@settings(max_examples=10)
@given(st.lists(st.integers(0, 19), min_size=1, max_size=40))
def test_each_distinct_state_is_shown_once(drawn: list[int]) -> None:
    repeated = states(20)[drawn]
    shown = project(NETWORK, repeated)
    found = repeated[shown.rows]
    assert len(np.unique(found, axis=0)) == len(found) == len(set(drawn))
    assert shown.positions.shape == (len(found), 2)
    assert (np.diff(shown.rows) > 0).all()


def test_states_that_agree_to_five_decimals_are_one() -> None:
    twice = np.concatenate([states(3), states(3) + 1e-7])
    assert len(project(NETWORK, twice).rows) == 3


def test_of_many_states_a_sample_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "MAX_POINTS", 20)
    shown = project(NETWORK, states(50))
    assert len(shown.rows) == len(set(shown.rows.tolist())) == 20
    assert (np.diff(shown.rows) > 0).all()


def test_the_same_states_have_the_same_places() -> None:
    assert_same(project(NETWORK, states(30)), project(NETWORK, states(30)))


def test_what_is_near_stays_near() -> None:
    group = np.arange(40) % 2
    shown = project(NETWORK, states(40) * 0.1 + 5 * group[:, None].astype(np.float32))
    distances = np.linalg.norm(shown.positions[:, None] - shown.positions[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (group[shown.rows][distances.argmin(axis=1)] == group[shown.rows]).all()


@pytest.mark.parametrize("classes", [2, 3])
def test_the_answers_are_the_networks(classes: int) -> None:
    network = random_network(classes=classes, seed=3)
    shown = project(network, states(30))
    weight, bias = (network.weights[name].numpy() for name in ("output_weight", "output_bias"))
    assert (
        shown.predictions == (states(30)[shown.rows] @ weight[0] + bias[0]).argmax(axis=1)
    ).all()
    assert len(set(shown.predictions.tolist())) == classes


@pytest.mark.parametrize("count", range(4))
def test_a_few_states_stand_where_their_first_two_units_put_them(count: int) -> None:
    few = states(count)
    shown = project(NETWORK, few)
    assert shown.rows.tolist() == list(range(count))
    np.testing.assert_array_equal(shown.positions, few[:, :2])


@pytest.mark.parametrize("count", [4, 5, 6])
def test_states_are_put_in_the_plane_from_four_on(count: int) -> None:
    shown = project(NETWORK, states(count))
    assert np.isfinite(shown.positions).all()
    assert len(np.unique(shown.positions, axis=0)) == count


@pytest.mark.parametrize("count", [1, 30])
def test_one_hidden_unit_makes_a_line(count: int) -> None:
    narrow = states(count, hidden=1)
    shown = project(random_network(hidden_size=1), narrow)
    np.testing.assert_array_equal(shown.positions, np.column_stack([narrow[:, 0], np.zeros(count)]))


@pytest.mark.parametrize("count", [0, 3, 30])
def test_points_are_read_as_they_were_written(tmp_path: Path, count: int) -> None:
    shown = project(NETWORK, states(count))
    shown.write(tmp_path)
    assert_same(Embedding.read(tmp_path), shown)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    project(NETWORK, states(3)).write(tmp_path)
    path = tmp_path / "plane.parquet"
    pq.write_table(
        pq.read_table(path).replace_schema_metadata({"lisor": json.dumps({"schema": 99})}), path
    )
    with pytest.raises(SchemaError, match="schema 1, got 99"):
        Embedding.read(tmp_path)
