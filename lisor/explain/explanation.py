"""The explanation of one trained network beside its automaton.

Shapes: N sequences, F shares of a sequence, E steps before the end."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float
from pydantic import TypeAdapter

from lisor.automata.automaton import Automaton
from lisor.data.dataset import Dataset
from lisor.errors import SchemaError
from lisor.explain.agreement import Agreement, agreement
from lisor.explain.attention import attention
from lisor.explain.examples import Example
from lisor.explain.gradients import CLOSE, GRADIENTS, Attributions, attribute, reach, removal_curve
from lisor.explain.steps import Steps, read_steps
from lisor.explain.units import Unit, units
from lisor.networks.hidden_states import Points
from lisor.networks.trained import TrainedModel
from lisor.randomness import stream_seed

SCHEMA = 1
"""Version of the JSON written by `Explanation.to_json`."""

MAX_SEQUENCES = 1000
"""Sequences of the test split, from the first, by which methods of attribution are compared."""

SHARES = tuple(np.linspace(0, 1, 11).tolist())
"""The shares of a sequence's symbols at which deletion and insertion curves are computed."""

RANDOM_DRAWS = 5
"""Random orders of deletion with which an attribution's is compared."""

MAX_BACK = 60
"""The most steps before the end for which a network's reach is shown."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The quality of a method of attribution on a network.

    `deletion` and `insertion` are mean probabilities at `SHARES`. `gain` is the area between the
    deletion curves of a random order and of the method, mean over sequences, with its 95 %
    confidence interval ± `gain_width`. `close` is the share of sequences whose completeness error
    is at most `CLOSE`, for integrated gradients alone. `reach` holds quartiles."""

    method: str
    deletion: tuple[float, ...]
    insertion: tuple[float, ...]
    gain: float
    gain_width: float
    agreement: Agreement
    close: float | None
    reach: tuple[tuple[float, ...], ...]

    @property
    def finds(self) -> bool:
        """Whether the method beats a random order: all of the gain's interval is above 0."""
        return self.gain > self.gain_width


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One example: its kind, its row in the test split, and its steps."""

    kind: str
    row: int
    steps: Steps


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A network's methods of attribution beside random deletion and insertion, its units, and
    examples step by step."""

    methods: tuple[Judged, ...]
    random_deletion: tuple[float, ...]
    random_insertion: tuple[float, ...]
    units: tuple[Unit, ...]
    examples: tuple[Shown, ...]

    def to_json(self) -> str:
        """The explanation as JSON text of schema 1."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Explanation:
        """The explanation that `to_json` wrote.

        Raises:
            SchemaError: it was written by another version."""
        about = json.loads(text)
        if about.pop("schema") != SCHEMA:
            raise SchemaError("the explanation was written by another version; run it again")
        return TypeAdapter(cls).validate_python(about)


def explain(
    model: TrainedModel,
    automaton: Automaton,
    dataset: Dataset,
    points: Points,
    examples: Sequence[Example],
    notes: Mapping[int, str],
    *,
    seed: int = 0,
) -> Explanation:
    """The explanation of a network beside its automaton.

    `points` are the steps of the validation split, `examples` rows of the test split, `notes` a
    person's on units, by number."""
    test = dataset.splits["test"]
    sequences = test.sequences.select(np.flatnonzero(test.sequences.lengths > 0)[:MAX_SEQUENCES])
    attributions = [attribute(model, sequences, method) for method in GRADIENTS]
    if model.architecture.pools:
        attributions.append(attention(model, sequences))
    deleted, inserted = (
        _random_curves(model, attributions[0], kept=kept, seed=seed) for kept in (False, True)
    )
    return Explanation(
        methods=tuple(_judge(model, automaton, each, deleted, seed) for each in attributions),
        random_deletion=tuple(deleted.mean(axis=1).tolist()),
        random_insertion=tuple(inserted.mean(axis=1).tolist()),
        units=units(model, dataset, points, automaton, notes, seed=seed),
        examples=tuple(
            Shown(
                kind=example.kind,
                row=example.row,
                steps=read_steps(
                    model,
                    automaton,
                    test.sequences[example.row],
                    label=int(test.labels[example.row]),
                ),
            )
            for example in examples
        ),
    )


def _random_curves(
    model: TrainedModel, attributions: Attributions, *, kept: bool, seed: int
) -> Float[np.ndarray, "F N"]:
    """The curve of each sequence when symbols are removed, or kept, in random order: the mean of
    `RANDOM_DRAWS`."""
    draws = [
        removal_curve(
            model,
            attributions,
            np.array(SHARES),
            kept=kept,
            seed=stream_seed(seed, "random curves", draw),
        )
        for draw in range(RANDOM_DRAWS)
    ]
    return np.asarray(np.mean(draws, axis=0))


def _judge(
    model: TrainedModel,
    automaton: Automaton,
    attributions: Attributions,
    random: Float[np.ndarray, "F N"],
    seed: int,
) -> Judged:
    deletion, insertion = (
        removal_curve(model, attributions, np.array(SHARES), kept=kept) for kept in (False, True)
    )
    gains = np.trapezoid(random - deletion, SHARES, axis=0)
    errors = attributions.completeness_errors
    return Judged(
        method=attributions.method,
        deletion=tuple(deletion.mean(axis=1).tolist()),
        insertion=tuple(insertion.mean(axis=1).tolist()),
        gain=float(gains.mean()),
        gain_width=float(1.96 * gains.std(ddof=1) / np.sqrt(len(gains)))
        if len(gains) > 1
        else math.nan,
        agreement=agreement(automaton, attributions, seed=seed),
        close=None if errors is None else float((errors <= CLOSE).mean()),
        reach=tuple(map(tuple, reach(attributions, MAX_BACK).tolist())),
    )
