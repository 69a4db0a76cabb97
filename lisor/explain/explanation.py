"""The explanation of one trained network beside its automaton.

Shapes: N sequences, C classes or numbers, F shares of a sequence, E steps before the end."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float
from pydantic import TypeAdapter

from lisor.automata.automaton import Automaton
from lisor.data.dataset import Dataset, Split
from lisor.errors import ModelError, SchemaError
from lisor.explain.agreement import Agreement, agreement
from lisor.explain.attention import attention
from lisor.explain.attributions import Attributions, reach, removal_curve
from lisor.explain.examples import Example
from lisor.explain.gradients import CLOSE, GRADIENTS, attribute
from lisor.explain.parameters import Parameter, parameter_gradients
from lisor.explain.removal import affordable, remove
from lisor.explain.score import draw_positions, predictions_after, score_of
from lisor.explain.steps import Steps, differentiable, read_steps
from lisor.explain.units import Unit, units
from lisor.networks.hidden_states import Points
from lisor.networks.network import Differentiable, Network
from lisor.networks.trained import TrainedModel
from lisor.randomness import stream
from lisor.sequences import Sequences

SCHEMA = 3
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

    `deletion` and `insertion` are means at `SHARES` of what is left of a prediction: the
    probability of its class, or for numbers less the distance, in standard deviations. `gain` is
    the area between the deletion curves of a random order and of the method, mean over sequences,
    with its 95 % confidence interval ± `gain_width`, of so many `sequences`. `close` is the share
    of sequences whose completeness error is at most `CLOSE`, for integrated gradients alone.
    `reach` holds quartiles."""

    method: str
    deletion: tuple[float, ...]
    insertion: tuple[float, ...]
    gain: float
    gain_width: float
    agreement: Agreement
    close: float | None
    sequences: int
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
    """A network's methods of attribution beside random deletion and insertion, the gradients of its
    parameters, its units, and examples step by step.

    `absent` has a sentence for each analysis that does not apply to the network."""

    methods: tuple[Judged, ...]
    random_deletion: tuple[float, ...]
    random_insertion: tuple[float, ...]
    parameters: tuple[Parameter, ...]
    units: tuple[Unit, ...]
    examples: tuple[Shown, ...]
    absent: tuple[str, ...]

    def to_json(self) -> str:
        """The explanation as JSON text of schema 3."""
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
    network: Network,
    automaton: Automaton,
    dataset: Dataset,
    points: Points,
    examples: Sequence[Example],
    notes: Mapping[int, str],
    *,
    seed: int = 0,
) -> Explanation:
    """The explanation of a network beside its automaton.

    `points` are the steps of the validation split, `examples` predictions of the test split,
    `notes` a person's on units, by number. Where a network predicts after each symbol, methods of
    attribution are compared at a position of each sequence that is drawn."""
    test = dataset.splits["test"]
    sequences = _explained(test.sequences, network.target, seed)
    through, without = differentiable(network)
    absent, attributions = list[str](), list[Attributions]()
    parameters: tuple[Parameter, ...] = ()
    if through is None:
        absent.append(without)
    else:
        attributions += [attribute(network, through, sequences, method) for method in GRADIENTS]
        validation = dataset.splits["validation"]
        parameters = parameter_gradients(network, through, validation, seed=seed)
    attributions.append(remove(network, affordable(sequences)))
    try:
        attributions.append(attention(network, sequences))
    except ModelError:
        if not network.attends:
            absent.append(f"Attention: {network.name} does not weigh its steps by attention.")
    if not isinstance(network, TrainedModel):
        absent.append("Gates: only those of networks that were trained here are known.")
    whole = predictions_after(network, sequences)
    deleted, inserted = (
        _random_curves(network, sequences, whole, kept=kept, seed=seed) for kept in (False, True)
    )
    described = units(network, dataset, points, automaton, notes, seed=seed)
    if len(described) < network.units:
        absent.append(
            f"Units: of {network.units:,} units the {len(described)} that move most are described."
        )
    return Explanation(
        methods=tuple(_judge(network, automaton, each, deleted, seed) for each in attributions),
        random_deletion=tuple(deleted.mean(axis=1).tolist()),
        random_insertion=tuple(inserted.mean(axis=1).tolist()),
        parameters=parameters,
        units=described,
        examples=tuple(_show(network, through, automaton, test, example) for example in examples),
        absent=tuple(absent),
    )


def _explained(sequences: Sequences, target: str, seed: int) -> Sequences:
    """What is read of the first sequences, as many as are compared, where they are explained."""
    read = draw_positions(sequences, target, seed)
    rows = np.flatnonzero(read > 0)[:MAX_SEQUENCES]
    return sequences.cut(sequences.offsets[:-1][rows], read[rows])


def _show(
    network: Network,
    through: Differentiable | None,
    automaton: Automaton,
    test: Split,
    example: Example,
) -> Shown:
    """An example, step by step."""
    row = np.array([example.row])
    positions = test.positions.of_sequences(row)
    at = positions[test.positions.read[positions] == example.read][0]
    return Shown(
        kind=example.kind,
        row=example.row,
        steps=read_steps(
            network,
            through,
            automaton,
            test.sequences.select(row),
            read=example.read,
            label=test.labels[at].tolist(),
        ),
    )


def _random_curves(
    network: Network,
    sequences: Sequences,
    whole: Float[np.ndarray, "N C"],
    *,
    kept: bool,
    seed: int,
) -> Float[np.ndarray, "F N"]:
    """The curve of each sequence, with these predictions on the whole of it, when symbols are
    removed, or kept, in random order: the mean of `RANDOM_DRAWS`."""
    explained = score_of(network.target).explained(whole)
    draws = [
        removal_curve(
            network,
            Attributions(
                method="random",
                sequences=sequences,
                values=stream(seed, "random curves", draw).random(len(sequences.symbols)),
                explained=explained,
                whole=whole,
            ),
            np.array(SHARES),
            kept=kept,
        )
        for draw in range(RANDOM_DRAWS)
    ]
    return np.asarray(np.mean(draws, axis=0))


def _judge(
    network: Network,
    automaton: Automaton,
    attributions: Attributions,
    random: Float[np.ndarray, "F N"],
    seed: int,
) -> Judged:
    """How good attributions are of the first of the sequences whose `random` curves are given."""
    deletion, insertion = (
        removal_curve(network, attributions, np.array(SHARES), kept=kept) for kept in (False, True)
    )
    gains = np.trapezoid(random[:, : deletion.shape[1]] - deletion, SHARES, axis=0)
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
        sequences=len(gains),
        reach=tuple(map(tuple, reach(attributions, MAX_BACK).tolist())),
    )
