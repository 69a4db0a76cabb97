"""A detector of anomalies: an automaton of what follows in normal sequences, a score, and the
threshold above which a sequence is an anomaly.

Shapes: N sequences, M positions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from lisor.anomalies.score import Score, is_above
from lisor.automata.automaton import Automaton
from lisor.automata.distributions import Distributions
from lisor.automata.json_fields import unique_fields
from lisor.errors import AutomatonError, SchemaError, show
from lisor.files import read_text, reason, shorten
from lisor.registry import SCORES
from lisor.sequences import Sequences
from lisor.targets.next import following
from lisor.targets.positions import Positions

SCHEMA = 1
"""Version of the JSON written by `Detector.to_json`."""

SHOWN = 3
"""Expected events that an alarm names."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Why a sequence is an anomaly: its strangest event.

    `sequence` is its row and `score` its score, `step` the number of the event in it, from 1, the
    end included, `state` the automaton's state before it. `expected` are the most likely events
    there, with their probabilities, `came` is the event that came, of that `probability`."""

    sequence: int
    score: float
    step: int
    state: int
    expected: tuple[tuple[str, float], ...]
    came: str
    probability: float

    @property
    def expectation(self) -> str:
        """The expected events with their probabilities, in words."""
        return ", ".join(f"{symbol} {share:.3f}" for symbol, share in self.expected)


@dataclass(frozen=True, kw_only=True)
class Detector:
    """An automaton, the name of a score, and the threshold, with the share of `false_alarms` that
    it was set for.

    Raises:
        AutomatonError: the automaton does not predict what the score compares, there is no score of
            that name, or the threshold is no number."""

    automaton: Automaton
    score: str
    threshold: float
    false_alarms: float

    def __post_init__(self) -> None:
        if self.score not in SCORES:
            raise AutomatonError(
                f"expected one of the scores {', '.join(SCORES)}, got {show(self.score)}"
            )
        if self.automaton.target != SCORES[self.score].target:
            raise AutomatonError(
                f"the score {self.score!r} compares what an automaton of the target "
                f"{SCORES[self.score].target!r} predicts, got one of {self.automaton.target!r}"
            )
        if not np.isfinite(self.threshold):
            raise AutomatonError(f"expected a threshold, got {show(self.threshold)}")

    @cached_property
    def _score(self) -> Score:
        score: Score = SCORES[self.score](self.score)
        return score

    @property
    def condition(self) -> str:
        """When there is an alarm, in words."""
        return self._score.condition(self.threshold)

    def scores(self, sequences: Sequences) -> Float[np.ndarray, " N"]:
        """How strange each sequence is."""
        return self._score.sequences(self._events(sequences), self._positions(sequences).offsets)

    def is_anomaly(self, sequences: Sequences) -> Bool[np.ndarray, " N"]:
        """Whether there is an alarm for each sequence."""
        return is_above(self.scores(sequences), self.threshold)

    def alarms(self, sequences: Sequences) -> Iterator[Alarm]:
        """The alarms, in the order of the sequences. Each shows the first event whose score is
        above the threshold, or the strangest where there is none."""
        positions, events = self._positions(sequences), self._events(sequences)
        scores = self._score.sequences(events, positions.offsets)
        states = self.automaton.states_at(sequences, self.automaton.trace(sequences))
        came = following(sequences, len(self.automaton.alphabet))
        names, shares = self.automaton.classes, self.automaton.distributions
        for row in np.flatnonzero(is_above(scores, self.threshold)).tolist():
            first, last = positions.offsets[row : row + 2]
            above = is_above(events[first:last], self.threshold)
            step = int(above.argmax() if above.any() else events[first:last].argmax())
            state, event = int(states[first + step]), int(came[first + step])
            likely = np.argsort(-shares[state], kind="stable")[:SHOWN].tolist()
            yield Alarm(
                sequence=row,
                score=float(scores[row]),
                step=step + 1,
                state=state,
                expected=tuple((names[one], float(shares[state, one])) for one in likely),
                came=names[event],
                probability=float(shares[state, event]),
            )

    def _positions(self, sequences: Sequences) -> Positions:
        return Positions.of(sequences, self.automaton.target)

    def _events(self, sequences: Sequences) -> Float[np.ndarray, " M"]:
        expected = Distributions.of(self.automaton, sequences)
        return self._score.events(expected, following(sequences, len(self.automaton.alphabet)))

    def to_json(self) -> str:
        """The detector as JSON text, with the whole automaton: no other file can be meant."""
        fields = {
            "detector": SCHEMA,
            "score": self.score,
            "threshold": self.threshold,
            "false_alarms": self.false_alarms,
            "condition": self.condition,
            "automaton": json.loads(self.automaton.to_json()),
        }
        return json.dumps(fields, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Detector:
        """The detector that `to_json` wrote.

        Raises:
            AutomatonError: the text is not JSON, lacks a field, or has one of the wrong type.
            SchemaError: it was written by another version."""
        try:
            fields = json.loads(text, object_pairs_hook=unique_fields)
        except (ValueError, RecursionError) as error:
            raise AutomatonError(f"expected a detector as JSON: {error}") from None
        if not isinstance(fields, dict) or "detector" not in fields:
            raise AutomatonError(
                "expected a detector, a JSON object with the field 'detector' as runs leave it in "
                "automata/selected/"
            )
        if fields["detector"] != SCHEMA:
            raise SchemaError(
                f"expected a detector of schema {SCHEMA}, got {show(fields['detector'])}"
            )
        numbers = {name: fields.get(name) for name in ("threshold", "false_alarms")}
        for name, value in numbers.items():
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise AutomatonError(f"expected '{name}' to be a number, got {show(value)}")
        return cls(
            automaton=Automaton.from_json(json.dumps(fields.get("automaton"))),
            score=str(fields.get("score")),
            **{name: float(value) for name, value in numbers.items()},  # type: ignore[arg-type]
        )


def read_detector(path: Path) -> Detector:
    """The detector in a file.

    Raises:
        AutomatonError: the file cannot be read, or holds no detector.
        SchemaError: it was written by another version."""
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise AutomatonError(
            f"the detector {shorten(path)} cannot be read: {reason(error)}"
        ) from None
    return Detector.from_json(text)
