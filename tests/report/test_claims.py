import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lisor.registry import CELLS
from lisor.report.claims import CLAIMS, Claim, check_claims
from lisor.report.tables import Interval


def table(**cells: list[int]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(cells, orient="index")


@st.composite
def numbers(draw: st.DrawFn) -> pd.DataFrame:
    """The n_c of four cells in a few trials."""
    trials = draw(st.integers(2, 6))
    row = st.lists(st.integers(2, 65), min_size=trials, max_size=trials)
    return table(**{cell: draw(row) for cell in ("srn", "mgu", "gru", "lstm")})


few = settings(max_examples=15)


def test_a_claim_checked_by_hand() -> None:
    """mgu needs 7, 8 and 9 clusters fewer than srn: on average 8 ± t(0.975; 2) / √3 = 4.303 /
    1.732.

    Of the 8 ways to turn the signs only + + + and − − − are as far from 0, so p = 2 / 8."""
    (claim,) = check_claims(table(mgu=[3, 4, 5], srn=[10, 12, 14]))
    assert claim.text == "mgu needs fewer clusters than srn"
    assert f"{claim.difference:.3f}" == "8.000 ± 2.484"
    assert claim.p_value == pytest.approx(0.25)
    assert claim.verdict == "supported"


def test_sides_of_several_cells_are_averaged() -> None:
    """On average the gated cells need 4 and 6 clusters, 6 and 8 fewer than srn."""
    claims = check_claims(table(srn=[10, 14], mgu=[3, 4], gru=[4, 5], lstm=[5, 9]))
    (claim,) = [claim for claim in claims if claim.text.startswith("gates help")]
    assert claim.difference.mean == pytest.approx(7)
    assert claim.p_value == pytest.approx(0.5)


@few
@given(numbers())
def test_the_interval_is_that_of_the_paired_t_test(made: pd.DataFrame) -> None:
    for claim in check_claims(made):
        fewer, more = CLAIMS[claim.text]
        left, right = made.loc[list(fewer)].mean(), made.loc[list(more)].mean()
        if np.ptp(right - left) > 0:  # scipy warns where there is nothing to be uncertain of
            low, high = stats.ttest_rel(right, left).confidence_interval(0.95)
            assert claim.difference.mean == pytest.approx((low + high) / 2)
            assert claim.difference.half_width == pytest.approx((high - low) / 2)


@few
@given(numbers())
def test_p_is_the_share_of_signs_that_lead_as_far_from_zero(made: pd.DataFrame) -> None:
    for claim in check_claims(made):
        fewer, more = (made.loc[list(cells)].sum() for cells in CLAIMS[claim.text])
        sides = [len(cells) for cells in CLAIMS[claim.text]]
        differences = (
            more * sides[0] - fewer * sides[1]
        ).tolist()  # whole numbers, so that ties are ties
        sums = [
            sum(sign * difference for sign, difference in zip(signs, differences, strict=True))
            for signs in itertools.product((1, -1), repeat=len(differences))
        ]
        assert claim.p_value == pytest.approx(
            np.mean([abs(total) >= abs(sum(differences)) for total in sums])
        )


@pytest.mark.parametrize(
    ("mean", "half_width", "verdict"),
    [
        (8.0, 2.5, "supported"),
        (-8.0, 2.5, "contradicted"),
        (2.0, 2.5, "undecided"),
        (-2.0, 2.5, "undecided"),
        (2.5, 2.5, "undecided"),
        (0.0, 0.0, "undecided"),
        (5.0, 0.0, "supported"),
        (5.0, None, "undecided"),
    ],
)
def test_the_verdict_is_where_the_interval_lies(
    mean: float, half_width: float | None, verdict: str
) -> None:
    claim = Claim(text="", difference=Interval(mean=mean, half_width=half_width), p_value=1.0)
    assert claim.verdict == verdict


@few
@given(numbers())
def test_turned_round_the_numbers_support_what_they_contradicted(made: pd.DataFrame) -> None:
    opposite = {"supported": "contradicted", "contradicted": "supported", "undecided": "undecided"}
    for one, two in zip(check_claims(made), check_claims(-made), strict=True):
        assert one.difference.mean == -two.difference.mean
        assert one.p_value == pytest.approx(two.p_value)
        assert opposite[one.verdict] == two.verdict


def test_equal_numbers_decide_nothing() -> None:
    claims = check_claims(table(**{cell: [5, 6] for cell in CELLS}))
    assert {(claim.verdict, claim.p_value) for claim in claims} == {("undecided", 1.0)}
    assert [claim.text for claim in claims] == list(CLAIMS)


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        (("mgu", "gru"), ["mgu needs fewer clusters than gru"]),
        (("lstm", "gru"), ["fewer gates are better: gru needs fewer than lstm"]),
        (("sru", "mingru"), ["fewer gates are better: mingru needs fewer than sru"]),
        (("srn", "gru"), []),
        (("srn", "gru", "lstm"), ["fewer gates are better: gru needs fewer than lstm"]),
    ],
)
def test_a_claim_of_a_cell_that_is_missing_is_skipped(
    cells: tuple[str, ...], texts: list[str]
) -> None:
    assert [
        claim.text for claim in check_claims(table(**{cell: [3, 4] for cell in cells}))
    ] == texts


def test_a_trial_that_one_of_the_cells_lacks_takes_no_part() -> None:
    whole = table(srn=[9, 8, 7], mgu=[3, 2, 4], gru=[5, 6, 5])
    lacking = whole.astype(float)
    lacking.loc["mgu", 1] = np.nan
    pairs = zip(check_claims(whole.drop(columns=1)), check_claims(lacking), strict=True)
    assert all(one.text == two.text and one.difference == two.difference for one, two in pairs)
    lacking.loc["mgu", 0] = np.nan
    assert [claim.text for claim in check_claims(lacking)] == []


def test_one_trial_tests_nothing() -> None:
    assert check_claims(table(srn=[9], mgu=[3])) == []


def test_the_same_numbers_give_the_same_p_however_many_the_trials() -> None:
    numbers = np.random.default_rng(0).integers(2, 65, (4, 20))
    table = pd.DataFrame(numbers, index=["srn", "mgu", "gru", "lstm"])
    assert [claim.p_value for claim in check_claims(table)] == [
        claim.p_value for claim in check_claims(table)
    ]
