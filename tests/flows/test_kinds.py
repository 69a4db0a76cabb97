"""A kind of data that is added from outside: trained on, and extracted from."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lisor.settings.dataset import DATASETS
from lisor_flows.pipeline import lisor_pipeline
from lisor_tasks.keys import leaves
from tests.plain_kind import toy_kind

__all__ = ["toy_kind"]


def test_a_kind_from_outside_the_package_is_trained_on_and_extracted_from(
    toy_kind: None, home: Path, tiny: dict[str, Any]
) -> None:
    summary = lisor_pipeline({**tiny, "name": "toys", "datasets": [{"toy": 5, "seed": 3}]})
    results = pd.read_parquet(Path(summary["out"]) / "results.parquet")
    assert set(results["dataset"]) == {"toy-5"}
    assert set(results["k"]) == {2, 3, 4, 5, 6}
    assert list(Path(summary["out"]).glob("automata/selected/toy-5-gru-0*.json"))


@pytest.mark.parametrize(("one", "same"), [("aeon:GunPoint", False), ("a.csv", True)])
def test_the_name_of_packaged_series_is_part_of_keys_and_a_path_is_not(
    one: str, same: bool
) -> None:
    other = one.replace("GunPoint", "JapaneseVowels").replace("a.csv", "b.csv")
    keys = [dict(leaves(DATASETS["series"](series=name))) for name in (one, other)]
    assert (keys[0] == keys[1]) == same
