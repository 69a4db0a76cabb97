from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from lisor.data.lexicon import valences


def test_the_lexicon_is_that_of_vader() -> None:
    assert valences() == SentimentIntensityAnalyzer().lexicon


def test_ratings_run_from_minus_four_to_four_and_none_is_neutral() -> None:
    ratings = valences().values()
    assert -4 <= min(ratings) < 0 < max(ratings) <= 4
    assert 0 not in ratings


def test_good_is_positive_and_bad_is_negative() -> None:
    assert valences()["good"] > 0 > valences()["bad"]
    assert "film" not in valences()
