"""Sequences on which an automaton is compared with its network.

To texts that it was trained on, and to most like them, a network gives one class nearly all of the
probability; sequences drawn at random leave it undecided, and show where an automaton differs.

Shapes: S symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from lisor.automata.automaton import Automaton
from lisor.data.dataset import Dataset
from lisor.errors import DataError
from lisor.sequences import Sequences

DELETE, INSERT = 0, 2
"""Kinds of edits; 1 is a replacement."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Probes:
    """Draws words like some others, of a length from `shortest` to `longest`.

    Symbols are drawn as often as they occur in `words`, each counted once more, so that every one
    of them can occur. Where `words` have numbers, those of a drawn symbol are its row of `vectors`.

    Raises:
        DataError: there are no words to begin with, or no length is allowed."""

    words: Sequences
    symbols: int
    shortest: int
    longest: int
    vectors: Float[np.ndarray, "S D"] | None = None

    def __post_init__(self) -> None:
        if len(self.words) == 0:
            raise DataError("expected words to draw others like them, got none")
        if not 0 <= self.shortest <= self.longest:
            raise DataError(
                f"expected lengths with 0 ≤ shortest ≤ longest, got {self.shortest} … "
                f"{self.longest}"
            )

    @classmethod
    def of(cls, dataset: Dataset) -> Probes:
        """Probes like the words of a dataset's validation split."""
        return cls.like(
            dataset.splits["validation"].sequences,
            symbols=len(dataset.alphabet),
            is_text=dataset.language is None,
            fixed_length=None if dataset.language is None else dataset.language.fixed_length,
            vectors=dataset.vectors,
        )

    @classmethod
    def like(
        cls,
        words: Sequences,
        *,
        symbols: int,
        is_text: bool,
        fixed_length: int | None,
        vectors: Float[np.ndarray, "S D"] | None = None,
    ) -> Probes:
        """Probes of the lengths that matter: those of the texts, or for a language also words twice
        as long.

        A language of one length is asked for words of that length alone."""
        longest = int(words.lengths.max(initial=0))
        if fixed_length is not None:
            return cls(words=words, symbols=symbols, shortest=fixed_length, longest=fixed_length)
        if is_text:
            return cls(
                words=words,
                symbols=symbols,
                shortest=min(1, longest),
                longest=longest,
                vectors=vectors,
            )
        return cls(words=words, symbols=symbols, shortest=0, longest=2 * longest + 10)

    def random(self, count: int, rng: np.random.Generator) -> Sequences:
        """Symbols drawn one by one; a word is as long as one of `words`."""
        lengths = self.words.lengths[rng.integers(len(self.words), size=count)].clip(
            self.shortest, self.longest
        )
        symbols = rng.choice(self.symbols, size=int(lengths.sum()), p=self._shares())
        return self.with_numbers(
            Sequences(symbols=symbols, offsets=np.concatenate([[0], np.cumsum(lengths)]))
        )

    def near_misses(self, count: int, rng: np.random.Generator) -> Sequences:
        """Some of `words` with one symbol replaced, deleted or inserted; fewer where an edit leaves
        the lengths."""
        drawn = rng.choice(self.symbols, size=count, p=self._shares())
        single = Sequences(symbols=drawn, offsets=np.arange(count + 1))
        joined = Sequences.join([self.words, self.with_numbers(single)])
        edited = []  # sequences as positions in `joined`, where the drawn symbols come last
        for row in range(count):
            chosen = int(rng.integers(len(self.words)))
            word = np.arange(*self.words.offsets[chosen : chosen + 2])
            kind, position = int(rng.integers(3)), int(rng.integers(len(word) + 1))
            first = len(self.words) + row
            new = joined.offsets[first : first + (kind != DELETE)]
            rest = word[position + (kind != INSERT) :]
            edited.append(np.concatenate([word[:position], new, rest]))
        allowed = self._allowed(edited)
        numbers = None if joined.numbers is None else joined.numbers[allowed.symbols]
        return Sequences(
            symbols=joined.symbols[allowed.symbols], offsets=allowed.offsets, numbers=numbers
        )

    def continued(self, automaton: Automaton, count: int, rng: np.random.Generator) -> Sequences:
        """Access strings of states, each state alike, followed by random symbols."""
        access = access_words(automaton)
        drawn = rng.choice(self.symbols, size=(count, self.longest), p=self._shares())
        heads = [access[state] for state in rng.integers(len(access), size=count)]
        ends = rng.integers(self.shortest, self.longest + 1, size=count)
        words = [
            np.concatenate([head, row[: max(0, end - len(head))]])
            for head, row, end in zip(heads, drawn, ends, strict=True)
        ]
        return self.with_numbers(self._allowed(words))

    def _shares(self) -> Float[np.ndarray, " S"]:
        counts = np.bincount(self.words.symbols, minlength=self.symbols) + 1.0
        shares: Float[np.ndarray, " S"] = counts / counts.sum()
        return shares

    def with_numbers(self, drawn: Sequences) -> Sequences:
        """The same words as a network reads them: with the numbers of their symbols, if any."""
        if self.words.numbers is None or self.vectors is None:
            return drawn
        return replace(drawn, numbers=self.vectors[drawn.symbols])

    def _allowed(self, words: Sequence[Int[np.ndarray, " T"]]) -> Sequences:
        return Sequences.from_lists(
            [word for word in words if self.shortest <= len(word) <= self.longest]
        )


def access_words(automaton: Automaton) -> list[Int[np.ndarray, " T"]]:
    """An access string of each reachable state, none shorter, in breadth-first order."""
    access: dict[int, tuple[int, ...]] = {automaton.start: ()}
    for state in (order := [automaton.start]):
        targets, symbols = np.unique(automaton.transitions[state], return_index=True)
        for target, symbol in zip(targets.tolist(), symbols.tolist(), strict=True):
            if target not in access:
                access[target] = (*access[state], symbol)
                order.append(target)
    return [np.array(word, np.int32) for word in access.values()]
