"""Tables of the automata of a dataset."""

import pandas as pd
import pytest

from lisor.report.automata_tables import unseen_table
from tests.report.conftest import rows


@pytest.mark.parametrize(
    ("position", "counted"),
    [("sequence", "3 of 10 sequences"), ("step", "3 of 10 steps of the sequences")],
)
def test_the_caption_says_what_is_counted_of_what_is_not_in_training(position, counted):
    whole = rows(trials=(0,)).assign(n=10)
    unseen = whole.assign(test_set="unseen", n=3)
    (table,) = unseen_table(pd.concat([whole, unseen]), "000", position)
    assert f"those that do not: {counted}." in table.caption
