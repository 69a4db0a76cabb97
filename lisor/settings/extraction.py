"""The settings of extraction."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lisor.errors import ConfigError
from lisor.registry import BASELINES, DISTRIBUTION_BASELINES, PAPER_RULE, RULES
from lisor.settings.base import LARGEST, Choice, Settings, different

MAX_STATES = 100_000

REFINED_STATES = 64
"""To how many states a searched automaton grows where the settings name no bound."""


def _different_or_none(names: tuple[str, ...]) -> tuple[str, ...]:
    return different(names) if names else names


class ExtractionSettings(Settings):
    """How automata are read off clusters, and what they are compared with."""

    SECTION = "extraction"
    REPLACED = {  # noqa: RUF012  # a class variable of the base
        f"{name}_seconds": f"set extraction.{name}_steps, a number of symbols that the network "
        f"reads"
        for name in ("search", "baseline")
    }

    rules: Annotated[tuple[Annotated[str, Choice(RULES.keys)], ...], AfterValidator(different)] = (
        Field(
            default=(PAPER_RULE,),
            description="the rules, each of which makes automata of its own; refined and distilled "
            "search for better ones from the largest k, half of it, and so on, queried once",
        )
    )
    unseen: Literal["auto", "reject", "stay"] = Field(
        default="auto",
        description="where majority sends what was never seen: reject, to a rejecting sink, stay, "
        "nowhere; auto is reject for languages, else stay",
    )
    most_states: int | None = Field(
        default=None,
        ge=2,
        le=MAX_STATES,
        description="larger automata are not selected, and searches do not go beyond; without it "
        f"refined and queried ones grow to {REFINED_STATES}",
        examples=[12],
    )
    search_steps: int = Field(
        default=50_000_000,
        ge=1,
        le=LARGEST,
        description="symbols that the network reads for a search",
    )
    baselines: Annotated[
        tuple[Annotated[str, Choice(lambda: (*BASELINES, *DISTRIBUTION_BASELINES))], ...],
        AfterValidator(_different_or_none),
    ] = Field(
        default=(),
        description="other learners (AALpy's) that are given the first trial of each cell on "
        "languages, or, with dataset.target next, alergia, which is given the training sequences",
        examples=[["lstar", "rpni"]],
    )
    baseline_steps: int = Field(
        default=1_000_000,
        ge=1,
        le=LARGEST,
        description="symbols that the network reads for each of them",
    )

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        if not any(RULES[rule].deterministic for rule in self.rules):
            raise ConfigError(
                f"extraction.rules needs another rule beside {', '.join(self.rules)}: only "
                f"deterministic automata are selected"
            )
        return self
