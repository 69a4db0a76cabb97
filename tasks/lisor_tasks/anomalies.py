"""Tasks that detect anomalies with a network, its automata and n-grams.

Tasks import what they need inside, so that a run from the cache does not load torch and
scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pandas as pd

from lisor.settings.anomalies import AnomaliesSettings
from lisor_tasks.artifacts import Ref, open_artifact
from lisor_tasks.caching import cached
from lisor_tasks.data import read_dataset

_DETECTIONS = "anomalies.parquet"


@cached("anomalies", name="detect anomalies {execution.label}")
def detect_anomalies(
    folder: Path, states: Ref, dataset: Ref, automata: Sequence[Ref], settings: AnomaliesSettings
) -> None:
    """How well the network that left the hidden states, each of its automata and n-grams detect the
    anomalies of the test splits."""
    from lisor.anomalies import evaluation
    from lisor.extraction import extraction
    from lisor.networks.hidden_states import HiddenStates

    data = read_dataset(dataset)
    rows = evaluation.detect(
        chain.from_iterable(extraction.read(open_artifact(ref)) for ref in automata),
        data.splits,
        HiddenStates(folder=open_artifact(states)).predictions(),
        scores=settings.scores,
        false_alarms=settings.false_alarms,
        symbols=len(data.alphabet),
    )
    table = pd.DataFrame(
        [vars(row) for row in rows], columns=list(evaluation.Detection.__annotations__)
    )
    table.astype({"k": "Int64", "n_states": "Int64"}).to_parquet(folder / _DETECTIONS, index=False)


def read_detections(detections: Ref) -> pd.DataFrame:
    """A row for each detector, score and test set, as `Detection` describes it."""
    return pd.read_parquet(open_artifact(detections) / _DETECTIONS)
