"""The settings of anomaly detection."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from lisor.registry import SCORES
from lisor.settings.base import Choice, Settings, different

Scores = Annotated[tuple[Annotated[str, Choice(SCORES.keys)], ...], AfterValidator(different)]


class AnomaliesSettings(Settings):
    """How sequences are called anomalies, where networks learn what is normal
    (`dataset.normal`)."""

    SECTION = "anomalies"

    scores: Scores = Field(
        default=("rank", "least-probability", "mean-probability"),
        description="by how strange a sequence is: the largest rank of an event that came among "
        "all that might have come (DeepLog's g most likely), its least probability, or the mean "
        "of all; each makes a detector of its own",
    )
    false_alarms: float = Field(
        default=0.01,
        ge=0,
        lt=1,
        allow_inf_nan=False,
        description="the largest share of normal sequences with an alarm, by which the threshold "
        "of each score is set on the selection split",
    )
