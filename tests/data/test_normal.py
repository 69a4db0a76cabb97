"""Datasets of normal sequences, whose test split has anomalies too."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lisor.data.dataset import Dataset
from lisor.errors import ConfigError, DataError, DataWarning
from lisor.registry import KINDS
from lisor.settings.dataset import read_dataset

pytestmark = pytest.mark.filterwarnings("ignore::lisor.errors.DataWarning")


def logs(path: Path) -> Path:
    """100 normal sequences and 40 anomalies, of which some have an event of their own."""
    normal = [["open", "read", "close"] if i % 2 else ["open", "close"] for i in range(100)]
    odd = [["open", "fail"] if i % 2 else ["read", "open"] for i in range(40)]
    labels = ["fine"] * 100 + ["broken"] * 40
    pd.DataFrame({"symbols": normal + odd, "label": labels}).to_parquet(path / "logs.parquet")
    return path / "logs.parquet"


def make(path: Path, **settings: object) -> Dataset:
    known = read_dataset({"symbols": str(path), "target": "next", "normal": "fine", **settings})
    return KINDS["symbols"]().build(known, {"symbols": path})


def test_only_the_test_split_has_anomalies(tmp_path: Path) -> None:
    dataset = make(logs(tmp_path), held_out=0.5)
    counts = {name: int(split.anomalous.sum()) for name, split in dataset.splits.items()}
    assert counts["test"] == 20
    assert not any(counts[name] for name in ("train", "validation", "selection"))
    assert len(dataset.splits["test"]) == 70


def test_an_event_that_training_has_not_is_an_unknown_symbol(tmp_path: Path) -> None:
    dataset = make(logs(tmp_path))
    assert "fail" not in dataset.alphabet
    assert dataset.alphabet.unknown == 0
    with pytest.warns(DataWarning, match="1 of 4 symbols occur never in training"):
        make(logs(tmp_path))


def test_the_note_says_what_is_not_read(tmp_path: Path) -> None:
    assert any("6 of 40 sequences that are not normal" in one for one in make(logs(tmp_path)).notes)


def test_anomalies_are_kept_when_a_dataset_is_written_and_read(tmp_path: Path) -> None:
    dataset = make(logs(tmp_path))
    dataset.write(tmp_path)
    read = Dataset.read(tmp_path)
    for name, split in dataset.splits.items():
        assert (read.splits[name].anomalous == split.anomalous).all()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"normal": "good"}, DataError, "expected rows of the label 'good' and others"),
        ({"target": "class"}, ConfigError, "dataset.normal needs dataset.target next"),
    ],
)
def test_what_is_not_possible_is_refused(
    changes: dict[str, object], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        make(logs(tmp_path), **changes)


def test_a_test_split_without_anomalies_is_refused(tmp_path: Path) -> None:
    table = pd.read_parquet(logs(tmp_path))
    table["split"] = np.where(table["label"] == "broken", "train", "test")
    table.loc[:70, "split"] = "train"
    table.to_parquet(tmp_path / "logs.parquet")
    with pytest.raises(DataError, match="expected normal rows and others in the test split"):
        make(tmp_path / "logs.parquet")


def test_series_may_have_anomalies_too(tmp_path: Path) -> None:
    waves = [np.sin(np.arange(12) + i).tolist() for i in range(60)]
    labels = [1] * 45 + [-1] * 15
    pd.DataFrame({"series": waves, "label": labels}).to_parquet(tmp_path / "waves.parquet")
    known = read_dataset({"series": "w", "target": "next", "normal": "1", "folds": 3, "fold": 0})
    dataset = KINDS["series"]().build(known, {"series": tmp_path / "waves.parquet"})
    assert dataset.splits["test"].anomalous.sum() == 5
    assert not dataset.splits["train"].anomalous.any()
