import numpy as np
import pandas as pd
import pytest

from lisor.data.dataset import Dataset
from lisor.data.series import build, load_aeon, read_table
from lisor.errors import ConfigError, DataError, DataWarning
from lisor.quantizer import parse_series
from lisor.settings.series import SeriesSettings

HOW = {
    "method": "kmeans",
    "symbol_count": 4,
    "window": 2,
    "sizes": {},
    "held_out": 0.3,
    "folds": None,
    "fold": 0,
    "seed": 0,
}


def table(count: int = 60, **columns) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    series = pd.Series([rng.normal(i % 3, size=(8, 2)) for i in range(count)], dtype=object)
    return pd.DataFrame(
        {"series": series, "label": [f"class {i % 3}" for i in range(count)], **columns}
    )


@pytest.mark.parametrize(
    ("cell", "steps"),
    [
        ([1, 2.5], [[1], [2.5]]),
        (np.array([1.0, 2.0]), [[1], [2]]),
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
        (np.array([np.array([1, 2]), np.array([3, 4])], dtype=object), [[1, 2], [3, 4]]),
        ("1 2.5", [[1], [2.5]]),
        ("[[1, 2], [3, 4]]", [[1, 2], [3, 4]]),
    ],
)
def test_a_series_is_steps_by_channels_however_it_is_written(cell, steps):
    assert parse_series(cell).tolist() == steps


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ([[1, 2], [3]], "as many channels at every step, but series 7 has 1 and 2"),
        ([1, [2]], "single numbers and lists"),
        ("1 two", "a list of numbers"),
        ("[1", "a list of numbers"),
        ([], "found none"),
        (None, "found none"),
        (3.5, "a list of numbers"),
    ],
)
def test_what_is_no_series_is_refused(cell, says):
    with pytest.raises(DataError, match=says):
        parse_series(cell, 7)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_file_is_read_with_its_labels_and_splits(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    frame = pd.DataFrame(
        {"series": [[[1.0, 2.0]], [[3.0, 4.0]]], "label": ["x", "y"], "time": [1, 2]}
    )
    frame.to_parquet(path) if ending == "parquet" else frame.to_csv(path, index=False)
    found = read_table(path)
    assert [cell.tolist() for cell in found["series"]] == [[[1, 2]], [[3, 4]]]
    assert list(found) == ["series", "label"]
    assert found.attrs["notes"] == [
        "the column 'time' is not read: only the order of the symbols is used"
    ]


def test_symbols_are_fitted_to_the_training_series_alone():
    given = ["train"] * 40 + ["test"] * 20
    first = build(table(split=given), **HOW)
    changed = table(split=given)
    changed["series"] = [one if i < 40 else 100 * one for i, one in enumerate(changed["series"])]
    second = build(changed, **HOW)
    assert (first.alphabet.quantizer.prototypes == second.alphabet.quantizer.prototypes).all()
    assert len(first.splits["test"]) == 20
    assert (first.vectors == first.alphabet.quantizer.prototypes.astype(np.float32)).all()


def test_folds_test_every_series_once_and_no_split_shares_one():
    tests = []
    for fold in range(3):
        dataset = build(table(), **{**HOW, "folds": 3, "fold": fold})
        assert sum(map(len, dataset.splits.values())) == 60
        assert (
            np.bincount(dataset.splits["test"].labels).tolist() == [7, 7, 6]
            or len(dataset.splits["test"]) == 20
        )
        tests += [key.tobytes() for key in np.asarray(dataset.splits["test"].sequences.numbers)]
    assert len(tests) == 60 * 4


def test_each_fold_tests_whole_groups_and_each_group_once():
    groups = [f"s{row % 5}" for row in range(60)]
    tested = []
    for fold in range(3):
        how = {**HOW, "folds": 3, "fold": fold, "groups": "speaker"}
        dataset = build(table(speaker=groups), **how)
        said = dataset.notes[-1]
        assert said.startswith("rows for testing are those whose speaker is s")
        speakers = said.rpartition(" is ")[2].split(", ")
        assert len(dataset.splits["test"]) == 12 * len(speakers)
        tested += speakers
    assert sorted(tested) == ["s0", "s1", "s2", "s3", "s4"]


def test_fewer_groups_than_folds_are_refused():
    with pytest.raises(DataError, match="7 folds need as many groups, one for each row, found 2"):
        build(table(speaker=["a", "b"] * 30), **{**HOW, "folds": 7, "groups": "speaker"})


def test_a_row_without_a_group_is_refused():
    with pytest.raises(DataError, match="1 rows without"):
        build(
            table(speaker=["a", "b"] * 29 + ["a", None]), **{**HOW, "folds": 2, "groups": "speaker"}
        )


@pytest.mark.parametrize("speakers", [["a", "b"], [1, 2]])
def test_a_file_has_its_groups_in_a_column(tmp_path, speakers):
    path = tmp_path / "a.parquet"
    frame = {"series": [[1.0], [2.0]], "label": ["x", "y"], "speaker": speakers}
    pd.DataFrame(frame).to_parquet(path)
    assert read_table(path, "speaker")["speaker"].tolist() == speakers
    with pytest.raises(DataError, match="expected a column 'singer' beside 'series'"):
        read_table(path, "singer")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"series": "a.csv", "groups": "speaker"}, r"dataset\.groups is for dataset\.folds"),
        ({"series": "aeon:GunPoint", "folds": 2, "groups": "speaker"}, "of a file"),
        ({"series": "a.csv", "folds": 2, "groups": "label"}, "a column beside series, label"),
    ],
)
def test_groups_need_folds_of_a_file(settings, message):
    with pytest.raises(ConfigError, match=message):
        SeriesSettings(**settings)


def test_folds_of_groups_have_a_name_of_their_own():
    settings = SeriesSettings(series="digits.parquet", folds=2, groups="speaker")
    names = [part.name for part in settings.parts]
    assert names == ["digits-by-speaker-fold-1", "digits-by-speaker-fold-2"]


def test_numbers_and_quantizer_are_read_back(tmp_path):
    dataset = build(table(), **HOW)
    dataset.write(tmp_path)
    again = Dataset.read(tmp_path)
    for name, split in dataset.splits.items():
        assert (again.splits[name].sequences.numbers == split.sequences.numbers).all()
        assert (again.splits[name].sequences.symbols == split.sequences.symbols).all()
    assert again.alphabet == dataset.alphabet


def test_steps_that_fill_no_window_are_noted():
    with pytest.warns(DataWarning, match="up to 2 steps at the end"):
        dataset = build(table(), **{**HOW, "window": 3})
    assert len(dataset.notes) == 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "series", "channels", "classes"),
    [("JapaneseVowels", 640, 12, 9), ("ItalyPowerDemand", 1096, 1, 2)],
)
def test_aeon_has_its_sets_in_its_wheel(name, series, channels, classes):
    pytest.importorskip("aeon")
    found = load_aeon(name)
    assert len(found) == series
    assert {one.shape[1] for one in found["series"]} == {channels}
    assert found["label"].nunique() == classes
    assert set(found["split"]) == {"train", "test"}


def test_without_aeon_its_sets_are_refused(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "aeon.datasets", None)
    with pytest.raises(DataError, match=r"pip install 'lisor\[aeon\]'"):
        load_aeon("GunPoint")
