"""All that explains one trained network beside its automaton, as one value.

Shapes: N sequences, F shares of a sequence, E steps before the end."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float
from pydantic import TypeAdapter

from lisor.data.dataset import Dataset
from lisor.errors import SchemaError
from lisor.explain.agreement import Agreement, agreement
from lisor.explain.attention import attention
from lisor.explain.examples import Example
from lisor.explain.gradients import CLOSE, GRADIENTS, Attributions, attribute, decisiveness, reach
from lisor.explain.neurons import Unit, units
from lisor.explain.steps import Steps, walk
from lisor.fsa.automaton import Automaton
from lisor.randomness import stream_seed
from lisor.rnn.classifier import TrainedModel
from lisor.rnn.hidden_states import Points

SCHEMA = 1
"""Version of the JSON written by `Explanation.to_json`."""

MOST_SEQUENCES = 1000
"""Of the test split, from the first, by which methods of attribution are judged."""

SHARES = tuple(np.linspace(0, 1, 11).tolist())
"""Of a sequence's symbols: where deletion and insertion curves are taken."""

RANDOM_DRAWS = 5
"""Random orders of deletion, to hold an attribution's against."""

MOST_BACK = 60
"""Steps before the end up to which a network's reach is shown."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """How a method of attribution does on a network.

    `deletion` and `insertion` are mean probabilities at `SHARES`; `gain` is by how much the area under the deletion
    curve of a random order is larger than that of the method's, mean over sequences, with its 95 % half-width
    `gain_width`: a method finds what decides where all of that interval is above 0. `close` is the share of sequences
    whose attributions add up to the margin within 1 %, of integrated gradients alone. `reach` holds quartiles."""

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
        """Whether the symbols that it points at decide more than random ones."""
        return self.gain > self.gain_width


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One example: its kind, its row in the test split, and its steps."""

    kind: str
    row: int
    steps: Steps


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A network explained: methods of attribution judged, beside random deletion and insertion; its units; examples
    step by step."""

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
    """The explanation of a network beside an automaton of it.

    `points` are the steps of the validation split, `examples` rows of the test split, `notes` a person's own of units,
    by number."""
    test = dataset.splits["test"]
    some = np.flatnonzero(test.sequences.lengths > 0)[:MOST_SEQUENCES]
    sequences = test.sequences.select(some)
    found = [attribute(model, sequences, method) for method in GRADIENTS]
    if model.architecture.pools:
        found.append(attention(model, sequences))
    deleted, inserted = (_random(model, found[0], kept=kept, seed=seed) for kept in (False, True))
    shown = [
        Shown(
            kind=it.kind,
            row=it.row,
            steps=walk(model, automaton, test.sequences[it.row], label=int(test.labels[it.row])),
        )
        for it in examples
    ]
    return Explanation(
        methods=tuple(_judge(model, automaton, own, deleted, seed) for own in found),
        random_deletion=tuple(deleted.mean(axis=1).tolist()),
        random_insertion=tuple(inserted.mean(axis=1).tolist()),
        units=units(model, dataset, points, automaton, notes, seed=seed),
        examples=tuple(shown),
    )


def _random(model: TrainedModel, attributions: Attributions, *, kept: bool, seed: int) -> Float[np.ndarray, "F N"]:
    """The curves of each sequence when symbols are left out, or kept, at random: the mean of some draws."""
    seeds = [stream_seed(seed, "random curves", draw) for draw in range(RANDOM_DRAWS)]
    draws = [decisiveness(model, attributions, np.array(SHARES), kept=kept, seed=own) for own in seeds]
    mean: Float[np.ndarray, "F N"] = np.mean(draws, axis=0)
    return mean


def _judge(
    model: TrainedModel, automaton: Automaton, own: Attributions, random: Float[np.ndarray, "F N"], seed: int
) -> Judged:
    deletion = decisiveness(model, own, np.array(SHARES), kept=False)
    gains = np.trapezoid(random - deletion, SHARES, axis=0)
    return Judged(
        method=own.method,
        deletion=tuple(deletion.mean(axis=1).tolist()),
        insertion=tuple(decisiveness(model, own, np.array(SHARES), kept=True).mean(axis=1).tolist()),
        gain=float(gains.mean()),
        gain_width=float(1.96 * gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else math.nan,
        agreement=agreement(automaton, own, seed=seed),
        close=None if own.misses is None else float((own.misses <= CLOSE).mean()),
        reach=tuple(map(tuple, reach(own, MOST_BACK).tolist())),
    )
