"""Tables of detections: a row for each detector, score and test set.

`lisor.anomalies.evaluation.Detection` describes the columns."""

from __future__ import annotations

import pandas as pd

NETWORK, NGRAM = "network", "-gram"
"""What detectors without an automaton are called; that of n-grams begins with their order."""


def of_automaton(detections: pd.DataFrame, automaton: pd.Series) -> pd.DataFrame:
    """The detections by an automaton, of which a row of results has method, rule and k."""
    is_it = (
        (detections["detector"] == automaton["method"])
        & (detections["rule"] == automaton["rule"])
        & (detections["k"] == int(automaton["k"]))
    )
    return detections[is_it.fillna(value=False)]
