"""n-grams: what the next symbol is after the last few.

Shapes: N sequences, M positions (every prefix of every sequence), S symbols."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from lisor.automata.distributions import Distributions, perplexity
from lisor.sequences import Sequences
from lisor.targets.next import following
from lisor.targets.positions import Positions

MAX_ORDER = 5
"""Of the n-grams among which one is chosen."""

MAX_CODE = 1 << 62


@dataclass(frozen=True, kw_only=True, eq=False)
class NGram:
    """How often what followed each context of 0 to `order` − 1 symbols in some sequences.

    For each length of context: the codes of those that occurred, how often each did, how many
    different symbols followed it, and the codes of contexts with what followed and their counts."""

    order: int
    symbols: int
    contexts: tuple[tuple[Int[np.ndarray, "..."], ...], ...]

    @classmethod
    def fit(cls, sequences: Sequences, symbols: int, order: int) -> NGram:
        """The n-grams of sequences over S `symbols`."""
        after, contexts = following(sequences, symbols), []
        for codes in _codes(sequences, symbols, order):
            known, index, counts = np.unique(codes, return_inverse=True, return_counts=True)
            pairs, pair_counts = np.unique(index * (symbols + 1) + after, return_counts=True)
            types = np.bincount(pairs // (symbols + 1), minlength=len(known))
            contexts.append((known, counts, types, pairs, pair_counts))
        return cls(order=order, symbols=symbols, contexts=tuple(contexts))

    def log_probabilities(self, sequences: Sequences) -> Float[np.ndarray, " M"]:
        """The natural logarithm of the probability of what follows each prefix.

        Counts of a context are smoothed by those of the next shorter one: (c + t·p) / (n + t) with
        t different symbols after n occurrences (Witten & Bell, 1991, "The zero-frequency problem",
        method C); of the empty context by all symbols and the end alike."""
        codes = _codes(sequences, self.symbols, self.order)
        logs: Float[np.ndarray, " M"] = np.log(
            self._shares(codes, following(sequences, self.symbols))
        )
        return logs

    def distributions(self, sequences: Sequences) -> Distributions:
        """The probability of each symbol and of the end after each prefix."""
        codes = _codes(sequences, self.symbols, self.order)
        table = np.empty((len(codes[0]), self.symbols + 1))
        for symbol in range(self.symbols + 1):
            table[:, symbol] = self._shares(codes, np.full(len(table), symbol))
        return Distributions.rows(table)

    def _shares(
        self, codes: list[Int[np.ndarray, " M"]], after: Int[np.ndarray, " M"]
    ) -> Float[np.ndarray, " M"]:
        """The probability of what is to come `after` the contexts of these codes."""
        shares = np.full(len(after), 1 / (self.symbols + 1))
        for code, (known, counts, types, pairs, pair_counts) in zip(
            codes, self.contexts, strict=True
        ):
            index, is_known = _find(known, code)
            pair, has_occurred = _find(pairs, index * (self.symbols + 1) + after)
            occurred = np.where(has_occurred, pair_counts[pair], 0)
            smoothed = (occurred + types[index] * shares) / (counts[index] + types[index])
            shares = np.where(is_known, smoothed, shares)
        return shares


def best(train: Sequences, validation: Sequences, symbols: int) -> NGram:
    """The n-gram of training whose perplexity on validation is lowest, the shorter one of a tie."""
    largest = MAX_ORDER
    while (symbols + 1) ** largest > MAX_CODE:
        largest -= 1
    longest = NGram.fit(train, symbols, max(1, largest))
    fitted = [
        replace(longest, order=order, contexts=longest.contexts[:order])
        for order in range(1, longest.order + 1)
    ]
    return min(fitted, key=lambda ngram: perplexity(ngram.log_probabilities(validation)))


def _codes(sequences: Sequences, symbols: int, order: int) -> list[Int[np.ndarray, " M"]]:
    """A number for each context of 0, 1, … `order` − 1 symbols before what follows each prefix; the
    number of symbols stands for what is before a sequence."""
    positions = Positions.of(sequences, "next")
    read, starts = positions.read, sequences.offsets[positions.sequence]
    padded = np.append(sequences.symbols.astype(np.int64), symbols)
    codes = [np.zeros(len(read), np.int64)]
    for back in range(1, order):
        at = np.where(read >= back, starts + read - back, len(sequences.symbols))
        codes.append(codes[-1] * (symbols + 1) + padded[at])
    return codes


def _find(
    known: Int[np.ndarray, " K"], codes: Int[np.ndarray, " M"]
) -> tuple[Int[np.ndarray, " M"], Bool[np.ndarray, " M"]]:
    """The index of each code among those known, which are sorted, and whether it is there."""
    index = np.searchsorted(known, codes).clip(max=len(known) - 1)
    return index, known[index] == codes
