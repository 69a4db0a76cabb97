"""Series cut by time, and the numbers that come some steps later."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.data import forecasts
from lisor.data.series import build, load_aeon, read_table
from lisor.errors import ConfigError, DataError, DataWarning
from lisor.settings.dataset import read_dataset

SIZES: dict[str, int | None] = {}


def table(*series: np.ndarray, **columns) -> pd.DataFrame:
    return pd.DataFrame({"series": pd.Series(list(series), dtype=object), **columns})


def counted(steps: int, first: int = 0) -> np.ndarray:
    """A series of two channels whose numbers say when they are: t and −t."""
    time = np.arange(first, first + steps, dtype=float)
    return np.column_stack([time, -time])


@given(
    steps=st.integers(80, 200),
    window=st.integers(1, 3),
    horizon=st.integers(1, 4),
    length=st.integers(3, 40),
)
def test_each_window_is_followed_by_the_number_a_horizon_after_its_end(
    steps, window, horizon, length
):
    cut = forecasts.cut(
        table(counted(steps)),
        window=window,
        horizon=horizon,
        sequence_length=length,
        sizes=SIZES,
        held_out=0.3,
        seed=0,
    )
    for pieces in cut.values():
        assert all(len(piece) <= max(length, window) for piece in pieces.series)
        ends = np.concatenate([piece[window - 1 :: window] for piece in pieces.series])
        expected = ends + np.array([horizon, -horizon])
        np.testing.assert_array_equal(pieces.ahead, expected)


@given(steps=st.integers(80, 200), horizon=st.integers(1, 4))
def test_splits_follow_each_other_in_time_and_share_no_step(steps, horizon):
    cut = forecasts.cut(
        table(counted(steps)),
        window=1,
        horizon=horizon,
        sequence_length=16,
        sizes=SIZES,
        held_out=0.3,
        seed=0,
    )
    spans = []
    for name in ("train", "validation", "selection", "test"):
        seen = np.concatenate([cut[name].ahead[:, 0], *(piece[:, 0] for piece in cut[name].series)])
        spans.append((seen.min(), seen.max()))
    assert all(before[1] < after[0] for before, after in pairwise(spans))


def test_a_column_split_assigns_whole_series():
    series = [counted(30, 100 * row) for row in range(8)]
    split = ["train"] * 6 + ["test"] * 2
    cut = forecasts.cut(
        table(*series, split=split),
        window=1,
        horizon=2,
        sequence_length=30,
        sizes=SIZES,
        held_out=0.5,
        seed=0,
    )
    assert [piece[0, 0] for piece in cut["test"].series] == [600, 700]
    assert sum(len(pieces.series) for pieces in cut.values()) == 8


def test_a_series_that_is_too_short_is_refused():
    with pytest.raises(DataError, match="no piece is left for the split"):
        forecasts.cut(
            table(counted(9)),
            window=1,
            horizon=5,
            sequence_length=30,
            sizes=SIZES,
            held_out=0.3,
            seed=0,
        )


HOW = {
    "method": "kmeans",
    "symbol_count": 4,
    "window": 1,
    "sizes": SIZES,
    "held_out": 0.3,
    "folds": None,
    "fold": 0,
    "seed": 0,
}


def test_rows_of_a_file_may_be_the_steps_of_one_series(tmp_path):
    time = np.arange(60)
    path = tmp_path / "weather.csv"
    frame = pd.DataFrame({"day": [f"day {t}" for t in time], "wind": time % 7, "rain": time % 5})
    frame.to_csv(path, index=False)
    read = read_table(path, steps=True)
    (series,) = read["series"]
    np.testing.assert_array_equal(series, np.column_stack([time % 7, time % 5]))
    with pytest.warns(DataWarning, match=r"60 steps with the channels|'day' has no numbers"):
        dataset = build(read, target="number", horizon=3, sequence_length=10, **HOW)
    assert dataset.classes == ("wind in 3 steps", "rain in 3 steps")
    assert dataset.target == "number"
    assert dataset.splits["train"].labels.shape[1] == 2


def test_a_missing_cell_of_a_channel_is_refused(tmp_path):
    path = tmp_path / "weather.csv"
    path.write_text("wind,rain\n1,2\n3,\n5,6\n")
    with pytest.raises(DataError, match=r"'rain' has (None|nan) in row 2"):
        read_table(path, steps=True)


def test_without_steps_such_a_file_lacks_its_series(tmp_path):
    path = tmp_path / "weather.csv"
    path.write_text("wind,rain\n1,2\n3,4\n")
    with pytest.raises(DataError, match="column 'series'"):
        read_table(path)


def test_a_long_series_lies_in_the_wheel_of_aeon():
    pytest.importorskip("aeon")
    (series,) = load_aeon("KDD-TSAD_135")["series"]
    assert series.shape == (7501, 1)


def test_the_number_of_each_series_is_learned_without_a_horizon():
    rng = np.random.default_rng(0)
    series = [rng.normal(size=(6, 1)) for _ in range(60)]
    labels = [f"{one.sum():.3f}" for one in series]
    dataset = build(table(*series, label=labels), target="regression", **HOW)
    assert dataset.target == "regression"
    known = np.concatenate([split.labels for split in dataset.splits.values()])
    assert sorted(known[:, 0]) == pytest.approx(sorted(map(float, labels)))


def test_a_label_that_is_no_number_is_refused():
    series = [counted(6) for _ in range(30)]
    with pytest.raises(DataError, match=r"numbers in the column 'label', .* 'high' in its entry 3"):
        build(table(*series, label=["1", "2", "high", *["4"] * 27]), target="regression", **HOW)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"horizon": 2}, "dataset.horizon is for dataset.target=number"),
        ({"sequence_length": 9}, "sequence_length is for a forecast"),
        ({"horizon": 2, "target": "number", "folds": 3}, "a forecast is tested on later time"),
        (
            {"horizon": 2, "target": "number", "window": 9, "sequence_length": 8},
            "at least dataset.window",
        ),
    ],
)
def test_settings_of_a_forecast_that_do_not_fit_are_refused(settings, says):
    with pytest.raises(ConfigError, match=says):
        read_dataset({"series": "series.csv", **settings})


def test_the_target_is_known_by_the_horizon():
    forecast = read_dataset({"series": "series.csv", "target": "number", "horizon": 2})
    whole = read_dataset({"series": "series.csv", "target": "number"})
    assert (forecast.known_target, whole.known_target) == ("number", "regression")
