"""How well a network, its automata and n-grams detect anomalies.

Shapes: N sequences, M positions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from lisor.anomalies.detections import NETWORK, NGRAM
from lisor.anomalies.score import Score, is_above, threshold_of
from lisor.automata.automaton import Automaton
from lisor.automata.distributions import Distributions
from lisor.data.dataset import Split
from lisor.errors import DataError
from lisor.evaluation import ngrams
from lisor.evaluation.choice import SELECTION
from lisor.extraction.extraction import Extraction
from lisor.networks.hidden_states import Predictions
from lisor.registry import SCORES

TEST_SETS = ("test", "unseen")
"""The splits with anomalies: all test sequences, and those that training did not have."""

BIGRAM = 2
"""The order of an n-gram that every automaton with a state for each last symbol can be."""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """How well one detector does on one test set.

    `detector` is an automaton's method, or says that it is the network or an n-gram; then rule, k
    and number of states are None. `n` counts sequences, `anomalies` those that are no normal ones.
    `precision` is the share of alarms that are anomalies (NaN where there are none), `recall` that
    of anomalies with an alarm, `f1` their harmonic mean, `false_alarms` the share of normal
    sequences with an alarm; on the selection split it was at most as many as `allowed`."""

    detector: str
    rule: str | None
    k: int | None
    n_states: int | None
    score: str
    threshold: float
    allowed: float
    test_set: str
    n: int
    anomalies: int
    precision: float
    recall: float
    f1: float
    false_alarms: float


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Precision, recall, F1 and the share of normal sequences with an alarm."""

    precision: float
    recall: float
    f1: float
    false_alarms: float

    @classmethod
    def of(cls, alarms: Bool[np.ndarray, " N"], anomalous: Bool[np.ndarray, " N"]) -> Rates:
        """Those of the alarms on sequences of which these are anomalous."""
        hits, raised, count = (int(one.sum()) for one in (alarms & anomalous, alarms, anomalous))
        normal = len(anomalous) - count
        return cls(
            precision=hits / raised if raised else float("nan"),
            recall=hits / count if count else float("nan"),
            f1=2 * hits / (raised + count) if raised + count else float("nan"),
            false_alarms=(raised - hits) / normal if normal else float("nan"),
        )


def detect(
    extractions: Iterable[Extraction],
    splits: Mapping[str, Split],
    predictions: Mapping[str, Predictions],
    *,
    scores: Sequence[str],
    false_alarms: float,
    symbols: int,
) -> list[Detection]:
    """A row for each detector, score and test set: the network of the `predictions`, two n-grams of
    training (the best on validation, and pairs), and every deterministic automaton. Thresholds are
    set on the selection split, which has normal sequences alone.

    Raises:
        DataError: it is not known which test sequences are anomalies."""
    if splits["test"].anomalous is None:
        raise DataError(
            "expected test sequences that are known to be normal or not; set dataset.normal"
        )
    names = (SELECTION, *(name for name in TEST_SETS if name in splits))
    parts = {name: splits[name] for name in names}
    known = {name: Distributions.rows(predictions[name].probabilities) for name in names}
    rows = list(_rows({"detector": NETWORK}, known, parts, scores, false_alarms))
    train, validation = (splits[name].sequences for name in ("train", "validation"))
    best = ngrams.best(train, validation, symbols)
    orders = {best.order: best, BIGRAM: ngrams.NGram.fit(train, symbols, BIGRAM)}
    for order, ngram in sorted(orders.items()):
        expected = {name: ngram.distributions(part.sequences) for name, part in parts.items()}
        rows += _rows({"detector": f"{order}{NGRAM}"}, expected, parts, scores, false_alarms)
    for extraction in extractions:
        automaton = extraction.automaton
        if not isinstance(automaton, Automaton):
            continue
        identity = {
            "detector": extraction.method,
            "rule": extraction.rule,
            "k": extraction.k,
            "n_states": automaton.n_states,
        }
        expected = {
            name: Distributions.of(automaton, part.sequences) for name, part in parts.items()
        }
        rows += _rows(identity, expected, parts, scores, false_alarms)
    return rows


def _rows(
    identity: Mapping[str, str | int | None],
    expected: Mapping[str, Distributions],
    splits: Mapping[str, Split],
    scores: Sequence[str],
    false_alarms: float,
) -> Iterator[Detection]:
    """The detections of one detector by each score."""
    whole: dict[str, str | int | None] = {"rule": None, "k": None, "n_states": None, **identity}
    for name in scores:
        score: Score = SCORES[name](name)
        values = {
            split: _of_sequences(score, expected[split], part) for split, part in splits.items()
        }
        threshold = threshold_of(values[SELECTION], false_alarms)
        for test_set in (one for one in splits if one != SELECTION):
            anomalous = splits[test_set].anomalous
            if anomalous is None:
                continue
            rates = Rates.of(is_above(values[test_set], threshold), anomalous)
            yield Detection(
                **whole,  # type: ignore[arg-type]
                score=name,
                threshold=threshold,
                allowed=false_alarms,
                test_set=test_set,
                n=len(anomalous),
                anomalies=int(anomalous.sum()),
                **vars(rates),
            )


def _of_sequences(score: Score, expected: Distributions, split: Split) -> Float[np.ndarray, " N"]:
    """The score of each sequence of a split."""
    return score.sequences(score.events(expected, split.labels), split.positions.offsets)
