"""The words that lead from one class of states into another (Hou & Zhou, 2020, table 5), compared
with a lexicon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lisor.data.lexicon import valences
from lisor.extraction.extraction import Extraction
from lisor.extraction.transitions import START

SENTIMENT = (("neg", "pos"), ("negative", "positive"))
"""Names of two classes that are negative and positive."""


@dataclass(frozen=True, kw_only=True)
class LeadingWord:
    """A word and the trials whose automaton it leads into the class."""

    word: str
    trials: tuple[int, ...]

    def __str__(self) -> str:
        """The word with its trials in brackets, three or more in a row by their ends: "gem (0–4)",
        "loud (0, 2, 3)"."""
        runs: list[list[int]] = []
        for trial in self.trials:
            if runs and runs[-1][-1] == trial - 1:
                runs[-1].append(trial)
            else:
                runs.append([trial])
        texts = [
            f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs
        ]
        return f"{self.word} ({', '.join(texts)})"


def leading_words(automata: Mapping[int, Extraction], target: int) -> list[LeadingWord]:
    """The words that lead from a state of another class into one of class `target`, in the
    automaton of each trial.

    Only transitions that validation showed, and none from the start. Those of most trials come
    first, then the more frequent ones, as the alphabet has them."""
    trials: dict[int, list[int]] = {}
    for trial, extraction in automata.items():
        automaton = extraction.deterministic
        outside = automaton.outputs != target
        outside[START] = False
        leads = (
            extraction.seen
            & outside[:, None]
            & (automaton.outputs[automaton.transitions] == target)
        )
        for symbol in np.flatnonzero(leads.any(axis=0)).tolist():
            trials.setdefault(symbol, []).append(trial)
    alphabet = next(iter(automata.values())).deterministic.alphabet
    order = sorted(trials, key=lambda symbol: (-len(trials[symbol]), symbol))
    return [LeadingWord(word=alphabet[symbol], trials=tuple(trials[symbol])) for symbol in order]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How many `words` there are, how many the lexicon has `rated`, and how many of these are rated
    as the class is."""

    words: int
    rated: int
    agreeing: int

    def __str__(self) -> str:
        share = f", {self.agreeing / self.rated:.2f}" if self.rated else ""
        return f"{self.agreeing} of {self.rated}{share}"


def lexicon_agreement(words: Sequence[str], *, positive: bool) -> Agreement:
    """How many of the words a lexicon of rated words calls positive, or negative."""
    rated = [valence for word in words if (valence := valences().get(word)) is not None]
    return Agreement(
        words=len(words), rated=len(rated), agreeing=sum((value > 0) == positive for value in rated)
    )
