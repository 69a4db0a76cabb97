"""The settings of explanations."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lisor.settings.base import LARGEST_SEED, NOT_IN_KEY, Settings

MAX_EXAMPLES = 10_000


class ExplainSettings(Settings):
    """Whether networks are explained beside their automata, the first trial of each cell."""

    SECTION = "explain"

    enabled: Annotated[bool, NOT_IN_KEY] = Field(default=False, description="explain them")
    examples: int = Field(
        default=12, ge=1, le=MAX_EXAMPLES, description="sequences of the test split that are shown"
    )
    annotations: Annotated[str | None, NOT_IN_KEY] = Field(
        default=None,
        description="a CSV file with a person's notes on hidden units: unit, note",
        examples=["notes.csv"],
    )
    seed: int = Field(
        default=0, ge=0, le=LARGEST_SEED, description="of what is drawn for explanations"
    )
