"""Alarms as a table: a row for each sequence, with the reason where there is an alarm.

Shapes: N sequences."""

from __future__ import annotations

import pyarrow as pa

from lisor.anomalies.detector import Detector
from lisor.sequences import Sequences

SCHEMA = pa.schema(
    [
        ("alarm", pa.bool_()),
        ("score", pa.float64()),
        ("step", pa.int32()),
        ("state", pa.int32()),
        ("expected", pa.string()),
        ("came", pa.string()),
        ("probability", pa.float64()),
    ]
)
"""The columns of alarms; those after the score are null where there is none."""


def as_table(detector: Detector, sequences: Sequences) -> pa.Table:
    """Whether there is an alarm for each of N sequences, its score and why, a table of `SCHEMA`."""
    alarms = {alarm.sequence: alarm for alarm in detector.alarms(sequences)}
    rows = []
    for row, score in enumerate(detector.scores(sequences).tolist()):
        alarm = alarms.get(row)
        fields = {"alarm": alarm is not None, "score": score}
        if alarm is not None:
            fields |= {
                "step": alarm.step,
                "state": alarm.state,
                "expected": alarm.expectation,
                "came": alarm.came,
                "probability": alarm.probability,
            }
        rows.append(fields)
    return pa.Table.from_pylist(rows, schema=SCHEMA)
