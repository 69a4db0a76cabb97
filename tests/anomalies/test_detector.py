"""Detectors: thresholds, alarms with their reasons, and files."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.anomalies.alarms import SCHEMA, as_table
from lisor.anomalies.detector import Detector, read_detector
from lisor.anomalies.evaluation import Rates
from lisor.anomalies.score import is_above, threshold_of
from lisor.automata.automaton import Automaton
from lisor.automata.distributions import Distributions
from lisor.automata.pdfa import make_pdfa
from lisor.errors import AutomatonError
from lisor.evaluation.ngrams import NGram
from lisor.registry import SCORES
from lisor.sequences import Sequences
from lisor.targets.next import following

SHARES = np.array([[0.7, 0.2, 0.1], [0.05, 0.05, 0.9]])
"""Of a, b and the end, in a state before any a and in one after it."""

numbers = st.lists(st.floats(-5, 5), min_size=1, max_size=40)


@pytest.fixture
def pdfa() -> Automaton:
    return make_pdfa("ab", np.array([[1, 0], [1, 1]]), SHARES)


@given(numbers, st.floats(0, 0.99))
def test_at_most_the_share_of_normal_sequences_has_an_alarm(
    scores: list[float], false_alarms: float
) -> None:
    values = np.array(scores)
    threshold = threshold_of(values, false_alarms)
    assert is_above(values, threshold).mean() <= false_alarms + 1e-9


@given(numbers, st.floats(0, 0.99))
def test_no_lower_score_would_do(scores: list[float], false_alarms: float) -> None:
    values = np.array(scores)
    threshold = threshold_of(values, false_alarms)
    lower = values[values < threshold]
    if len(lower):
        assert (values > lower.max()).mean() > false_alarms - 1e-9


def test_the_rank_counts_the_events_that_are_more_likely() -> None:
    expected = Distributions(table=SHARES, index=np.array([0, 0, 0, 1]))
    assert SCORES["rank"]("rank").events(expected, np.array([0, 1, 2, 1])).tolist() == [1, 2, 3, 2]


def test_an_alarm_says_where_it_was_and_what_was_expected(pdfa: Automaton) -> None:
    detector = Detector(
        automaton=pdfa, score="least-probability", threshold=-np.log(0.07), false_alarms=0.0
    )
    words = Sequences.from_lists([[0], [1, 0, 1, 0], []])
    (alarm,) = detector.alarms(words)
    assert detector.is_anomaly(words).tolist() == [False, True, False]
    assert (alarm.sequence, alarm.step, alarm.state) == (1, 3, 1)
    assert alarm.expected == (("<end>", 0.9), ("a", 0.05), ("b", 0.05))
    assert (alarm.came, alarm.probability) == ("b", 0.05)
    assert detector.condition == "the probability of an event is below 0.07"


def test_the_mean_of_a_sequence_may_be_strange_without_a_strange_event(pdfa: Automaton) -> None:
    detector = Detector(automaton=pdfa, score="mean-probability", threshold=1.0, false_alarms=0.0)
    words = Sequences.from_lists([[1, 1, 1, 1]])
    (alarm,) = detector.alarms(words)
    logs = Distributions.of(pdfa, words).log_probabilities(following(words, 2))
    assert alarm.score == pytest.approx(-logs.mean())


@pytest.mark.parametrize("score", SCORES)
def test_a_detector_is_the_same_after_it_was_written_and_read(
    score: str, pdfa: Automaton, tmp_path: Path
) -> None:
    words = Sequences.from_lists([[0], [1, 0, 1, 0], [], [1, 1]])
    whole = Detector(automaton=pdfa, score=score, threshold=1.0, false_alarms=0.01)
    threshold = threshold_of(whole.scores(words), 0.25)
    detector = Detector(automaton=pdfa, score=score, threshold=threshold, false_alarms=0.01)
    (tmp_path / "a.json").write_text(detector.to_json())
    read = read_detector(tmp_path / "a.json")
    assert read == detector
    assert as_table(read, words) == as_table(detector, words)
    assert as_table(read, words).schema == SCHEMA


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": "nearest"}, "expected one of the scores"),
        ({"threshold": "high"}, "'threshold' to be a number"),
        ({"threshold": None}, "'threshold' to be a number"),
        ({"automaton": []}, "expected an automaton"),
    ],
)
def test_what_is_no_detector_is_refused(
    change: dict[str, object], message: str, pdfa: Automaton
) -> None:
    whole = Detector(automaton=pdfa, score="rank", threshold=2.0, false_alarms=0.01)
    with pytest.raises(AutomatonError, match=message):
        Detector.from_json(json.dumps(json.loads(whole.to_json()) | change))
    with pytest.raises(AutomatonError, match="expected a detector, a JSON object"):
        Detector.from_json(pdfa.to_json())


def test_an_automaton_of_classes_detects_nothing() -> None:
    automaton = Automaton(
        alphabet="ab", classes=("no", "yes"), transitions=np.array([[0, 0]]), outputs=np.array([1])
    )
    with pytest.raises(AutomatonError, match="of the target 'next' predicts, got one of 'class'"):
        Detector(automaton=automaton, score="rank", threshold=2.0, false_alarms=0.01)


def test_rates_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import f1_score, precision_score, recall_score

    rng = np.random.default_rng(0)
    alarms, anomalous = rng.random(60) < 0.4, rng.random(60) < 0.3
    rates = Rates.of(alarms, anomalous)
    assert rates.precision == pytest.approx(precision_score(anomalous, alarms))
    assert rates.recall == pytest.approx(recall_score(anomalous, alarms))
    assert rates.f1 == pytest.approx(f1_score(anomalous, alarms))
    assert rates.false_alarms == pytest.approx(alarms[~anomalous].mean())


def test_without_alarms_there_is_no_precision() -> None:
    none, half = np.zeros(4, bool), np.array([True, True, False, False])
    assert np.isnan(Rates.of(none, half).precision)
    assert Rates.of(none, half).recall == 0


def test_distributions_of_ngrams_are_those_of_what_came() -> None:
    words = Sequences.from_lists([[0, 1, 1], [1, 0], [], [0, 0, 0, 1]])
    ngram = NGram.fit(words.select(np.array([0, 1, 2])), 2, 3)
    expected = ngram.distributions(words)
    assert np.allclose(expected.table.sum(axis=1), 1)
    logs = expected.log_probabilities(following(words, 2))
    assert np.allclose(logs, ngram.log_probabilities(words))
